/* A 32-bit program without a library: connects to port PORT of the loopback interface by `socketcall`, as the libraries of
 * such programs do. Ends with status 0, or with the error's number.
 *
 * gcc -m32 -static -nostdlib -fno-stack-protector -DPORT=N */
static long socketcall(long kind, const long *arguments)
{
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(102L), "b"(kind), "c"(arguments) : "memory");
    return result;
}

static void leave(long status)
{
    __asm__ volatile("int $0x80" : : "a"(1L), "b"(status));
    for (;;)
        ;
}

void _start(void)
{
    const long wanted[3] = {2, 1, 0}; /* AF_INET, SOCK_STREAM */
    long opened = socketcall(1, wanted);
    if (opened < 0)
        leave(-opened);
    unsigned char address[16] = {2, 0, PORT >> 8, PORT & 255, 127, 0, 0, 1};
    const long connection[3] = {opened, (long)address, sizeof address};
    leave(-socketcall(3, connection));
}
