//! What people get wrong, and what happens to what they send meanwhile: each is said in words that help, with the exit
//! code that is documented, and nothing of it stays.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::process::CommandExt as _;
use std::path::Path;

use tempfile::TempDir;

use crate::http::get;
use crate::platform::{Platform, Ran, free_port, run};

/// More than is taken of one file; nothing is written of it.
const LARGE_BYTES: u64 = 3 << 30;
/// Nobody on this machine.
const UID: u32 = 54_322;

fn directory(files: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(directory.path().join(name), text).unwrap();
    }
    directory
}

fn deploy(platform: &Platform, directory: &Path) -> Ran {
    platform.cx(&["deploy", directory.to_str().unwrap(), "--project", "input"])
}

/// Refused with all of `words` in what is said, and a hint.
fn refused(ran: &Ran, words: &[&str]) {
    assert_eq!(ran.status.code(), Some(1), "{ran:?}");
    assert_eq!(ran.out, "", "no address where nothing serves");
    for word in words {
        assert!(ran.err.contains(word), "`{word}` in: {}", ran.err);
    }
    assert!(ran.err.contains("hint: "), "{}", ran.err);
    assert!(
        !ran.err.contains('\u{1b}'),
        "nothing drives the terminal: {:?}",
        ran.err
    );
}

#[test]
fn a_project_that_cannot_be_understood_is_told_where() {
    let platform = Platform::start();
    let manifest = |rest: &str| format!("{{\"name\": \"x\", {rest}}}");
    type Files<'a> = &'a [(&'a str, &'a str)];
    let table: &[(Files<'_>, &[&str])] = &[
        (&[], &["holds no files to deploy"]),
        (
            &[(".cxignore", "*\n"), ("a", "x")],
            &["holds no files", ".cxignore"],
        ),
        (
            &[("notes.txt", "hi")],
            &["nothing in the source says how to serve it"],
        ),
        (&[("cx.toml", "[build]\ncommand = \"x\n")], &["cx.toml:2:13: "]),
        (
            &[("cx.toml", "[build]\noutptu = \"x\"\n")],
            &["cx.toml:2:1: ", "did you mean `output`?"],
        ),
        (
            &[("cx.toml", "[limits]\ncpu = \"many\"\n")],
            &["cx.toml:2:7: ", "such as 0.5"],
        ),
        (
            &[("cx.toml", "[run]\nport = 70000\n")],
            &["cx.toml:2:8: ", "0 to 65535"],
        ),
        (
            &[("cx.toml", "[limits]\ncpu = 1000\n")],
            &["cx.toml:2:1: ", "between 0.05 and 64"],
        ),
        (
            &[("cx.toml", "[run]\nport = 1\nport = 2\n")],
            &["cx.toml:3:1: `port` is given twice"],
        ),
        (
            &[("cx.toml", "root = \"web\"\n"), ("index.html", "")],
            &["`web`", "not a directory of the source"],
        ),
        (
            &[("package.json", "{\n\"name\": \"x\",}")],
            &["package.json:2:13: "],
        ),
        (
            &[("package.json", "{\"dependencies\": {\"express\": \"4\"}}")],
            &["neither a start nor a build script"],
        ),
        (
            &[(
                "package.json",
                &manifest("\"scripts\": {\"start\": \"node x.js\"}, \"engines\": {\"node\": \"soon\"}"),
            )],
            &["`soon`"],
        ),
    ];
    for (files, words) in table {
        refused(&deploy(&platform, directory(files).path()), words);
    }
    let none = platform.cx(&["deploy", "/nowhere/at/all"]);
    refused(&none, &["there is no directory /nowhere/at/all"]);
}

#[test]
fn names_and_links_that_cannot_travel_are_named() {
    let platform = Platform::start();
    let page = || directory(&[("index.html", "hi")]);
    for (target, words) in [("/etc/passwd", "`/etc/passwd`"), ("../../x", "`../../x`")] {
        let directory = page();
        symlink(target, directory.path().join("out")).unwrap();
        refused(
            &deploy(&platform, directory.path()),
            &["`out`", words, "outside the tree"],
        );
    }
    let bytes = page();
    fs::write(bytes.path().join(OsStr::from_bytes(b"a\xffb")), "").unwrap();
    refused(&deploy(&platform, bytes.path()), &["is not UTF-8"]);
    let control = page();
    fs::write(control.path().join("a\u{1b}[2Jb\nc"), "").unwrap();
    refused(
        &deploy(&platform, control.path()),
        &["\"a\\u{1b}[2Jb\\nc\"", "control character"],
    );
    let deep = page();
    let far = (0..20).fold(deep.path().to_owned(), |path, _| path.join("d".repeat(60)));
    fs::create_dir_all(&far).unwrap();
    fs::write(far.join("file"), "").unwrap();
    refused(&deploy(&platform, deep.path()), &["longer than the 1024 bytes"]);
    let large = page();
    fs::File::create(large.path().join("film.mp4"))
        .unwrap()
        .set_len(LARGE_BYTES)
        .unwrap();
    refused(
        &deploy(&platform, large.path()),
        &["film.mp4 is 3.2 GB", "2.1 GB", "/film.mp4"],
    );
}

#[test]
fn what_is_no_file_is_left_out_and_never_waited_for() {
    let platform = Platform::start();
    let odd = directory(&[("index.html", "odd")]);
    let at = |name: &str| odd.path().join(name);
    let fifo = |path: &Path| rustix::fs::mkfifoat(rustix::fs::CWD, path, rustix::fs::Mode::RWXU).unwrap();
    fifo(&at("pipe"));
    fifo(&at(".gitignore"));
    let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
    let ran = deploy(&platform, odd.path());
    assert!(ran.status.success(), "{ran:?}");
    for words in ["left out pipe: a pipe", "left out socket: a socket"] {
        assert!(ran.err.contains(words), "{}", ran.err);
    }
    fifo(&at("cx.toml"));
    refused(
        &platform.cx(&["deploy", odd.path().to_str().unwrap()]),
        &["cx.toml", "no file"],
    );
}

#[test]
fn names_that_differ_in_their_case_alone_are_two_files() {
    let platform = Platform::start();
    let files = [
        ("index.html", "page"),
        ("Read.txt", "large"),
        ("read.txt", "small"),
    ];
    let url = deploy(&platform, directory(&files).path());
    let url = url.out.trim();
    assert_eq!(get(&format!("{url}/Read.txt")).body, "large");
    assert_eq!(get(&format!("{url}/read.txt")).body, "small");
    assert_eq!(get(&format!("{url}/READ.txt")).status, 404);
}

#[test]
fn a_file_that_may_not_be_read_is_named() {
    let platform = Platform::start();
    let closed = directory(&[("index.html", "hi"), ("closed", "x")]);
    fs::set_permissions(closed.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(closed.path().join("closed"), fs::Permissions::from_mode(0o600)).unwrap();
    // The build's own directory may be closed to other users.
    let program = closed
        .path()
        .parent()
        .unwrap()
        .join(format!("cx-input-{}", std::process::id()));
    fs::copy(env!("CARGO_BIN_EXE_cx"), &program).unwrap();
    let mut command = std::process::Command::new(&program);
    command
        .args(["deploy", closed.path().to_str().unwrap()])
        .uid(UID)
        .gid(UID);
    command
        .env("CX_URL", format!("http://127.0.0.1:{}", platform.port))
        .env("CX_TOKEN", platform.token());
    let ran = run(command.env("HOME", "/nonexistent").current_dir("/"));
    fs::remove_file(&program).unwrap();
    refused(&ran, &["cannot read", "closed", "Permission denied"]);
}

#[test]
fn servers_and_names_that_are_not_there_have_exit_codes_of_their_own() {
    let platform = Platform::start();
    let page = directory(&[("index.html", "hi")]);
    assert!(deploy(&platform, page.path()).status.success());
    let free = format!("http://127.0.0.1:{}", free_port());
    let tls = format!("https://127.0.0.1:{}", platform.port);
    // Somebody else's server: a preview, asked as if it were ours.
    let foreign = format!("http://127.0.0.1:{}/", foreign_server());
    let table: &[(&[&str], i32, &str)] = &[
        (
            &["list", "--token", "wrong"],
            5,
            "the token is not that of this server",
        ),
        (&["list", "--url", &free], 3, "no Cygni server answers"),
        (&["list", "--url", &tls], 3, "does not answer in HTTPS"),
        (&["list", "--url", &foreign], 3, "not as a Cygni server"),
        (&["list", "--url", "ftp://x"], 2, "is not a server's address"),
        (&["inspect", "--project", "inptu"], 4, "did you mean `input`?"),
        (
            &["inspect", "--project", "input", "--namespace", "mian"],
            4,
            "did you mean `main`?",
        ),
        (
            &["delete", "--namespace", "mian", "--force"],
            4,
            "did you mean `main`?",
        ),
        (&["logs", "dpl_none"], 4, "there is no deployment `dpl_none`"),
        (
            &["deploy", "--project", "No Good"],
            2,
            "`No Good` cannot be the name of a project",
        ),
    ];
    for (arguments, code, words) in table {
        let ran = platform.cx(arguments);
        assert_eq!(ran.status.code(), Some(*code), "{arguments:?}: {ran:?}");
        assert!(ran.err.contains(words), "{arguments:?}: {}", ran.err);
    }
    let mut command = platform.command();
    let ran = run(command
        .env_remove("CX_TOKEN")
        .env("CX_DATA", "/nonexistent")
        .arg("list"));
    assert_eq!(ran.status.code(), Some(5), "{ran:?}");
    assert!(ran.err.contains("carries no token"), "{}", ran.err);
}

/// A server that is not Cygni, for one request.
fn foreign_server() -> u16 {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 4_096]);
        let page = "<h1>It works!</h1>";
        write!(
            stream,
            "HTTP/1.1 404 Not Found\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{page}",
            page.len()
        )
        .unwrap();
    });
    port
}
