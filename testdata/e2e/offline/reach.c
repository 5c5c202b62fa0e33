/* Opens a TCP socket in one of the ways that Linux has for it, and connects it to a port of the loopback interface.
 *
 * reach WAY PORT; says the error and ends with status 1 where there is no socket. The ways: `call` and `call6` (socket(2) for
 * IPv4 and IPv6), `int80` (the system call of 32-bit programs), `x32` (the number of that ABI), `ring` (io_uring). */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/io_uring.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static int fail(const char *what, int error)
{
    printf("%s: %s\n", what, strerror(error));
    exit(1);
}

static int by_int80(void)
{
    long result = -ENOSYS;
#ifdef __x86_64__
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(359L), "b"((long)AF_INET), "c"((long)SOCK_STREAM), "d"(0L)
                     : "r8", "r9", "r10", "r11", "memory");
#endif
    if ((int)result < 0)
        fail("int80", -(int)result);
    return (int)result;
}

static int by_ring(void)
{
    struct io_uring_params parameters;
    memset(&parameters, 0, sizeof parameters);
    int ring = syscall(SYS_io_uring_setup, 4, &parameters);
    if (ring < 0)
        fail("io_uring_setup", errno);
    size_t submission_size = parameters.sq_off.array + parameters.sq_entries * sizeof(unsigned);
    size_t completion_size = parameters.cq_off.cqes + parameters.cq_entries * sizeof(struct io_uring_cqe);
    int protection = PROT_READ | PROT_WRITE;
    char *submissions = mmap(0, submission_size, protection, MAP_SHARED, ring, IORING_OFF_SQ_RING);
    char *completions = mmap(0, completion_size, protection, MAP_SHARED, ring, IORING_OFF_CQ_RING);
    struct io_uring_sqe *entries =
        mmap(0, parameters.sq_entries * sizeof *entries, protection, MAP_SHARED, ring, IORING_OFF_SQES);
    memset(entries, 0, sizeof *entries);
    entries->opcode = 45; /* IORING_OP_SOCKET, Linux 5.19 */
    entries->fd = AF_INET;
    entries->off = SOCK_STREAM;
    ((unsigned *)(submissions + parameters.sq_off.array))[0] = 0;
    __atomic_store_n((unsigned *)(submissions + parameters.sq_off.tail), 1, __ATOMIC_RELEASE);
    if (syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, 0, 0) < 0)
        fail("io_uring_enter", errno);
    struct io_uring_cqe *completion = (struct io_uring_cqe *)(completions + parameters.cq_off.cqes);
    if (completion->res < 0)
        fail("IORING_OP_SOCKET", -completion->res);
    return completion->res;
}

static int open_socket(const char *way)
{
    int opened = -1;
    if (!strcmp(way, "int80"))
        return by_int80();
    if (!strcmp(way, "ring"))
        return by_ring();
    if (!strcmp(way, "call"))
        opened = socket(AF_INET, SOCK_STREAM, 0);
    else if (!strcmp(way, "call6"))
        opened = socket(AF_INET6, SOCK_STREAM, 0);
    else if (!strcmp(way, "x32"))
        opened = syscall(0x40000000 | SYS_socket, AF_INET, SOCK_STREAM, 0);
    if (opened < 0)
        fail(way, errno);
    return opened;
}

int main(int count, char **arguments)
{
    if (count != 3)
        return 2;
    int opened = open_socket(arguments[1]);
    int port = htons(atoi(arguments[2]));
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = port, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = port, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int is_six = !strcmp(arguments[1], "call6");
    const struct sockaddr *address = is_six ? (struct sockaddr *)&six : (struct sockaddr *)&four;
    if (connect(opened, address, is_six ? sizeof six : sizeof four) != 0)
        fail("connect", errno);
    return 0;
}
