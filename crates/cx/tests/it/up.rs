//! `cx up`: everything in one process in the foreground, and nothing of it afterwards.

use std::process::{Child, Command, Stdio};

use crate::http::{get, try_get};
use crate::platform::{example, free_port, read_until, terminate};
use crate::traces::Traces;

fn up(data: &std::path::Path, port: u16, more: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cx"));
    command.arg("up").arg(example("guestbook")).args(more);
    command
        .args(["--listen", &format!("127.0.0.1:{port}"), "--data"])
        .arg(data);
    command.env_remove("CX_URL").env_remove("CX_TOKEN");
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn it_ends_what_it_made() {
    let (directory, port) = (tempfile::tempdir().unwrap(), free_port());
    let data = directory.path().join("data");
    let mut first = up(&data, port, &[]);
    let url = format!("http://guestbook.localhost:{port}");
    read_until(first.stdout.as_mut().unwrap(), &url);
    assert!(get(&url).body.contains("Guestbook"));

    // A second one finds the server, and takes only its own preview with it.
    let mut second = up(&data, port, &["--namespace", "other"]);
    let other = format!("http://other-guestbook.localhost:{port}");
    read_until(second.stdout.as_mut().unwrap(), &other);
    assert_eq!(get(&other).status, 200);
    terminate(&second);
    assert!(second.wait().unwrap().success());
    assert_eq!(get(&other).header("x-cygni-error"), "gone");
    assert_eq!(get(&url).status, 200);

    terminate(&first);
    assert!(first.wait().unwrap().success());
    assert!(try_get(&url).is_err(), "the server is gone");
    Traces::assert_none(&data);
}

#[test]
fn what_is_kept_goes_on_and_is_taken_over() {
    let (directory, port) = (tempfile::tempdir().unwrap(), free_port());
    let data = directory.path().join("data");
    let url = format!("http://guestbook.localhost:{port}");
    let mut first = up(&data, port, &["--keep"]);
    read_until(first.stdout.as_mut().unwrap(), &url);
    let pid = get(&format!("{url}/pid")).body;
    terminate(&first);
    assert!(first.wait().unwrap().success());

    let mut second = up(&data, port, &["--namespace", "other"]);
    read_until(second.stdout.as_mut().unwrap(), "other-guestbook");
    assert_eq!(
        get(&format!("{url}/pid")).body,
        pid,
        "it has been running all the time"
    );
    let deleted = Command::new(env!("CARGO_BIN_EXE_cx"))
        .args([
            "delete",
            "--namespace",
            "main",
            "--force",
            "--url",
            &format!("http://127.0.0.1:{port}"),
            "--token",
        ])
        .arg(std::fs::read_to_string(data.join("token")).unwrap())
        .status();
    assert!(deleted.unwrap().success());
    terminate(&second);
    assert!(second.wait().unwrap().success());
    Traces::assert_none(&data);
}
