//! No trick gives a program more power than it was started with.

use std::fs;
use std::os::fd::AsRawFd as _;

use sandbox::Mount;

use crate::Test;
use crate::stage::{on_stage, probe, shell};

pub(crate) const TESTS: &[Test] = &[
    (
        "the_inits_memory_environment_and_descriptors_are_closed",
        init_is_closed,
    ),
    ("nothing_open_is_inherited", no_descriptors),
    ("set_user_id_programs_are_powerless", set_user_id),
    ("it_is_an_ordinary_user_without_capabilities", identity),
    ("secrets_are_in_no_command_line_and_in_no_file", secrets),
];

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
