//! System calls that would give power, sight of others, or a hand on the machine's own state.
//!
//! Each group is one test. Bad arguments are fine where the filter answers before they are looked at: outside, without
//! the filter, the kernel's answer is another one, and that is compared too.

use std::fs::File;
use std::os::fd::AsRawFd as _;

use super::{call, is_root, outside, verdict};
use crate::Test;
use crate::stage::{on_stage, probe as inside};

pub(crate) const TESTS: &[Test] = &[
    ("escape_new_namespaces_by_unshare_clone_and_setns", || {
        group("namespaces")
    }),
    ("escape_mounts_old_and_new_interface", || group("mounts")),
    ("escape_chroot_and_pivot_root", || group("roots")),
    ("escape_tracing_by_ptrace", || group("tracing")),
    (
        "escape_memory_and_descriptors_of_others_by_process_vm_and_pidfd",
        || group("memory"),
    ),
    ("escape_keyrings", || group("keyrings")),
    ("escape_bpf", || group("bpf")),
    ("escape_userfaultfd", || group("userfaultfd")),
    ("escape_io_uring", || group("io_uring")),
    ("escape_performance_counters", || group("perf")),
    ("escape_kernel_modules_and_kexec", || group("kernel")),
    ("escape_file_handles_of_the_host", || group("handles")),
    ("escape_fanotify", || group("fanotify")),
    ("escape_clock_and_host_name", || group("names")),
    ("escape_swap_quota_accounting_and_kernel_log", || {
        group("administration")
    }),
    ("escape_personality_without_randomised_addresses", || {
        group("personality")
    }),
    ("escape_terminal_injection_and_line_disciplines", || {
        group("terminal")
    }),
    ("escape_socket_families_without_namespaces", || group("families")),
    ("escape_protocols_that_load_modules", || group("protocols")),
    ("escape_raw_and_packet_sockets", || group("raw")),
    ("escape_user_ids_and_capabilities", || group("ids")),
    ("escape_process_controls_that_need_power", || group("prctl")),
    (
        "escape_filter_bypass_by_x32_high_halves_and_unknown_numbers",
        || group("bypass"),
    ),
    (
        "escape_filter_bypass_by_the_32_bit_interface",
        interface_of_32_bits,
    ),
];

/// What is tried, what is answered inside, whether the answer outside (as root) must be another one, how.
type Attempt = (&'static str, i32, bool, fn() -> i64);

const DIFFERS: bool = true;
const MAY_BE_EQUAL: bool = false;
const P: i32 = libc::EPERM;

macro_rules! simple {
    ($number:expr) => {
        || call($number, [0; 6])
    };
    ($number:expr, $($argument:expr),+) => {
        || call($number, six(&[$($argument as i64),+]))
    };
}

#[rustfmt::skip]
const GROUPS: &[(&str, &[Attempt])] = &[
    ("namespaces", &[
        ("unshare user", P, DIFFERS, simple!(libc::SYS_unshare, libc::CLONE_NEWUSER)),
        ("unshare mount", P, DIFFERS, simple!(libc::SYS_unshare, libc::CLONE_NEWNS)),
        ("unshare network", P, DIFFERS, simple!(libc::SYS_unshare, libc::CLONE_NEWNET)),
        ("unshare time", P, DIFFERS, simple!(libc::SYS_unshare, 0x80)),
        ("clone user", P, DIFFERS, || cloned(libc::CLONE_NEWUSER)),
        ("clone pid", P, DIFFERS, || cloned(libc::CLONE_NEWPID)),
        ("clone cgroup", P, DIFFERS, || cloned(libc::CLONE_NEWCGROUP)),
        ("clone3", libc::ENOSYS, DIFFERS, simple!(libc::SYS_clone3)),
        ("setns", P, DIFFERS, || {
            let namespace = File::open("/proc/self/ns/net").unwrap();
            call(libc::SYS_setns, six(&[namespace.as_raw_fd().into()]))
        }),
    ]),
    ("mounts", &[
        ("mount", P, DIFFERS, simple!(libc::SYS_mount)),
        ("mount tmpfs", P, DIFFERS, simple!(libc::SYS_mount, c"x".as_ptr(), c"/no/where".as_ptr(), c"tmpfs".as_ptr())),
        ("umount", P, DIFFERS, simple!(libc::SYS_umount2)),
        ("open_tree", P, DIFFERS, simple!(libc::SYS_open_tree, -100, c"/".as_ptr(), 1)),
        ("move_mount", P, DIFFERS, simple!(libc::SYS_move_mount, -1, 0, -1, 0, 0)),
        ("fsopen", P, DIFFERS, simple!(libc::SYS_fsopen, c"tmpfs".as_ptr())),
        ("fsmount", P, DIFFERS, simple!(libc::SYS_fsmount, -1)),
        ("fspick", P, DIFFERS, simple!(libc::SYS_fspick, -1)),
        ("mount_setattr", P, DIFFERS, simple!(libc::SYS_mount_setattr, -1)),
        ("statmount", libc::ENOSYS, MAY_BE_EQUAL, simple!(457)),
        ("listmount", libc::ENOSYS, MAY_BE_EQUAL, simple!(458)),
    ]),
    ("roots", &[
        ("chroot", P, DIFFERS, simple!(libc::SYS_chroot, c"/tmp".as_ptr())),
        ("pivot_root", P, DIFFERS, simple!(libc::SYS_pivot_root)),
    ]),
    ("tracing", &[
        ("trace me", P, DIFFERS, simple!(libc::SYS_ptrace, libc::PTRACE_TRACEME)),
        ("seize nobody", P, DIFFERS, simple!(libc::SYS_ptrace, 0x4206, 0x7fff_fff0)),
        ("attach nobody", P, DIFFERS, simple!(libc::SYS_ptrace, libc::PTRACE_ATTACH, 0x7fff_fff0)),
    ]),
    ("memory", &[
        ("process_vm_readv", P, DIFFERS, simple!(libc::SYS_process_vm_readv, std::process::id())),
        ("process_vm_writev", P, DIFFERS, simple!(libc::SYS_process_vm_writev, std::process::id())),
        ("pidfd_getfd", P, DIFFERS, simple!(libc::SYS_pidfd_getfd, -1)),
        ("kcmp", P, DIFFERS, simple!(libc::SYS_kcmp, std::process::id(), std::process::id())),
        ("process_madvise", P, DIFFERS, simple!(libc::SYS_process_madvise, -1)),
        ("move_pages", P, MAY_BE_EQUAL, simple!(libc::SYS_move_pages, 1)),
        ("migrate_pages", P, MAY_BE_EQUAL, simple!(libc::SYS_migrate_pages, 1)),
    ]),
    ("keyrings", &[
        ("keyctl", P, DIFFERS, simple!(libc::SYS_keyctl, 0, -3)),
        ("add_key", P, DIFFERS, simple!(libc::SYS_add_key)),
        ("request_key", P, DIFFERS, simple!(libc::SYS_request_key)),
    ]),
    ("bpf", &[("bpf", P, DIFFERS, simple!(libc::SYS_bpf))]),
    ("userfaultfd", &[("userfaultfd", P, DIFFERS, simple!(libc::SYS_userfaultfd))]),
    ("io_uring", &[
        ("io_uring_setup", libc::ENOSYS, DIFFERS, simple!(libc::SYS_io_uring_setup, 8)),
        ("io_uring_enter", libc::ENOSYS, DIFFERS, simple!(libc::SYS_io_uring_enter, -1)),
        ("io_uring_register", libc::ENOSYS, DIFFERS, simple!(libc::SYS_io_uring_register, -1)),
    ]),
    ("perf", &[("perf_event_open", P, DIFFERS, simple!(libc::SYS_perf_event_open))]),
    ("kernel", &[
        ("init_module", P, MAY_BE_EQUAL, simple!(libc::SYS_init_module)),
        ("finit_module", P, MAY_BE_EQUAL, simple!(libc::SYS_finit_module, -1)),
        ("delete_module", P, MAY_BE_EQUAL, simple!(libc::SYS_delete_module)),
        ("kexec_load", P, MAY_BE_EQUAL, simple!(libc::SYS_kexec_load, 0, 1 << 20)),
        ("reboot", P, DIFFERS, simple!(libc::SYS_reboot)),
    ]),
    ("handles", &[
        ("name_to_handle_at", P, DIFFERS, simple!(libc::SYS_name_to_handle_at, -100, c"/".as_ptr())),
        ("open_by_handle_at", P, DIFFERS, open_root_by_handle),
    ]),
    ("fanotify", &[
        ("fanotify_init", P, DIFFERS, simple!(libc::SYS_fanotify_init)),
        ("fanotify_mark", P, DIFFERS, simple!(libc::SYS_fanotify_mark, -1)),
    ]),
    ("names", &[
        ("clock_settime", P, DIFFERS, simple!(libc::SYS_clock_settime)),
        ("settimeofday", P, DIFFERS, simple!(libc::SYS_settimeofday)),
        ("adjtimex", P, DIFFERS, simple!(libc::SYS_adjtimex)),
        ("sethostname", P, DIFFERS, simple!(libc::SYS_sethostname, 0, -1)),
        ("setdomainname", P, DIFFERS, simple!(libc::SYS_setdomainname, 0, -1)),
    ]),
    ("administration", &[
        ("swapon", P, DIFFERS, simple!(libc::SYS_swapon)),
        ("swapoff", P, DIFFERS, simple!(libc::SYS_swapoff)),
        ("quotactl", P, DIFFERS, simple!(libc::SYS_quotactl, -1)),
        ("quotactl_fd", libc::ENOSYS, MAY_BE_EQUAL, simple!(443, -1)),
        ("acct", P, DIFFERS, simple!(libc::SYS_acct, 1)),
        ("syslog", P, DIFFERS, simple!(libc::SYS_syslog, 10)),
        ("vhangup", P, MAY_BE_EQUAL, || if is_sandboxed() { call(libc::SYS_vhangup, [0; 6]) } else { 0 }),
        #[cfg(target_arch = "x86_64")]
        ("iopl", P, DIFFERS, simple!(libc::SYS_iopl, 4)),
        #[cfg(target_arch = "x86_64")]
        ("ioperm", P, MAY_BE_EQUAL, simple!(libc::SYS_ioperm, 0x80, 1, 1)),
        #[cfg(target_arch = "x86_64")]
        ("modify_ldt", P, DIFFERS, simple!(libc::SYS_modify_ldt, 9)),
    ]),
    ("personality", &[
        ("addresses", P, DIFFERS, simple!(libc::SYS_personality, 0x0040_0000)),
        ("another system", P, DIFFERS, simple!(libc::SYS_personality, 8)),
    ]),
    ("terminal", &[
        ("TIOCSTI", P, DIFFERS, simple!(libc::SYS_ioctl, -1, 0x5412)),
        ("TIOCLINUX", P, DIFFERS, simple!(libc::SYS_ioctl, -1, 0x541c)),
        ("TIOCSETD", P, DIFFERS, simple!(libc::SYS_ioctl, -1, 0x5423)),
        ("TIOCCONS", P, DIFFERS, simple!(libc::SYS_ioctl, -1, 0x541d)),
        ("own terminal", libc::ENXIO, MAY_BE_EQUAL, simple!(libc::SYS_openat, -100, c"/dev/tty".as_ptr(), libc::O_RDWR)),
    ]),
    ("families", &[
        ("vsock", P, DIFFERS, simple!(libc::SYS_socket, 40, 1)),
        ("alg", P, DIFFERS, simple!(libc::SYS_socket, 38, 5)),
        ("bluetooth", P, DIFFERS, simple!(libc::SYS_socket, 31, 3)),
        ("can", P, DIFFERS, simple!(libc::SYS_socket, 29, 3, 1)),
        ("tipc", P, DIFFERS, simple!(libc::SYS_socket, 30, 1)),
        ("rds", P, DIFFERS, simple!(libc::SYS_socket, 21, 5)),
        ("key", P, DIFFERS, simple!(libc::SYS_socket, 15, 3, 2)),
        ("smc", P, DIFFERS, simple!(libc::SYS_socket, 43, 99)),
        ("kcm", P, DIFFERS, simple!(libc::SYS_socket, 41, 99)),
        ("ax25", P, DIFFERS, simple!(libc::SYS_socket, 3, 5)),
        ("netlink kobject events", P, DIFFERS, simple!(libc::SYS_socket, 16, 3, 15)),
        ("netlink netfilter", P, DIFFERS, simple!(libc::SYS_socket, 16, 3, 12)),
        ("netlink audit", P, DIFFERS, simple!(libc::SYS_socket, 16, 3, 9)),
        ("netlink sockets", P, DIFFERS, simple!(libc::SYS_socket, 16, 3, 4)),
        ("netlink transformations", P, DIFFERS, simple!(libc::SYS_socket, 16, 3, 6)),
    ]),
    ("protocols", &[
        ("sctp", P, DIFFERS, simple!(libc::SYS_socket, 2, 1, 132)),
        ("dccp by type", P, DIFFERS, simple!(libc::SYS_socket, 2, 6, 0)),
        ("dccp", P, DIFFERS, simple!(libc::SYS_socket, 2, 6, 33)),
        ("udplite", P, DIFFERS, simple!(libc::SYS_socket, 2, 2, 136)),
        ("l2tp", P, DIFFERS, simple!(libc::SYS_socket, 10, 2, 115)),
        ("seqpacket", P, DIFFERS, simple!(libc::SYS_socket, 2, 5, 0)),
        ("tcp works", 0, MAY_BE_EQUAL, simple!(libc::SYS_socket, 2, 1 | libc::SOCK_CLOEXEC, 6)),
        ("udp works", 0, MAY_BE_EQUAL, simple!(libc::SYS_socket, 10, 2 | libc::SOCK_NONBLOCK, 17)),
        ("unix works", 0, MAY_BE_EQUAL, simple!(libc::SYS_socket, 1, 5)),
        ("routes may be asked for", 0, MAY_BE_EQUAL, simple!(libc::SYS_socket, 16, 3, 0)),
    ]),
    ("raw", &[
        ("packet", P, DIFFERS, simple!(libc::SYS_socket, 17, 3, 0x0300)),
        ("raw icmp", P, DIFFERS, simple!(libc::SYS_socket, 2, 3, 1)),
        ("raw anything", P, DIFFERS, simple!(libc::SYS_socket, 2, 3, 255)),
        ("raw v6", P, DIFFERS, simple!(libc::SYS_socket, 10, 3, 58)),
        ("ping", libc::EACCES, MAY_BE_EQUAL, simple!(libc::SYS_socket, 2, 2, 1)),
    ]),
    ("ids", &[
        ("setuid", P, DIFFERS, simple!(libc::SYS_setuid)),
        ("setresuid to another", P, DIFFERS, simple!(libc::SYS_setresuid, 1, 1, 1)),
        ("setgid", P, DIFFERS, simple!(libc::SYS_setgid)),
        ("setgroups", P, DIFFERS, simple!(libc::SYS_setgroups)),
        ("capset", P, DIFFERS, all_capabilities),
    ]),
    ("prctl", &[
        ("new privileges back", libc::EINVAL, MAY_BE_EQUAL, simple!(libc::SYS_prctl, libc::PR_SET_NO_NEW_PRIVS, 0)),
        ("securebits", P, DIFFERS, simple!(libc::SYS_prctl, libc::PR_SET_SECUREBITS, 0)),
        ("memory map", P, MAY_BE_EQUAL, simple!(libc::SYS_prctl, libc::PR_SET_MM, libc::PR_SET_MM_BRK, 4096)),
        ("ambient", P, MAY_BE_EQUAL, simple!(libc::SYS_prctl, libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_RAISE, 21)),
        ("no filter", libc::EINVAL, MAY_BE_EQUAL, simple!(libc::SYS_prctl, libc::PR_SET_SECCOMP, 0)),
        ("limit of another", P, DIFFERS, simple!(libc::SYS_prlimit64, std::process::id(), 7)),
        ("real time", P, DIFFERS, || {
            let priority = 1i32;
            call(libc::SYS_sched_setscheduler, six(&[0, libc::SCHED_FIFO.into(), &raw const priority as i64]))
        }),
        ("better nice", libc::EACCES, DIFFERS, simple!(libc::SYS_setpriority, 0, 0, -5)),
    ]),
    ("bypass", &[
        #[cfg(target_arch = "x86_64")]
        ("x32 getpid", libc::ENOSYS, MAY_BE_EQUAL, simple!(0x4000_0000 | libc::SYS_getpid)),
        #[cfg(target_arch = "x86_64")]
        ("x32 ptrace", libc::ENOSYS, MAY_BE_EQUAL, simple!(0x4000_0000 | 521)),
        ("TIOCSTI with a high half", P, DIFFERS, simple!(libc::SYS_ioctl, -1, 0x1_0000_5412_i64)),
        ("vsock with a high half", P, DIFFERS, simple!(libc::SYS_socket, 0x1_0000_0028_i64, 1)),
        ("personality with a high half", P, MAY_BE_EQUAL, simple!(libc::SYS_personality, 0x1_0040_0000_i64)),
        ("unknown", libc::ENOSYS, MAY_BE_EQUAL, simple!(10_000)),
        ("negative", libc::ENOSYS, MAY_BE_EQUAL, simple!(-2)),
    ]),
];

/// Every attempt of a group is refused inside, and not because it was a bad one.
fn group(name: &'static str) {
    on_stage(async |stage| {
        let outcome = stage.run(inside("tricks", &["attempt", name])).await;
        let (_, attempts) = GROUPS.iter().find(|(known, _)| *known == name).unwrap();
        let expected: Vec<String> = attempts
            .iter()
            .map(|(what, error, ..)| answer(what, *error))
            .collect();
        // Without root an id that does not exist inside is invalid rather than forbidden.
        let unmapped =
            |said: &str| name == "ids" && !is_root() && said.ends_with(&format!("error {}", libc::EINVAL));
        for (said, expected) in outcome.good().iter().zip(&expected) {
            assert!(said == expected || unmapped(said), "{said} instead of {expected}");
        }
        assert_eq!(outcome.good().len(), expected.len());
        if is_root() {
            let outside = outside(&["attempt", name]);
            assert_eq!(outside.len(), attempts.len(), "{outside:?}");
            for ((what, error, differs, _), said) in attempts.iter().zip(outside) {
                assert!(
                    !*differs || said != answer(what, *error),
                    "outside as well: {said}"
                );
            }
        }
    });
}

fn answer(what: &str, error: i32) -> String {
    match error {
        0 => format!("{what}: ok"),
        error => format!("{what}: error {error}"),
    }
}

pub(super) fn probe(arguments: &[&str]) -> bool {
    match arguments {
        ["attempt", name] => {
            let (_, attempts) = GROUPS.iter().find(|(known, _)| known == name).unwrap();
            for (what, _, _, attempt) in *attempts {
                println!("{what}: {}", in_a_child(*attempt));
            }
        }
        ["int80"] => println!("{}", interrupt_80()),
        _ => return false,
    }
    true
}

/// What one attempt changes must not be what the next one meets.
fn in_a_child(attempt: fn() -> i64) -> String {
    let (mut read, mut write) = std::io::pipe().unwrap();
    // SAFETY: this program has one thread.
    match unsafe { libc::fork() } {
        0 => {
            use std::io::Write as _;
            let _ = write.write_all(verdict(attempt()).as_bytes());
            // SAFETY: ends without running anything of the parent's.
            unsafe { libc::_exit(0) }
        }
        child => {
            drop(write);
            let mut said = String::new();
            std::io::Read::read_to_string(&mut read, &mut said).unwrap();
            // SAFETY: reaps the child that was just made.
            unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) };
            said
        }
    }
}

fn six(arguments: &[i64]) -> [i64; 6] {
    let mut all = [0; 6];
    all[..arguments.len()].copy_from_slice(arguments);
    all
}

fn is_sandboxed() -> bool {
    std::path::Path::new("/opt/probe").exists()
}

fn cloned(namespace: libc::c_int) -> i64 {
    let flags = i64::from(namespace | libc::SIGCHLD);
    match call(libc::SYS_clone, six(&[flags])) {
        // SAFETY: the child ends without running anything of the parent's.
        0 => unsafe { libc::_exit(0) },
        other => other,
    }
}

/// Root's own directory by its number, whatever hides it: the trick that once opened a host's files from a container.
fn open_root_by_handle() -> i64 {
    #[repr(C)]
    struct Handle {
        bytes: u32,
        kind: i32,
        inode_and_generation: [u32; 2],
    }
    let handle = Handle {
        bytes: 8,
        kind: 1,
        inode_and_generation: [2, 0],
    };
    let place = File::open("/").unwrap();
    call(
        libc::SYS_open_by_handle_at,
        six(&[
            place.as_raw_fd().into(),
            &raw const handle as i64,
            libc::O_RDONLY.into(),
        ]),
    )
}

fn all_capabilities() -> i64 {
    let header: [u32; 2] = [0x2008_0522, 0];
    let mut held = [0u32; 6];
    call(
        libc::SYS_capget,
        six(&[header.as_ptr() as i64, held.as_mut_ptr() as i64]),
    );
    // Outside, what root holds already may be asked for again; inside that is nothing.
    let wanted = if is_sandboxed() {
        [1 << 21, 1 << 21, 0, 0, 0, 0]
    } else {
        held
    };
    call(
        libc::SYS_capset,
        six(&[header.as_ptr() as i64, wanted.as_ptr() as i64]),
    )
}

/// `getpid` by the 32-bit interface, in a child since refusal is death; what became of the child.
#[cfg(target_arch = "x86_64")]
fn interrupt_80() -> String {
    // SAFETY: one thread; the child makes one system call that takes no argument, and ends. `rbx` is left alone.
    unsafe {
        match libc::fork() {
            0 => {
                let result: i64;
                std::arch::asm!("int 0x80", inlateout("rax") 20i64 => result, out("r8") _, out("r9") _, out("r10") _, out("r11") _);
                libc::_exit(if result > 0 { 0 } else { 1 })
            }
            child => {
                let mut status = 0;
                libc::waitpid(child, &raw mut status, 0);
                if libc::WIFSIGNALED(status) {
                    format!("signal {}", libc::WTERMSIG(status))
                } else {
                    format!("exit {}", libc::WEXITSTATUS(status))
                }
            }
        }
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn interrupt_80() -> String {
    format!("signal {}", libc::SIGSYS)
}

fn interface_of_32_bits() {
    on_stage(async |stage| {
        let outcome = stage.run(inside("old", &["int80"])).await;
        let said = outcome.good()[0].to_owned();
        // A kernel without the interface ends whoever tries; one that has it must be stopped by the filter.
        let without = outside(&["int80"])[0].clone();
        let refused = format!("signal {}", libc::SIGSYS);
        assert!(
            said == refused || without == format!("signal {}", libc::SIGSEGV) && said == without,
            "{said}, outside {without}"
        );
    });
}
