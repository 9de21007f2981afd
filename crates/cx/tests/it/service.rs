//! The platform as a service: what the service manager is told, and the unit that it is given.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::platform::{free_port, run, terminate};

const CX: &str = env!("CARGO_BIN_EXE_cx");

/// Stands where `systemctl` does: notes what it is told, and answers as one that runs.
const SYSTEMCTL: &str = "#!/bin/sh\n\
    echo \"$*\" >> \"$TOLD\"\n\
    case \"$*\" in\n\
      *--version) echo 'systemd 255 (255.4)';;\n\
      *is-active*) echo active;;\n\
      *is-enabled*) echo enabled;;\n\
    esac\n";

#[test]
fn the_manager_hears_when_it_is_ready_alive_and_ending() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("notify");
    let manager = UnixDatagram::bind(&socket).unwrap();
    manager.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let news = || {
        let mut bytes = [0; 500];
        let count = manager.recv(&mut bytes).expect("news in time");
        String::from_utf8(bytes[..count].to_vec()).unwrap()
    };
    let mut command = Command::new(CX);
    command.args([
        "serve",
        "--listen",
        &format!("127.0.0.1:{}", free_port()),
        "--data",
    ]);
    command
        .arg(directory.path().join("data"))
        .env("NOTIFY_SOCKET", &socket)
        .env("WATCHDOG_USEC", "600000");
    let mut server = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let (mut ready, mut alive) = (0, 0);
    while ready < 1 || alive < 3 {
        match news() {
            text if text.starts_with("READY=1\nSTATUS=Serving at http://localhost:") => ready += 1,
            text => {
                assert_eq!(text, "WATCHDOG=1");
                alive += 1;
            }
        }
    }
    terminate(&server);
    while !news().starts_with("STOPPING=1\n") {}
    assert_eq!(server.wait().unwrap().code(), Some(0));
}

#[test]
fn the_unit_is_written_started_and_removed() {
    let directory = tempfile::tempdir().unwrap();
    let tools = directory.path().join("bin");
    fs::create_dir(&tools).unwrap();
    fs::write(tools.join("systemctl"), SYSTEMCTL).unwrap();
    fs::set_permissions(tools.join("systemctl"), fs::Permissions::from_mode(0o755)).unwrap();
    let told = directory.path().join("told");
    let service = |arguments: &[&str]| {
        let mut command = Command::new(CX);
        command
            .arg("service")
            .args(arguments)
            .arg("--user")
            .env("TOLD", &told);
        command.env("PATH", format!("{}:/usr/bin:/bin", tools.display()));
        run(command
            .env("XDG_CONFIG_HOME", directory.path().join("config"))
            .env("HOME", directory.path()))
    };
    assert_eq!(service(&["status"]).status.code(), Some(4), "not installed");
    let data = directory.path().join("my data");
    let ran = service(&[
        "install",
        "--domain",
        "previews.example",
        "--data",
        data.to_str().unwrap(),
    ]);
    assert!(ran.status.success(), "{ran:?}");
    let unit = directory.path().join("config/systemd/user/cygni.service");
    assert_eq!(Path::new(ran.out.trim()), unit);
    let text = fs::read_to_string(&unit).unwrap();
    let line = format!(" serve --data \"{}\" --domain previews.example\n", data.display());
    assert!(
        text.contains(&line) && text.contains("\nKillMode=process\n"),
        "{text}"
    );
    assert_eq!(
        service(&["status"]).out.trim(),
        format!("active, enabled: {}", unit.display())
    );
    assert!(service(&["uninstall"]).status.success());
    assert!(!unit.exists());
    let told = fs::read_to_string(told).unwrap();
    let done: Vec<&str> = told
        .lines()
        .filter(|line| !line.contains("--version") && !line.contains(" is-"))
        .collect();
    assert_eq!(
        done,
        [
            "--user daemon-reload",
            "--user daemon-reload",
            "--user enable cygni.service",
            "--user restart cygni.service",
            "--user disable --now cygni.service",
            "--user daemon-reload",
        ]
    );
}

#[test]
fn systemd_finds_nothing_wrong_with_the_units() {
    for user in [false, true] {
        let directory = tempfile::tempdir().unwrap();
        let scope: &[&str] = if user { &["--user"] } else { &[] };
        let unit = run(Command::new(CX).args(["service", "print"]).args(scope));
        assert!(unit.status.success(), "{unit:?}");
        let path = directory.path().join("cygni.service");
        fs::write(&path, unit.out).unwrap();
        let mut verify = Command::new("systemd-analyze");
        verify
            .arg("verify")
            .args(scope)
            .arg(&path)
            .env("XDG_RUNTIME_DIR", directory.path());
        let verified = run(&mut verify);
        assert!(
            verified.status.success() && !verified.err.contains("cygni.service"),
            "{verified:?}"
        );
    }
}
