//! No trick gives a program more power than it was started with.

use std::fs;
use std::io;
use std::os::fd::AsRawFd as _;

use sandbox::Mount;

use crate::Test;
use crate::stage::{on_stage, probe, shell};

pub(crate) const TESTS: &[Test] = &[
    ("no_system_call_regains_power", system_calls),
    (
        "the_inits_memory_environment_and_descriptors_are_closed",
        init_is_closed,
    ),
    ("nothing_open_is_inherited", no_descriptors),
    ("set_user_id_programs_are_powerless", set_user_id),
    ("it_is_an_ordinary_user_without_capabilities", identity),
    ("secrets_are_in_no_command_line_and_in_no_file", secrets),
];

type Attempt = (&'static str, i32, fn() -> i64);

/// What is tried, the expected error, how. Bad arguments are fine: the filter answers first.
const ATTEMPTS: &[Attempt] = &[
    ("mount", libc::EPERM, || call(libc::SYS_mount, [0; 6])),
    ("umount", libc::EPERM, || call(libc::SYS_umount2, [0; 6])),
    ("pivot_root", libc::EPERM, || call(libc::SYS_pivot_root, [0; 6])),
    ("open_tree", libc::EPERM, || {
        call(libc::SYS_open_tree, [-100, 0, 1, 0, 0, 0])
    }),
    ("fsopen", libc::EPERM, || call(libc::SYS_fsopen, [0; 6])),
    ("chroot", libc::EPERM, || {
        call(libc::SYS_chroot, [c"/tmp".as_ptr() as i64, 0, 0, 0, 0, 0])
    }),
    ("unshare user", libc::EPERM, || {
        call(libc::SYS_unshare, [libc::CLONE_NEWUSER.into(), 0, 0, 0, 0, 0])
    }),
    ("unshare net", libc::EPERM, || {
        call(libc::SYS_unshare, [libc::CLONE_NEWNET.into(), 0, 0, 0, 0, 0])
    }),
    ("clone user", libc::EPERM, || {
        call(
            libc::SYS_clone,
            [i64::from(libc::CLONE_NEWUSER | libc::SIGCHLD), 0, 0, 0, 0, 0],
        )
    }),
    ("clone3", libc::ENOSYS, || call(libc::SYS_clone3, [0; 6])),
    ("setns", libc::EPERM, set_namespace),
    ("ptrace init", libc::EPERM, || {
        call(libc::SYS_ptrace, [libc::PTRACE_ATTACH.into(), 1, 0, 0, 0, 0])
    }),
    ("ptrace me", libc::EPERM, || call(libc::SYS_ptrace, [0; 6])),
    ("process_vm_readv", libc::EPERM, || {
        call(libc::SYS_process_vm_readv, [1, 0, 0, 0, 0, 0])
    }),
    ("init_module", libc::EPERM, || call(libc::SYS_init_module, [0; 6])),
    ("finit_module", libc::EPERM, || {
        call(libc::SYS_finit_module, [0; 6])
    }),
    ("kexec_load", libc::EPERM, || call(libc::SYS_kexec_load, [0; 6])),
    ("reboot", libc::EPERM, || call(libc::SYS_reboot, [0; 6])),
    ("bpf", libc::EPERM, || call(libc::SYS_bpf, [0; 6])),
    ("perf_event_open", libc::EPERM, || {
        call(libc::SYS_perf_event_open, [0; 6])
    }),
    ("keyctl", libc::EPERM, || call(libc::SYS_keyctl, [0; 6])),
    ("add_key", libc::EPERM, || call(libc::SYS_add_key, [0; 6])),
    ("request_key", libc::EPERM, || call(libc::SYS_request_key, [0; 6])),
    ("userfaultfd", libc::EPERM, || call(libc::SYS_userfaultfd, [0; 6])),
    ("io_uring_setup", libc::ENOSYS, || {
        call(libc::SYS_io_uring_setup, [8, 0, 0, 0, 0, 0])
    }),
    ("io_uring_enter", libc::ENOSYS, || {
        call(libc::SYS_io_uring_enter, [0; 6])
    }),
    ("open_by_handle_at", libc::EPERM, || {
        call(libc::SYS_open_by_handle_at, [0; 6])
    }),
    ("pidfd_getfd", libc::EPERM, || call(libc::SYS_pidfd_getfd, [0; 6])),
    ("kcmp", libc::EPERM, || call(libc::SYS_kcmp, [1, 1, 0, 0, 0, 0])),
    ("personality", libc::EPERM, || {
        call(libc::SYS_personality, [0x0040_0000, 0, 0, 0, 0, 0])
    }),
    ("TIOCSTI", libc::EPERM, || {
        call(libc::SYS_ioctl, [0, 0x5412, 0, 0, 0, 0])
    }),
    ("TIOCSTI with a high half", libc::EPERM, || {
        call(libc::SYS_ioctl, [0, 0x1_0000_5412, 0, 0, 0, 0])
    }),
    ("TIOCLINUX", libc::EPERM, || {
        call(libc::SYS_ioctl, [0, 0x541c, 0, 0, 0, 0])
    }),
    ("AF_VSOCK", libc::EPERM, || {
        call(libc::SYS_socket, [40, 1, 0, 0, 0, 0])
    }),
    ("AF_VSOCK with a high half", libc::EPERM, || {
        call(libc::SYS_socket, [0x1_0000_0028, 1, 0, 0, 0, 0])
    }),
    ("AF_PACKET", libc::EPERM, || {
        call(libc::SYS_socket, [17, 3, 0, 0, 0, 0])
    }),
    ("AF_ALG", libc::EPERM, || {
        call(libc::SYS_socket, [38, 5, 0, 0, 0, 0])
    }),
    ("netlink netfilter", libc::EPERM, || {
        call(libc::SYS_socket, [16, 3, 12, 0, 0, 0])
    }),
    ("raw socket", libc::EPERM, || {
        call(libc::SYS_socket, [2, 3, 1, 0, 0, 0])
    }),
    ("setuid 0", libc::EPERM, || call(libc::SYS_setuid, [0; 6])),
    ("setuid of init's", libc::EPERM, || {
        call(libc::SYS_setresuid, [1, 1, 1, 0, 0, 0])
    }),
    ("kill host", libc::ESRCH, || {
        call(libc::SYS_kill, [999_999, 9, 0, 0, 0, 0])
    }),
    ("device file", libc::EPERM, || {
        let path = c"/tmp/device".as_ptr() as i64;
        call(
            libc::SYS_mknodat,
            [-100, path, i64::from(libc::S_IFBLK | 0o666), 0xfe00, 0, 0],
        )
    }),
    ("prlimit init", libc::EPERM, || {
        call(libc::SYS_prlimit64, [1, 0, 0, 0, 0, 0])
    }),
    ("x32 getpid", libc::ENOSYS, || {
        call(0x4000_0000 | libc::SYS_getpid, [0; 6])
    }),
    ("unknown call", libc::ENOSYS, || call(10_000, [0; 6])),
];

fn call(number: i64, [a, b, c, d, e, f]: [i64; 6]) -> i64 {
    // SAFETY: pointers among the arguments are null or point to constants; the calls are to be refused.
    unsafe { libc::syscall(number, a, b, c, d, e, f) }
}

fn set_namespace() -> i64 {
    let namespace = fs::File::open("/proc/self/ns/net").unwrap();
    call(libc::SYS_setns, [namespace.as_raw_fd().into(), 0, 0, 0, 0, 0])
}

/// The probe `power`: tries everything and prints what differs from what is expected.
pub(crate) fn try_everything() {
    for (name, expected, attempt) in ATTEMPTS {
        let result = attempt();
        let error = io::Error::last_os_error().raw_os_error().unwrap_or(0);
        // Without root an id that does not exist inside is invalid rather than forbidden.
        let unmapped = name.starts_with("setuid") && error == libc::EINVAL;
        if result != -1 || (error != *expected && !unmapped) {
            println!("{name}: {result} {error} instead of {expected}");
        }
    }
    // Killing process 1 or signalling it must change nothing.
    call(libc::SYS_kill, [1, i64::from(libc::SIGKILL), 0, 0, 0, 0]);
    println!("{} tried", ATTEMPTS.len());
}

fn system_calls() {
    on_stage(async |stage| {
        let outcome = stage.run(probe("tricks", &["power"])).await;
        assert_eq!(outcome.good(), [format!("{} tried", ATTEMPTS.len())]);
    });
}

fn init_is_closed() {
    on_stage(async |stage| {
        let files = [
            "/proc/1/environ",
            "/proc/1/mem",
            "/proc/1/maps",
            "/proc/1/auxv",
            "/proc/1/root/etc",
            "/proc/1/cwd/etc",
        ];
        let fds: Vec<String> = (0..20).map(|fd| format!("/proc/1/fd/{fd}")).collect();
        let arguments: Vec<&str> = ["open"]
            .into_iter()
            .chain(files)
            .chain(fds.iter().map(String::as_str))
            .collect();
        let outcome = stage.run(probe("spy", &arguments)).await;
        for line in outcome.good() {
            assert!(!line.ends_with(" ok"), "{line}");
        }
        let links = [
            "/proc/1/exe",
            "/proc/1/cwd",
            "/proc/1/root",
            "/proc/1/ns/net",
            "/proc/1/fd/3",
        ];
        let outcome = stage
            .run(probe("spy", &[&["readlink"], &links[..]].concat()))
            .await;
        for line in outcome.good() {
            assert!(!line.ends_with(" ok"), "{line}");
        }
    });
}

fn no_descriptors() {
    on_stage(async |stage| {
        // One that a careless library left open across exec.
        let secret = fs::File::create(stage.path("secret")).unwrap();
        // SAFETY: duplicates a descriptor; it stays open for the rest of the process on purpose.
        let leaked = unsafe { libc::dup(secret.as_raw_fd()) };
        assert!(leaked > 2);
        let host = sandbox::Host::start(crate::stage::options(&stage.path("leaky"), &stage.prefix))
            .await
            .unwrap();
        let sandbox = host.spawn(probe("heir", &["descriptors"])).await.unwrap();
        let init_fds = format!("/proc/{}/fd", sandbox.pid());
        let open: Vec<_> = fs::read_dir(init_fds).map_or(Vec::new(), |entries| {
            entries
                .flatten()
                .filter_map(|entry| fs::read_link(entry.path()).ok())
                .collect()
        });
        assert!(!open.contains(&stage.path("secret")), "{open:?}");
        let outcome = stage.outcome(&sandbox).await;
        host.remove("heir").await.unwrap();
        assert_eq!(
            outcome.good(),
            ["0 1 2 3"],
            "3 is the directory that is being read"
        );
    });
}

fn set_user_id() {
    on_stage(async |stage| {
        use std::os::unix::fs::PermissionsExt as _;
        let program = stage.path("setuid");
        fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o6755)).unwrap();
        let mut spec = probe("suid", &["identity"]);
        spec.argv[0] = "/opt/setuid".to_owned();
        spec.mounts.push(Mount::ReadOnly {
            source: program,
            target: "/opt/setuid".to_owned(),
        });
        assert_eq!(stage.run(spec).await.good()[0], "1000 1000");
        let script = "grep -v nosuid /proc/self/mounts; test -u /usr/bin/su && /usr/bin/su root -c id </dev/null; true";
        assert_eq!(stage.run(shell("su", script)).await.good(), [] as [&str; 0]);
    });
}

fn identity() {
    on_stage(async |stage| {
        let none = "0000000000000000";
        let expected: Vec<String> = ["1000 1000".to_owned()]
            .into_iter()
            .chain(["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"].map(|set| format!("{set}: {none}")))
            .chain(["NoNewPrivs: 1".to_owned()])
            .collect();
        assert_eq!(stage.run(probe("who", &["identity"])).await.good(), expected);
    });
}

fn secrets() {
    on_stage(async |stage| {
        let mut spec = probe("secretive", &["count"]);
        spec.env.push(("TOKEN".to_owned(), "zanzibar-7".to_owned()));
        spec.log.redact.push("zanzibar-7".to_owned());
        let sandbox = stage.host.spawn(spec).await.unwrap();
        let command_line = fs::read(format!("/proc/{}/cmdline", sandbox.pid())).unwrap();
        assert!(!String::from_utf8_lossy(&command_line).contains("zanzibar"));
        let environment = fs::read(format!("/proc/{}/environ", sandbox.pid())).unwrap_or_default();
        assert!(!String::from_utf8_lossy(&environment).contains("zanzibar"));
        for entry in fs::read_dir(sandbox.directory()).unwrap().flatten() {
            if entry.file_type().unwrap().is_file() {
                let contents = String::from_utf8_lossy(&fs::read(entry.path()).unwrap()).into_owned();
                assert!(!contents.contains("zanzibar"), "{:?}", entry.path());
            }
        }
        sandbox.kill().await.unwrap();
        stage.host.remove("secretive").await.unwrap();
    });
}
