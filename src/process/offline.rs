//! What `--offline` promises, held by the kernel: this process and all that it starts open no socket that leads off the
//! machine, whatever they are written in.
//!
//! A seccomp filter refuses `socket(2)` for every family but those that stay on the machine, under each number that the call
//! has on this processor. It cannot be taken off again and children inherit it; for that, Linux wants them to gain no
//! privileges by set-user-ID programs either (`no_new_privs`).
//!
//! It is no sandbox: what is open already, and what a daemon does that is asked by a Unix socket, it does not see.

/// Why the kernel does not hold back sockets.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct NotHeld(String);

/// Refuses internet sockets to this process, all its threads, and every process that they start.
///
/// # Errors
/// The system has no such filter, or lets none be set; nothing is refused then.
pub fn refuse_internet() -> Result<(), NotHeld> {
    #[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64")))]
    return filter::install().map_err(|error| NotHeld(error.to_string()));
    #[cfg(not(all(
        target_os = "linux",
        any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64")
    )))]
    Err(NotHeld(format!("not known for {} on {}", std::env::consts::OS, std::env::consts::ARCH)))
}

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64")))]
mod filter {
    use rustix::io::Errno;
    use seccompiler::sock_filter;

    /// `AF_UNIX`, `AF_NETLINK` (which asks the kernel itself) and `AF_ALG` (its cryptography). All others are refused, not
    /// the internet's alone: `AF_SMC`, `AF_RXRPC` or `AF_TIPC` go over the network as well, and a new one is not known here.
    const LOCAL_FAMILIES: [u32; 3] = [1, 16, 38];

    /// One way to make system calls: the processor's own, or that of older programs which it runs too.
    struct CallingConvention {
        /// `AUDIT_ARCH_*` of linux/audit.h.
        architecture: u32,
        /// The bits that tell calls apart.
        number_mask: u32,
        /// The number of `socket`.
        socket: u32,
        /// The number of `socketcall`, which opens sockets too, from a memory that no filter can read.
        socketcall: Option<u32>,
    }

    #[cfg(target_arch = "x86_64")]
    const CONVENTIONS: [CallingConvention; 2] = [
        // x32 is this one with a bit set in the number.
        CallingConvention { architecture: 0xc000_003e, number_mask: !0x4000_0000, socket: 41, socketcall: None },
        // i386: also `int 0x80` of a 64-bit program.
        CallingConvention { architecture: 0x4000_0003, number_mask: !0, socket: 359, socketcall: Some(102) },
    ];
    #[cfg(target_arch = "aarch64")]
    const CONVENTIONS: [CallingConvention; 2] = [
        CallingConvention { architecture: 0xc000_00b7, number_mask: !0, socket: 198, socketcall: None },
        // 32-bit Arm.
        CallingConvention { architecture: 0x4000_0028, number_mask: !0, socket: 281, socketcall: Some(102) },
    ];
    #[cfg(target_arch = "riscv64")]
    const CONVENTIONS: [CallingConvention; 2] = [
        CallingConvention { architecture: 0xc000_00f3, number_mask: !0, socket: 198, socketcall: None },
        CallingConvention { architecture: 0x4000_00f3, number_mask: !0, socket: 198, socketcall: None },
    ];

    /// The number of `io_uring_setup`, the same everywhere. A ring opens sockets without a call that a filter sees.
    const IO_URING_SETUP: u32 = 425;

    /// `SYS_SOCKET`, the first argument of `socketcall`.
    const SOCKETCALL_SOCKET: u32 = 1;

    // Offsets in `struct seccomp_data` (linux/seccomp.h); the lower half of an argument comes first in memory.
    const NUMBER: u32 = 0;
    const ARCHITECTURE: u32 = 4;
    const FIRST_ARGUMENT: u32 = 16;

    pub(super) fn install() -> Result<(), seccompiler::Error> {
        seccompiler::apply_filter_all_threads(&program())
    }

    fn program() -> Vec<sock_filter> {
        let mut program = vec![load(ARCHITECTURE)];
        program.extend(CONVENTIONS.iter().flat_map(|convention| when(convention.architecture, judge(convention))));
        // Calls of a kind that this kernel is not known to take cannot be told apart.
        program.push(answer(Answer::Kill));
        program
    }

    /// What comes of a call, once its convention is known. Nothing follows what it answers.
    fn judge(convention: &CallingConvention) -> Vec<sock_filter> {
        let mut judge = vec![load(NUMBER), mask(convention.number_mask)];
        // As of a kernel without it: programs take another way then.
        judge.extend(when(IO_URING_SETUP, vec![answer(Answer::Fail(Errno::NOSYS))]));
        if let Some(number) = convention.socketcall {
            let mut by_kind = vec![load(FIRST_ARGUMENT)];
            by_kind.extend(when(SOCKETCALL_SOCKET, vec![answer(Answer::Fail(Errno::NETUNREACH))]));
            by_kind.push(answer(Answer::Allow));
            judge.extend(when(number, by_kind));
        }
        let mut by_family = vec![load(FIRST_ARGUMENT)];
        by_family.extend(LOCAL_FAMILIES.iter().flat_map(|family| when(*family, vec![answer(Answer::Allow)])));
        by_family.push(answer(Answer::Fail(Errno::NETUNREACH)));
        judge.extend(when(convention.socket, by_family));
        judge.push(answer(Answer::Allow));
        judge
    }

    /// What a call comes to.
    #[derive(Clone, Copy)]
    enum Answer {
        Allow,
        Fail(Errno),
        Kill,
    }

    /// `BPF_RET`.
    fn answer(answer: Answer) -> sock_filter {
        let value = match answer {
            Answer::Allow => 0x7fff_0000,
            Answer::Fail(errno) => 0x0005_0000 | errno.raw_os_error().unsigned_abs(),
            Answer::Kill => 0x8000_0000,
        };
        sock_filter { code: 0x06, jt: 0, jf: 0, k: value }
    }

    /// `BPF_LD`: takes a word of the call.
    fn load(offset: u32) -> sock_filter {
        sock_filter { code: 0x20, jt: 0, jf: 0, k: offset }
    }

    /// `BPF_AND`.
    fn mask(bits: u32) -> sock_filter {
        sock_filter { code: 0x54, jt: 0, jf: 0, k: bits }
    }

    /// `BPF_JEQ`: `then`, where the word taken is `value`; else it is passed over.
    fn when(value: u32, then: Vec<sock_filter>) -> Vec<sock_filter> {
        let over = u8::try_from(then.len()).expect("no part of the filter is longer than a jump");
        std::iter::once(sock_filter { code: 0x15, jt: 0, jf: over, k: value }).chain(then).collect()
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        const ALLOW: u32 = 0x7fff_0000;
        const UNREACHABLE: u32 = 0x0005_0065;
        const MISSING: u32 = 0x0005_0026;

        /// What the kernel would answer to a call.
        fn ask(architecture: u32, number: u32, argument: u32) -> u32 {
            let (program, mut at, mut word) = (program(), 0, 0);
            loop {
                let step = &program[at];
                at += 1;
                match (step.code, step.k) {
                    (0x20, NUMBER) => word = number,
                    (0x20, ARCHITECTURE) => word = architecture,
                    (0x20, FIRST_ARGUMENT) => word = argument,
                    (0x54, bits) => word &= bits,
                    (0x15, value) => at += usize::from(if word == value { step.jt } else { step.jf }),
                    (0x06, answer) => return answer,
                    other => panic!("{other:?}"),
                }
            }
        }

        #[test]
        fn refuses_all_families_that_leave_the_machine_under_every_number() {
            for CallingConvention { architecture, number_mask, socket, socketcall } in &CONVENTIONS {
                for bit in [0, !number_mask] {
                    for family in 0..64 {
                        let expected = if LOCAL_FAMILIES.contains(&family) { ALLOW } else { UNREACHABLE };
                        assert_eq!(ask(*architecture, socket | bit, family), expected, "{architecture:x} {family}");
                    }
                    assert_eq!(ask(*architecture, IO_URING_SETUP | bit, 8), MISSING);
                    for other in (0..600).filter(|call| ![*socket, IO_URING_SETUP].contains(call)) {
                        let expected = if *socketcall == Some(other) { UNREACHABLE } else { ALLOW };
                        assert_eq!(ask(*architecture, other | bit, SOCKETCALL_SOCKET), expected, "{other}");
                        assert_eq!(ask(*architecture, other | bit, 2), ALLOW, "{other}");
                    }
                }
            }
        }

        #[test]
        fn ends_programs_of_an_architecture_that_it_does_not_know() {
            assert_eq!(ask(0x8000_0016, 41, 1), 0x8000_0000);
        }
    }
}
