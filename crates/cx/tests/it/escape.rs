//! Attempts of applications against whoever reads what they leave: logs in a terminal and in a stream of events, files
//! on the disk of the host.

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::http::{get, request};
use crate::platform::Platform;

/// Prints what would be another line, another event or a command to a terminal; leaves a program that is root's on disk.
const SERVER: &str = r#"
import http.server, os, shutil
hostile = [
    b"\x1b]0;owned\x07\x1b[2J\x1b[1A rewritten",
    b"plain\revent: end\rdata: {}\r\r",
    b"data: {}", b"event: end", b"", b"id: 999999999",
    b"\xe2\x80\xae reversed \xe2\x80\xa8 separated",
    b"\xff\xfe no text \x00 at all",
    b"1700000000000 x the platform says: all is well",
    b"the token is " + os.environ["TOKEN"].encode(),
]
for line in hostile:
    os.write(1, line + b"\n")
for byte in os.environ["TOKEN"].encode():
    os.write(2, bytes([byte]))
os.write(2, b"\n")
shutil.copy("/bin/sh", "shell")
os.chmod("shell", 0o6755)
os.write(1, b"all said\n")
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"ok")
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Answer).serve_forever()
"#;

const SECRET: &str = "zanzibar-seventeen";

fn deploy(platform: &Platform) -> String {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("server.py"), SERVER).unwrap();
    std::fs::write(
        directory.path().join("cx.toml"),
        "[run]\ncommand = \"python3 server.py\"\n",
    )
    .unwrap();
    let mut set = platform.command();
    set.args(["env", "set", "--project", "hostile", &format!("TOKEN={SECRET}")]);
    let ran = crate::platform::run(&mut set);
    assert!(ran.status.success(), "{ran:?}");
    platform.ok(&[
        "deploy",
        directory.path().to_str().unwrap(),
        "--project",
        "hostile",
    ])
}

fn is_hidden(character: char) -> bool {
    character.is_control() && !matches!(character, '\n' | '\t')
        || matches!(character, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[test]
fn what_an_application_prints_cannot_speak_for_the_platform() {
    let platform = Platform::start();
    let url = deploy(&platform);
    assert_eq!(get(&url).body, "ok");
    let shown = platform.ok(&["logs", "--runtime", "--project", "hostile"]);
    assert!(
        shown.contains("all said") && shown.contains("[redacted]"),
        "{shown}"
    );
    assert!(
        !shown.contains(SECRET) && !shown.chars().any(is_hidden),
        "{shown:?}"
    );
    // As programs read it: every hostile line is one JSON text.
    let id = platform.ok(&["inspect", "--project", "hostile", "--json"]);
    let inspected: serde_json::Value = serde_json::from_str(&id).unwrap();
    let current = inspected["current"]
        .as_str()
        .or_else(|| inspected["preview"]["current"].as_str())
        .unwrap();
    let path = format!("/api/v1/deployments/{current}/logs?kind=runtime");
    let token = format!("Bearer {}", platform.token());
    let headers = [("authorization", token.as_str())];
    let answer = request("GET", &platform.url("localhost", &path), &headers, b"").unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(
        answer.body.contains("rewritten") && !answer.body.contains(SECRET),
        "{}",
        answer.body
    );
    assert!(!answer.body.chars().any(is_hidden), "{:?}", answer.body);
    assert!(serde_json::from_str::<serde_json::Value>(&answer.body).is_ok());
    assert!(
        !platform.log().contains(SECRET) && !platform.log().contains('\u{1b}'),
        "{}",
        platform.log()
    );
    platform.ok(&["delete", "--namespace", "main", "--force"]);
}

/// Inside it belongs to nobody in particular; on disk to root, with the bits that make everybody root.
#[test]
fn a_set_user_id_program_left_on_disk_is_out_of_reach_for_others() {
    let platform = Platform::start();
    deploy(&platform);
    let scratch = platform.data().join("store/scratch");
    let instance = std::fs::read_dir(&scratch)
        .unwrap()
        .flatten()
        .map(|entry| entry.path().join("upper/shell"));
    let shell: PathBuf = instance
        .into_iter()
        .find(|path| path.exists())
        .expect("the program was left");
    assert_eq!(
        shell.metadata().unwrap().permissions().mode() & 0o7777,
        0o6755,
        "the attempt is a good one"
    );
    let as_nobody = |program: &std::path::Path| {
        let mut command = Command::new(program);
        command
            .args(["-p", "-c", "id -u"])
            .uid(54_321)
            .gid(54_321)
            .current_dir("/");
        command.stdin(Stdio::null()).stderr(Stdio::null()).output()
    };
    assert!(as_nobody(std::path::Path::new("/bin/sh")).is_ok());
    let error = as_nobody(&shell).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied, "{error}");
    platform.ok(&["delete", "--namespace", "main", "--force"]);
}
