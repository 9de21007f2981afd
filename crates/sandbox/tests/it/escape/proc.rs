//! /proc: the kernel's own switches, and the open doors that other processes are.

use std::fs::{self, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use sandbox::Mount;

use super::{is_root, outside};
use crate::Test;
use crate::stage::{on_stage, probe as inside, shell};

pub(crate) const TESTS: &[Test] = &[
    ("escape_sysrq_kcore_kmsg_and_other_doors_to_the_kernel", doors),
    ("escape_every_kernel_setting_is_read_only", settings),
    ("escape_core_pattern_binfmt_modprobe_and_uevent_helper", helpers),
    ("escape_kernel_addresses_are_hidden", addresses),
    ("escape_the_platforms_program_by_proc_self_exe", own_program),
    ("escape_by_files_of_process_1", process_1),
    ("escape_keys_of_the_platform_are_not_listed", keys),
    ("escape_immunity_from_lack_of_memory", out_of_memory),
];

/// Opened for reading, and for writing without writing anything.
const DOORS: &[&str] = &[
    "/proc/sysrq-trigger",
    "/proc/kcore",
    "/proc/kmsg",
    "/proc/kpagecount",
    "/proc/kpageflags",
    "/proc/slabinfo",
    "/proc/vmallocinfo",
    "/proc/pagetypeinfo",
    "/proc/timer_list",
    "/proc/sched_debug",
    "/proc/dynamic_debug/control",
    "/proc/1/root",
    "/dev/mem",
    "/dev/kmsg",
    "/dev/kvm",
    "/dev/fuse",
    "/dev/net/tun",
    "/dev/loop-control",
    "/dev/cpu/0/msr",
    "/sys/kernel/debug",
    "/sys/kernel/uevent_helper",
    "/sys/fs/cgroup",
    "/sys/firmware",
];

pub(super) fn probe(arguments: &[&str]) -> bool {
    match arguments {
        ["doors", paths @ ..] => paths
            .iter()
            .filter(|path| opens(path))
            .for_each(|path| println!("{path}")),
        ["settings"] => writable_below(Path::new("/proc/sys"), false),
        ["change-settings"] => writable_below(Path::new("/proc/sys"), true),
        ["peek", paths @ ..] => paths
            .iter()
            .filter(|path| peeks(path))
            .for_each(|path| println!("{path}")),
        ["overwrite", paths @ ..] => paths
            .iter()
            .for_each(|path| println!("{path} {}", overwrites(path))),
        ["pardon", score] => println!("{}", fs::write("/proc/self/oom_score_adj", score).is_ok()),
        _ => return false,
    }
    true
}

fn opens(path: &str) -> bool {
    let flags = libc::O_NONBLOCK;
    OpenOptions::new()
        .read(true)
        .custom_flags(flags)
        .open(path)
        .is_ok()
        || OpenOptions::new()
            .write(true)
            .custom_flags(flags)
            .open(path)
            .is_ok()
}

/// Whether a byte of it can be read, or an entry of it listed.
fn peeks(path: &str) -> bool {
    let read = fs::File::open(path).and_then(|mut file| file.read(&mut [0]));
    let listed = fs::read_dir(path).is_ok_and(|mut entries| entries.any(|entry| entry.is_ok()));
    read.is_ok() || listed || fs::read_link(path).is_ok()
}

/// Prints what opens for writing and, where it shall be tried, takes something.
fn writable_below(top: &Path, change: bool) {
    let mut waiting = vec![top.to_owned()];
    while let Some(dir) = waiting.pop() {
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                waiting.push(entry.path());
            } else if let Ok(mut file) = OpenOptions::new().write(true).open(entry.path())
                && (!change || file.write(b"1").is_ok())
            {
                println!("{}", entry.path().display());
            }
        }
    }
}

/// Directly, and by a descriptor that was opened only as a path and is opened again through /proc.
fn overwrites(path: &str) -> bool {
    let directly = OpenOptions::new().write(true).open(path).is_ok();
    let again = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_PATH)
        .open(path)
        .is_ok_and(|held| {
            use std::os::fd::AsRawFd as _;
            let name = format!("/proc/self/fd/{}", held.as_raw_fd());
            OpenOptions::new()
                .write(true)
                .open(name)
                .and_then(|mut file| file.write_all(b"#!"))
                .is_ok()
        });
    directly || again
}

fn doors() {
    on_stage(async |stage| {
        let outcome = stage.run(inside("doors", &[&["doors"], DOORS].concat())).await;
        assert_eq!(outcome.good(), [] as [&str; 0]);
        if is_root() {
            let outside = outside(&[&["doors"], DOORS].concat());
            assert!(outside.len() > 5, "these open without a sandbox: {outside:?}");
        }
    });
}

fn settings() {
    on_stage(async |stage| {
        assert_eq!(
            stage.run(inside("knobs", &["change-settings"])).await.good(),
            [] as [&str; 0]
        );
        if is_root() {
            assert!(outside(&["settings"]).len() > 300);
        }
    });
}

fn helpers() {
    on_stage(async |stage| {
        // Files whose content the kernel runs as root, or that say how to run programs.
        let helpers = [
            "/proc/sys/kernel/core_pattern",
            "/proc/sys/kernel/modprobe",
            "/proc/sys/kernel/hotplug",
            "/proc/sys/kernel/usermodehelper/bset",
            "/proc/sys/fs/binfmt_misc/register",
            "/sys/kernel/uevent_helper",
        ];
        let before = fs::read("/proc/sys/kernel/core_pattern").unwrap();
        let outcome = stage
            .run(inside("helper", &[&["write"], &helpers[..]].concat()))
            .await;
        assert_eq!(outcome.good().len(), helpers.len());
        for line in outcome.good() {
            assert!(!line.ends_with(" ok"), "{line}");
        }
        // A crash must not run the host's core handler for the sandbox's own files either.
        let script = "ulimit -c unlimited 2>/dev/null; ulimit -Hc; ulimit -c";
        assert_eq!(stage.run(shell("core", script)).await.good(), ["0", "0"]);
        assert_eq!(fs::read("/proc/sys/kernel/core_pattern").unwrap(), before);
        if is_root() {
            assert!(!outside(&["doors", "/proc/sys/kernel/core_pattern"]).is_empty());
        }
    });
}

fn addresses() {
    on_stage(async |stage| {
        let script = "grep -vc '^0\\{16\\} ' /proc/kallsyms; grep -c '^0\\{16\\} ' /proc/kallsyms; true";
        let said = stage.run(shell("symbols", script)).await;
        let counts: Vec<u64> = said.good().iter().map(|line| line.parse().unwrap()).collect();
        // Where the kernel lists symbols at all, none has an address.
        assert!(counts.first().is_none_or(|&shown| shown == 0), "{counts:?}");
    });
}

fn own_program() {
    on_stage(async |stage| {
        let program = std::env::current_exe().unwrap();
        let before = fs::read(&program).unwrap();
        let paths = [
            "/proc/1/exe",
            "/proc/self/exe",
            "/proc/thread-self/exe",
            "/proc/1/task/1/exe",
            "/opt/probe",
            "/proc/self/map_files",
        ];
        let mut outcome = stage
            .run(inside("overwrite", &[&["overwrite"], &paths[..]].concat()))
            .await;
        let expected: Vec<String> = paths.iter().map(|path| format!("{path} false")).collect();
        assert_eq!(outcome.good(), expected);
        // A program whose interpreter is whoever runs it: the way from a container to the tool that enters it.
        let mut spec = inside("interpreter", &[]);
        spec.argv = ["sh", "-c", "printf '#!/proc/self/exe\\n' > /tmp/x; chmod 755 /tmp/x; /tmp/x; (exec 3>/proc/1/exe); echo done"]
            .map(str::to_owned)
            .to_vec();
        outcome = stage.run(spec).await;
        assert!(outcome.said().contains(&"done"), "{:?}", outcome.said());
        assert!(
            fs::read(&program).unwrap() == before,
            "the platform's program was changed"
        );
        // The same program where writing is allowed can be overwritten: the attempt is a good one.
        let dir = stage.directory("own");
        fs::copy("/bin/true", dir.join("copy")).unwrap();
        fs::set_permissions(dir.join("copy"), fs::Permissions::from_mode(0o755)).unwrap();
        let mut spec = inside("control", &["overwrite", "/own/copy"]);
        spec.mounts.push(Mount::Writable {
            source: dir,
            target: "/own".to_owned(),
        });
        assert_eq!(stage.run(spec).await.good(), ["/own/copy true"]);
    });
}

fn process_1() {
    on_stage(async |stage| {
        let closed = [
            "environ",
            "mem",
            "maps",
            "smaps",
            "auxv",
            "pagemap",
            "stack",
            "syscall",
            "personality",
            "io",
            "root/etc",
            "cwd/etc",
            "fd/0",
            "fd/3",
            "fd/5",
            "fdinfo/3",
            "ns/net",
            "ns/mnt",
            "ns/user",
            "map_files",
            "task/1/mem",
            "task/1/environ",
            "task/1/root/etc",
            "task/1/fd/3",
        ]
        .map(|name| format!("/proc/1/{name}"));
        let arguments: Vec<&str> = ["peek"]
            .into_iter()
            .chain(closed.iter().map(String::as_str))
            .collect();
        assert_eq!(stage.run(inside("spy", &arguments)).await.good(), [] as [&str; 0]);
        // What one user may do to its own processes without root harms only this sandbox (`oom_score_adj` and the like).
        let written = [
            "timerslack_ns",
            "loginuid",
            "comm",
            "setgroups",
            "uid_map",
            "gid_map",
            "attr/current",
            "mem",
            "make-it-fail",
        ]
        .map(|name| format!("/proc/1/{name}"));
        let arguments: Vec<&str> = ["write"]
            .into_iter()
            .chain(written.iter().map(String::as_str))
            .collect();
        for line in stage.run(inside("hand", &arguments)).await.good() {
            assert!(!line.ends_with(" ok"), "{line}");
        }
        // Its own are open: what is refused above is refused for being process 1's.
        let own = ["environ", "mem", "maps", "auxv", "root/etc", "fd/1", "ns/net"]
            .map(|name| format!("/proc/self/{name}"));
        let arguments: Vec<&str> = ["open"]
            .into_iter()
            .chain(own.iter().map(String::as_str))
            .collect();
        for line in stage.run(inside("own", &arguments)).await.good() {
            assert!(line.ends_with(" ok"), "{line}");
        }
    });
}

fn keys() {
    on_stage(async |stage| {
        // The kernel lists keys that the reader may see: a session keyring inherited from the platform would be one.
        let listed = stage.run(shell("keys", "cat /proc/keys 2>/dev/null; true")).await;
        assert_eq!(listed.good(), [] as [&str; 0]);
    });
}

fn out_of_memory() {
    on_stage(async |stage| {
        for score in ["-1000", "-1"] {
            assert_eq!(
                stage.run(inside("immune", &["pardon", score])).await.good(),
                ["false"],
                "{score}"
            );
        }
        assert_eq!(
            stage.run(inside("humble", &["pardon", "1000"])).await.good(),
            ["true"]
        );
    });
}
