//! The server is told to end: what it has begun it finishes, what runs goes on, and the next start continues.

use std::io::Read as _;
use std::net::TcpStream;
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::http::{Open, get, open};
use crate::platform::{Platform, terminate};

/// No end may take longer, whatever is under way.
const END_MAX: Duration = Duration::from_secs(30);
/// What a second signal may take: much less than what is under way is given.
const AT_ONCE: Duration = Duration::from_secs(5);

/// Answers `/slow` after `millis`, and says how many wait for that.
fn slow_server(millis: u32) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let server = format!(
        "let waiting = 0;\n\
         require('http').createServer((request, answer) => {{\n\
           if (request.url === '/waiting') return answer.end(String(waiting));\n\
           if (request.url !== '/slow') return answer.end(String(process.pid));\n\
           waiting += 1;\n\
           setTimeout(() => answer.end('the whole answer'), {millis});\n\
         }}).listen(process.env.PORT);\n"
    );
    std::fs::write(directory.path().join("server.js"), server).unwrap();
    let package = r#"{"name":"slow","scripts":{"start":"node server.js"}}"#;
    std::fs::write(directory.path().join("package.json"), package).unwrap();
    directory
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < END_MAX, "never: {what}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// The head of the answer comes only when the server answers, so this asks from a thread of its own.
fn ask_slowly(url: &str) -> std::thread::JoinHandle<std::io::Result<Open>> {
    let address = format!("{url}/slow");
    let asking = std::thread::spawn(move || open("GET", &address, &[], b""));
    until("the application has the request", || {
        get(&format!("{url}/waiting")).body == "1"
    });
    asking
}

fn refuses(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_err()
}

fn end(mut server: Child, at_most: Duration) -> Option<i32> {
    let begin = Instant::now();
    until("the server ends", || server.try_wait().unwrap().is_some());
    assert!(begin.elapsed() < at_most, "it took {:?}", begin.elapsed());
    server.wait().unwrap().code()
}

#[test]
fn what_has_begun_is_finished_and_what_runs_goes_on() {
    let mut platform = Platform::start();
    let source = slow_server(1_500);
    let url = platform.ok(&["deploy", source.path().to_str().unwrap(), "--project", "slow"]);
    let pid = get(&url).body;
    let token = format!("Bearer {}", platform.token());
    let events = platform.url("localhost", "/api/v1/events");
    let mut events = open("GET", &events, &[("authorization", &token)], b"").unwrap();
    let asking = ask_slowly(&url);

    let server = platform.take_server();
    terminate(&server);
    until("no new connection is taken", || refuses(platform.port));
    let mut answer = asking.join().unwrap().unwrap();
    let mut body = String::new();
    answer.stream.read_to_string(&mut body).unwrap();
    assert!(
        answer.status == 200 && body.contains("the whole answer"),
        "{} {body}",
        answer.status
    );
    let mut stream = String::new();
    events.stream.read_to_string(&mut stream).unwrap();
    assert!(
        stream.ends_with("0\r\n\r\n"),
        "the stream was ended, not cut: {stream:?}"
    );
    assert_eq!(end(server, END_MAX), Some(0), "{}", platform.log());

    assert!(
        Path::new("/proc").join(process_of(&platform)).exists(),
        "the application runs"
    );
    platform.start_again();
    assert_eq!(get(&url).body, pid, "the same process answers");
}

/// The process that runs the first sandbox, as its record says.
fn process_of(platform: &Platform) -> String {
    let sandboxes = std::fs::read_dir(platform.data().join("sandboxes")).unwrap();
    let state = sandboxes
        .flatten()
        .find_map(|entry| std::fs::read_to_string(entry.path().join("state.json")).ok())
        .unwrap();
    let state: serde_json::Value = serde_json::from_str(&state).unwrap();
    state["pid"].to_string()
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let mut platform = Platform::start();
    let source = slow_server(120_000);
    let url = platform.ok(&["deploy", source.path().to_str().unwrap(), "--project", "slow"]);
    let asking = ask_slowly(&url);
    let server = platform.take_server();
    terminate(&server);
    until("no new connection is taken", || refuses(platform.port));
    terminate(&server);
    assert_eq!(end(server, AT_ONCE), Some(130), "{}", platform.log());
    assert!(asking.join().unwrap().is_err(), "the request was cut");
    platform.start_again();
    assert_eq!(get(&url).status, 200);
}

#[test]
fn a_deployment_under_way_continues_after_the_next_start() {
    let mut platform = Platform::start();
    let deploying = platform.begin_slow_deployment();
    let server = platform.take_server();
    terminate(&server);
    assert_eq!(end(server, END_MAX), Some(0), "{}", platform.log());
    platform.start_again();
    let output = deploying.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{}", platform.log());
    let url = String::from_utf8(output.stdout).unwrap();
    assert!(get(url.trim()).body.contains("A single page"));
}
