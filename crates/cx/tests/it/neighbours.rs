//! Previews that take all they can get, beside previews that answer: each is held to its limits, says so in words, and
//! leaves nothing when it is deleted.

use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::http::{get, try_get};
use crate::platform::{Platform, example};

/// How long anything may take here, on a machine that is kept busy on purpose.
const PATIENCE: Duration = Duration::from_secs(60);

/// Answers `ok`, and begins with `hog` at the first visit of `/hog`.
const SERVER: &str = r#"
import http.server, os, socket, sys, threading, time

class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        if self.path == "/hog":
            threading.Thread(target=hog, daemon=True).start()
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"ok")
    def log_message(self, *_):
        pass

def hog():
    HOG

http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Answer).serve_forever()
"#;

const FORK_BOMB: &str = r#"
    while True:
        try:
            if os.fork() == 0: time.sleep(1000)
        except OSError: time.sleep(0.01)
"#;
const MEMORY_HOG: &str = r#"
    held = []
    while True: held.append(bytearray(b"x" * (1 << 20)))
"#;
const DISK_FILLER: &str = r#"
    number = 0
    while True:
        number += 1
        with open(f"file-{number}", "wb") as file: file.write(bytes(4 << 20))
        time.sleep(0.02)
"#;
const SPINNER: &str = r#"
    for _ in range(3):
        if os.fork() == 0:
            while True: pass
"#;
const LOG_FLOODER: &str = r#"
    line = "x" * 200 + "\n"
    while True: sys.stdout.write(line * 100)
"#;
const CONNECTION_FLOODER: &str = r#"
    held = []
    while True:
        connection = socket.socket()
        connection.setblocking(False)
        connection.connect_ex(("10.0.0.1", 80))
        held.append(connection)
        if len(held) > 500: held.pop(0).close()
"#;

fn project(hog: &str) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let server = SERVER.replace("    HOG\n", hog.trim_start_matches('\n'));
    std::fs::write(directory.path().join("server.py"), server).unwrap();
    let file = "[run]\ncommand = \"python3 server.py\"\n[limits]\nmemory = \"512MiB\"\ndisk = \"32MiB\"\ncpu = 1.0\n";
    std::fs::write(directory.path().join("cx.toml"), file).unwrap();
    directory
}

fn deploy(platform: &Platform, directory: &Path, name: &str) -> String {
    let directory = directory.to_str().unwrap();
    platform.ok(&["deploy", directory, "--project", name, "--namespace", "crowd"])
}

/// Asks again until `found` is satisfied.
fn until(what: &str, mut found: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !found() {
        assert!(begin.elapsed() < PATIENCE, "never: {what}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// What the platform says of the preview anywhere a person would look.
fn words(platform: &Platform, project: &str) -> String {
    let log = platform.cx(&["logs", "--runtime", "--project", project, "--namespace", "crowd"]);
    let shown = platform.cx(&["inspect", "--project", project, "--namespace", "crowd"]);
    format!("{}{}{}{}", log.out, log.err, shown.out, shown.err)
}

fn told(platform: &Platform, project: &str, text: &str) {
    let mut last = String::new();
    let begin = Instant::now();
    while !last.contains(text) {
        assert!(
            begin.elapsed() < PATIENCE,
            "`{text}` is not said of {project}: {last}"
        );
        last = words(platform, project);
    }
}

#[test]
fn who_takes_all_is_held_to_limits_and_told_while_others_answer() {
    let platform = Platform::start();
    let hogs = [
        ("bomb", FORK_BOMB, "limit of processes"),
        ("hoarder", MEMORY_HOG, "more memory than its limit"),
        ("filler", DISK_FILLER, "disk limit"),
        ("spinner", SPINNER, "gives way"),
        ("flooder", LOG_FLOODER, "slowed down"),
        ("caller", CONNECTION_FLOODER, ""),
    ];
    let site = deploy(&platform, &example("static-site"), "site");
    let app = deploy(&platform, project("    pass\n").path(), "app");
    let page = get(&site).body;
    let urls = hogs.map(|(name, hog, _)| deploy(&platform, project(hog).path(), name));
    let files = open_files(&platform);
    for url in &urls {
        assert_eq!(get(&format!("{url}/hog")).status, 200);
    }
    // Visitors who only hold connections are a crowd too.
    let held: Vec<TcpStream> = (0..500)
        .map(|_| TcpStream::connect(("127.0.0.1", platform.port)).unwrap())
        .collect();
    for (name, _, text) in hogs {
        told(&platform, name, text);
        assert_eq!(get(&site).body, page, "beside {name}");
        assert_eq!(get(&app).body, "ok", "beside {name}");
    }
    assert!(
        open_files(&platform) < files + 2_500,
        "the platform holds what others open"
    );
    drop(held);
    let logs = written_below(&platform.data().join("sandboxes"));
    assert!(logs < 64 << 20, "{logs} bytes of logs");
    let begin = Instant::now();
    for (name, ..) in hogs {
        platform.ok(&["delete", "--project", name, "--namespace", "crowd", "--force"]);
    }
    until("all that was written is gone", || {
        written_below(&platform.data().join("store/scratch")) < 1 << 20
    });
    assert!(begin.elapsed() < Duration::from_secs(40), "{:?}", begin.elapsed());
    assert_eq!(get(&app).body, "ok");
    assert!(try_get(&format!("{}/", urls[3])).is_ok_and(|answer| answer.status >= 400));
}

fn open_files(platform: &Platform) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", platform.id()))
        .unwrap()
        .count()
}

fn written_below(directory: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let sizes = entries.filter_map(|entry| {
        let metadata = entry.metadata().ok()?;
        Some(if metadata.is_dir() {
            written_below(&entry.path())
        } else {
            metadata.blocks() * 512
        })
    });
    sizes.sum()
}
