//! Uploads that break off, clients that go away, deployments that cross: the server keeps nothing half-made, lets go of
//! nothing that it has begun, and serves the newest.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use model::Digest;
use serde_json::{Value, json};

use crate::disk::SmallDisk;
use crate::http::{get, request};
use crate::platform::{Platform, run};

/// How long what must happen may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// What stays free on a disk that is as good as full.
const LEFT_BYTES: u64 = 256 << 10;
/// More than the server follows at a time.
const STREAMS: usize = 600;

fn until(what: &str, condition: impl Fn() -> bool) {
    let begin = Instant::now();
    while !condition() {
        assert!(begin.elapsed() < PATIENCE, "{what} never came");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

fn call(platform: &Platform, method: &str, path: &str, body: &[u8]) -> (u16, Value) {
    let token = format!("Bearer {}", platform.token());
    let headers = [
        ("authorization", token.as_str()),
        ("content-type", "application/json"),
    ];
    let answer = request(method, &platform.url("localhost", path), &headers, body).unwrap();
    (
        answer.status,
        serde_json::from_str(&answer.body).unwrap_or(Value::Null),
    )
}

/// The head of a request with the token; what follows is up to the test.
fn begin(platform: &Platform, line: &str, more: &str) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", platform.port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let token = platform.token();
    write!(
        stream,
        "{line} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n{more}\r\n"
    )
    .unwrap();
    stream
}

fn staged(platform: &Platform) -> usize {
    fs::read_dir(platform.data().join("store/staging"))
        .unwrap()
        .count()
}

#[test]
fn a_broken_upload_leaves_nothing_and_can_be_sent_again() {
    let platform = Platform::start();
    let digest = Digest::of(b"0123456789");
    let path = format!("/api/v1/projects/site/blobs/{digest}");
    // Fewer bytes than were announced, and then nobody.
    let mut stream = begin(&platform, &format!("PUT {path}"), "content-length: 10\r\n");
    stream.write_all(b"0123").unwrap();
    until("the upload begins", || staged(&platform) == 1);
    drop(stream);
    until("what came of it goes", || staged(&platform) == 0);
    let (status, problem) = call(&platform, "PUT", &path, b"9876543210");
    assert_eq!(
        (status, &problem["code"]),
        (422, &"digest_mismatch".into()),
        "{problem}"
    );
    let question = json!({ "digests": [digest] }).to_string();
    let missing = || {
        call(
            &platform,
            "POST",
            "/api/v1/projects/site/blobs/missing",
            question.as_bytes(),
        )
        .1
    };
    assert_eq!(missing()["missing"], json!([digest]));
    assert_eq!(call(&platform, "PUT", &path, b"0123456789").0, 201);
    assert_eq!(missing()["missing"], json!([]));
    // The size that a tree claims must be that of the blob.
    let entry = json!({ "path": "index.html", "kind": "file", "digest": digest, "size_bytes": 11, "executable": false });
    let body = json!({ "project": "site", "tree": [entry] }).to_string();
    let (status, problem) = call(&platform, "POST", "/api/v1/deployments", body.as_bytes());
    assert_eq!(
        (status, &problem["code"]),
        (422, &"wrong_size".into()),
        "{problem}"
    );
    assert_eq!(staged(&platform), 0);
}

#[test]
fn whoever_goes_away_while_waiting_stops_nothing() {
    let platform = Platform::start();
    let files = json!({ "cx.toml": "[run]\ncommand = \"sleep 1; exec python3 -m http.server $PORT\"\n", "index.html": "hi" });
    let body = json!({ "project": "patient", "files": files }).to_string();
    let head = format!(
        "content-type: application/json\r\ncontent-length: {}\r\n",
        body.len()
    );
    let mut stream = begin(&platform, "POST /api/v1/deployments?wait=true", &head);
    stream.write_all(body.as_bytes()).unwrap();
    let preview = || call(&platform, "GET", "/api/v1/namespaces/main/previews/patient", b"").1;
    until("the deployment is there", || preview()["newest"].is_object());
    drop(stream);
    until("it is live", || preview()["status"] == "live");
    assert_eq!(get(&platform.url("patient.localhost", "/")).body, "hi");
}

#[test]
fn streams_that_nobody_reads_any_more_make_room() {
    let platform = Platform::start();
    for _ in 0..STREAMS {
        let mut stream = begin(&platform, "GET /api/v1/events", "");
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200");
    }
}

#[test]
fn of_two_deployments_at_once_the_newer_serves_and_the_older_is_told() {
    let platform = Platform::start();
    let source = |name: &str, build: &str| {
        let directory = tempfile::tempdir().unwrap();
        let text = format!(
            "[build]\ncommand = \"{build}mkdir dist && echo {name} > dist/index.html\"\noutput = \"dist\"\n"
        );
        fs::write(directory.path().join("cx.toml"), text).unwrap();
        directory
    };
    let (older, newer) = (source("older", "sleep 30; "), source("newer", ""));
    let deploy = |directory: &Path, namespace: &str| {
        let mut command = platform.command();
        command.args([
            "deploy",
            directory.to_str().unwrap(),
            "--project",
            "race",
            "--namespace",
            namespace,
        ]);
        command
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap()
    };
    let first = deploy(older.path(), "main");
    let preview = || call(&platform, "GET", "/api/v1/namespaces/main/previews/race", b"").1;
    until("the older one builds", || {
        preview()["newest"]["state"] == "building"
    });
    let url = platform.deploy_as(newer.path(), "race");
    let told = first.wait_with_output().unwrap();
    let words = String::from_utf8(told.stderr).unwrap();
    assert_eq!(told.status.code(), Some(1), "{words}");
    assert!(
        words.contains("newer"),
        "says that a newer one took its place: {words}"
    );
    assert_eq!(get(&url).body.trim(), "newer");

    // Different previews are in nobody's way.
    let two = [deploy(newer.path(), "one"), deploy(newer.path(), "two")];
    for child in two {
        assert!(child.wait_with_output().unwrap().status.success());
    }
    for host in ["one-race.localhost", "two-race.localhost"] {
        assert_eq!(get(&platform.url(host, "/")).body.trim(), "newer");
    }
}

#[test]
fn what_is_deleted_while_it_deploys_is_gone_and_its_deployer_is_told() {
    let platform = Platform::start();
    let directory = tempfile::tempdir().unwrap();
    fs::write(
        directory.path().join("cx.toml"),
        "[build]\ncommand = \"sleep 30\"\noutput = \"dist\"\n",
    )
    .unwrap();
    let mut command = platform.command();
    command.args([
        "deploy",
        directory.path().to_str().unwrap(),
        "--project",
        "doomed",
    ]);
    let child = command
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let preview = || call(&platform, "GET", "/api/v1/namespaces/main/previews/doomed", b"").1;
    until("it builds", || preview()["newest"]["state"] == "building");
    let (status, _) = call(&platform, "DELETE", "/api/v1/projects/doomed", b"");
    assert_eq!(status, 200);
    let told = child.wait_with_output().unwrap();
    let words = String::from_utf8(told.stderr).unwrap();
    assert!(matches!(told.status.code(), Some(1 | 4)), "{words}");
    assert!(words.contains("deleted"), "{words}");
    assert_eq!(call(&platform, "GET", "/api/v1/projects/doomed", b"").0, 404);
    assert_eq!(
        get(&platform.url("doomed.localhost", "/")).header("x-cygni-error"),
        "gone"
    );
}

#[test]
fn a_full_disk_is_said_and_is_over_when_there_is_room() {
    let disk = SmallDisk::new(48 << 20);
    // Smaller than any file: the disk becomes as full as it can.
    let platform = disk.platform("1B");
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("index.html"), "small").unwrap();
    let path = directory.path().to_str().unwrap();
    let url = platform.deploy_as(directory.path(), "full");
    // Somebody else takes everything but what the rows of a refused deployment need.
    let ballast = platform.data().join("ballast");
    let mut file = fs::File::create(&ballast).unwrap();
    while file.write_all(&[1; 4_096]).is_ok() {}
    let size = file.metadata().unwrap().len();
    file.set_len(size - LEFT_BYTES).unwrap();
    let more = "x".repeat(1 << 20);
    fs::write(directory.path().join("more.txt"), &more).unwrap();
    let ran = run(platform.command().args(["deploy", path, "--project", "full"]));
    assert_eq!(ran.status.code(), Some(5), "{ran:?}");
    assert!(ran.err.contains("the server's disk is full"), "{}", ran.err);
    assert_eq!(get(&url).body, "small", "what serves goes on");
    assert_eq!(staged(&platform), 0);
    // Its space is given back when nobody has it open any more.
    drop(file);
    fs::remove_file(&ballast).unwrap();
    let url = platform.deploy_as(directory.path(), "full");
    assert_eq!(get(&format!("{url}/more.txt")).body, more);
}
