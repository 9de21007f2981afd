//! Subscribers at real receivers: what they are sent is genuine by the library that others verify it with, comes in order,
//! and comes later where nobody listens.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::platform::{Platform, example, free_port};

/// Longer than an event waits after it was not taken, on a busy machine.
const TOLD_MAX: Duration = Duration::from_secs(60);

/// A receiver in a process of its own.
struct Receiver {
    directory: TempDir,
    port: u16,
    process: Option<Child>,
}

impl Receiver {
    fn start(secret: &str) -> Self {
        let mut receiver = Self {
            directory: tempfile::tempdir().unwrap(),
            port: free_port(),
            process: None,
        };
        fs::write(receiver.path("secret"), secret).unwrap();
        receiver.start_again();
        receiver
    }

    fn start_again(&mut self) {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let python = root.join("../../target/tools/standardwebhooks/bin/python3");
        assert!(
            python.exists(),
            "standardwebhooks is not there; `scripts/prepare test` installs it"
        );
        let mut command = Command::new(python);
        command
            .arg(root.join("tests/it/receiver.py"))
            .arg(self.port.to_string())
            .args([self.path("secret"), self.path("log")]);
        self.process = Some(command.spawn().unwrap());
        until(
            || TcpStream::connect(("127.0.0.1", self.port)).is_ok(),
            || "the receiver does not listen".to_owned(),
        );
    }

    fn stop(&mut self) {
        let mut process = self.process.take().unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Everything that came, in order.
    fn seen(&self) -> Vec<Value> {
        let log = fs::read_to_string(self.path("log")).unwrap_or_default();
        log.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// The kinds of what came, with the sequences.
    fn told(&self) -> Vec<(String, i64)> {
        let one = |seen: &Value| {
            let event = &seen["event"];
            (
                event["type"].as_str().unwrap().to_owned(),
                event["data"]["sequence"].as_i64().unwrap(),
            )
        };
        self.seen().iter().map(one).collect()
    }

    fn until_told(&self, kind: &str, times: usize) {
        let count = || self.told().iter().filter(|(told, _)| told == kind).count();
        until(
            || count() >= times,
            || format!("{kind} never came: {:?}", self.told()),
        );
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        if self.process.is_some() {
            self.stop();
        }
    }
}

fn until(seen: impl Fn() -> bool, what: impl Fn() -> String) {
    let begin = Instant::now();
    while !seen() {
        assert!(begin.elapsed() < TOLD_MAX, "{}", what());
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

fn subscribe(platform: &Platform, url: &str, arguments: &[&str]) -> (String, String) {
    let added = platform.ok(&[&["hook", "add", url, "--json"], arguments].concat());
    let added: Value = serde_json::from_str(&added).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&added["subscriber"]["id"]), text(&added["secret"]))
}

#[test]
fn a_receiver_is_told_what_happens_and_can_tell_that_it_is_genuine() {
    let platform = Platform::start();
    let mut receiver = Receiver::start("");
    let (id, secret) = subscribe(&platform, &receiver.url("/all"), &[]);
    fs::write(receiver.path("secret"), &secret).unwrap();
    platform.ok(&["hook", "test", &id]);
    assert_eq!(receiver.told(), [("hook.test".to_owned(), 0)]);

    let page = example("static-site");
    let url = platform.deploy(&page, "demo");
    receiver.until_told("deployment.ready", 1);
    let seen = receiver.seen();
    let ready = seen
        .iter()
        .find(|seen| seen["event"]["type"] == "deployment.ready")
        .unwrap();
    assert_eq!(ready["event"]["data"]["url"], url.as_str());
    assert_eq!(ready["event"]["data"]["namespace"], "demo");

    // Nobody listens: it comes later, in order.
    receiver.stop();
    platform.deploy(&page, "demo");
    platform.ok(&["delete", "--namespace", "demo", "--force"]);
    let shown = || -> Value { serde_json::from_str(&platform.ok(&["hook", "show", &id, "--json"])).unwrap() };
    until(|| shown()["trouble"].is_string(), || format!("{}", shown()));
    let failed = platform.cx(&["hook", "test", &id]);
    assert!(
        !failed.status.success() && failed.err.contains("did not take"),
        "{failed:?}"
    );
    receiver.start_again();
    platform.ok(&["hook", "resume", &id]);
    receiver.until_told("preview.deleted", 1);
    // What was just being sent when it stopped may have come twice, with the same id.
    let mut sequences: Vec<i64> = Vec::new();
    for (_, sequence) in receiver.told() {
        if sequence > 0 && !sequences.contains(&sequence) {
            sequences.push(sequence);
        }
    }
    let expected: Vec<i64> = (sequences[0]..sequences[0] + sequences.len() as i64).collect();
    assert_eq!(
        sequences,
        expected,
        "every event, in order: {:?}",
        receiver.told()
    );
    assert!(receiver.seen().iter().all(|seen| seen["genuine"] == true));

    // Sent again it has the id that it had.
    let event = ready["event"]["data"]["sequence"].to_string();
    platform.ok(&["hook", "replay", &id, "--event", &event]);
    let same = || {
        receiver
            .seen()
            .into_iter()
            .filter(|seen| seen["id"] == ready["id"])
    };
    until(|| same().count() > 1, || format!("{event} is not sent again"));
    assert!(same().all(|again| again["event"] == ready["event"]));
    assert!(platform.ok(&["hook", "log", &id]).contains("preview.deleted"));
    platform.ok(&["hook", "remove", &id]);
    assert_eq!(platform.ok(&["hook", "list", "--json"]), "[]");
}

#[test]
fn what_is_not_genuine_is_told_apart_and_nobody_is_led_astray() {
    let platform = Platform::start();
    let receiver = Receiver::start("");
    let (forger, _) = subscribe(&platform, &receiver.url("/forged"), &["--kinds", "preview.*"]);
    let (_, secret) = subscribe(&platform, &receiver.url("/all"), &["--kinds", "deployment.ready"]);
    fs::write(receiver.path("secret"), secret).unwrap();
    // Signed with another secret than the receiver has.
    let refused = platform.cx(&["hook", "test", &forger]);
    assert!(
        !refused.status.success() && refused.err.contains("400"),
        "{refused:?}"
    );
    assert_eq!(receiver.seen()[0]["genuine"], false);

    let (away, _) = subscribe(&platform, &receiver.url("/away"), &["--kinds", "preview.*"]);
    let redirected = platform.cx(&["hook", "test", &away]);
    assert!(
        !redirected.status.success() && redirected.err.contains("302"),
        "{redirected:?}"
    );
    // Neither of the two holds up the third.
    platform.deploy(&example("static-site"), "demo");
    receiver.until_told("deployment.ready", 1);
    assert!(receiver.seen().iter().all(|seen| seen["path"] != "/led-astray"));

    let unknown = platform.cx(&["hook", "add", "http://127.0.0.1:9/", "--kinds", "deployment.redy"]);
    assert!(unknown.err.contains("`deployment.ready`"), "{unknown:?}");
    let secret_in_it = platform.cx(&["hook", "add", "http://user:password@127.0.0.1:9/"]);
    assert!(!secret_in_it.status.success() && !secret_in_it.err.contains("user:password"));
}
