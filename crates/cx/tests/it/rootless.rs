//! Without root: the same binary, as an ordinary user, isolates as well.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use crate::http::get;
use crate::platform::{example, free_port, read_until, terminate};
use crate::traces::Traces;

/// Nobody on this machine.
const UID: u32 = 54_321;

#[test]
fn an_ordinary_user_has_previews_too() {
    assert!(
        rustix::process::geteuid().is_root(),
        "this test becomes another user; run it as root"
    );
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    // The build's own directory may be closed to other users.
    let program = directory.path().join("cx");
    fs::copy(env!("CARGO_BIN_EXE_cx"), &program).unwrap();
    let home = directory.path().join("home");
    let app = home.join("node-http");
    fs::create_dir_all(&app).unwrap();
    for entry in fs::read_dir(example("node-http")).unwrap().flatten() {
        fs::copy(entry.path(), app.join(entry.file_name())).unwrap();
        chown(app.join(entry.file_name()), Some(UID), Some(UID)).unwrap();
    }
    for path in [&home, &app] {
        chown(path, Some(UID), Some(UID)).unwrap();
    }
    let port = free_port();
    let mut command = Command::new(&program);
    command
        .arg("up")
        .arg(&app)
        .args(["--listen", &format!("127.0.0.1:{port}")]);
    command
        .env("HOME", &home)
        .env_remove("XDG_DATA_HOME")
        .env_remove("CX_URL")
        .env_remove("CX_DATA");
    command.uid(UID).gid(UID).current_dir(&home);
    let log = fs::File::create(directory.path().join("log")).unwrap();
    let mut up = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .unwrap();
    let url = format!("http://node-http.localhost:{port}");
    let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        read_until(up.stdout.as_mut().unwrap(), &url);
    }));
    assert!(
        told.is_ok(),
        "{}",
        fs::read_to_string(directory.path().join("log")).unwrap()
    );
    assert_eq!(get(&url).status, 200);
    Traces::assert_live(&home.join(".local/share/cygni"));
    terminate(&up);
    assert!(up.wait().unwrap().success());
    Traces::assert_none(&home.join(".local/share/cygni"));
}
