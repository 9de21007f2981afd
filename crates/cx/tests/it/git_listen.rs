//! `cx git listen`: deliveries over real HTTP to the real binary, and what is kept of them when it is killed.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use forge::Credentials;
use forge::fake::github::{Delivery, FakeGitHub, NewPull};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::git_server::GitServer;
use crate::http::{Answer, request};
use crate::platform::{free_port, run, terminate};

const CX: &str = env!("CARGO_BIN_EXE_cx");
const SECRET: &str = "the secret of this test";
/// Served without a token by the git server.
const REPOSITORY: &str = "open/shop";
/// How long anything may take on a machine that has much to do.
const PATIENCE: Duration = Duration::from_secs(60);
/// Deliveries of a burst, and how many connections bring them.
const BURST: usize = 1_000;
const CONNECTIONS: usize = 8;

/// `cx git listen` over a data directory, for the forge `github`.
struct Listening {
    directory: TempDir,
    port: u16,
    environment: Vec<(&'static str, String)>,
    child: Option<Child>,
}

impl Listening {
    fn new(forge: &Forge) -> Self {
        let github = &forge.github;
        let token = match github.person("open").credentials {
            Credentials::Token { token } => token,
            _ => panic!("people have tokens"),
        };
        Self {
            directory: directory(),
            port: free_port(),
            environment: vec![
                ("GITHUB_TOKEN", token),
                ("GITHUB_SERVER_URL", forge.git.url().to_owned()),
                ("GITHUB_API_URL", github.url().to_owned()),
                ("CX_WEBHOOK_SECRET", SECRET.to_owned()),
            ],
            child: None,
        }
    }

    /// Starts it and waits until it answers; what it prints on standard output.
    fn start(&mut self, more: &[&str]) -> Receiver<String> {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.directory.path().join("log"));
        let port = self.port.to_string();
        let mut child = Command::new(CX)
            .args(["git", "listen", "--port", &port, "--data"])
            .arg(self.directory.path().join("data"))
            .args(more)
            .envs(self.environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log.unwrap())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (lines, printed) = channel();
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                // Nobody may listen any more.
                let _ = lines.send(line);
            }
        });
        self.child = Some(child);
        let health = self.url("/api/v1/health");
        self.wait("it does not answer", || request("GET", &health, &[], b"").is_ok());
        printed
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    fn wait(&self, what: &str, mut done: impl FnMut() -> bool) {
        let begin = Instant::now();
        while !done() {
            assert!(begin.elapsed() < PATIENCE, "{what}: {}", self.log());
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    fn stop(&mut self) {
        let mut child = self.child.take().unwrap();
        terminate(&child);
        child.wait().unwrap();
    }

    /// `cx` as its user, which must succeed; what it printed as JSON.
    fn cx(&self, arguments: &[&str]) -> Value {
        let token = std::fs::read_to_string(self.directory.path().join("data/token")).unwrap();
        let mut command = Command::new(CX);
        command
            .args(arguments)
            .arg("--json")
            .env("CX_URL", self.url(""))
            .env("CX_TOKEN", token.trim());
        let ran = run(command.stdin(Stdio::null()));
        assert!(ran.status.success(), "cx {arguments:?}: {ran:#?}\n{}", self.log());
        serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {}", ran.out))
    }

    fn deliver(&self, delivery: &Delivery, secret: &str) -> Answer {
        let headers = delivery.headers(secret);
        let headers: Vec<_> = headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        request("POST", &self.url("/webhook"), &headers, &delivery.body).unwrap()
    }

    fn deliveries(&self) -> Vec<Value> {
        self.cx(&["git", "deliveries"]).as_array().unwrap().clone()
    }
}

/// With settings by which the machine's disk is no part of the story.
fn directory() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("data")).unwrap();
    std::fs::write(
        directory.path().join("data/server.toml"),
        "[disk]\nfloor = \"1MiB\"\n",
    )
    .unwrap();
    directory
}

impl Drop for Listening {
    fn drop(&mut self) {
        if self.child.is_some() {
            self.stop();
        }
    }
}

/// A GitHub on threads of its own, with one repository and an open pull request.
struct Forge {
    /// Serves both.
    _runtime: Runtime,
    github: FakeGitHub,
    git: GitServer,
    number: u64,
}

impl Forge {
    fn new() -> Self {
        let runtime = Runtime::new().unwrap();
        let git = runtime.block_on(GitServer::start());
        let github = runtime.block_on(FakeGitHub::start());
        let mut forge = Self {
            _runtime: runtime,
            github,
            git,
            number: 0,
        };
        forge.add(REPOSITORY);
        forge.number = forge.github.open_pull(REPOSITORY, NewPull::from("blue"));
        forge
    }

    /// A repository with the branches `main` and `blue`, nothing of which is told.
    fn add(&self, name: &str) {
        let repository = self.git.repository(name);
        repository
            .write("index.html", "<h1>Main</h1>")
            .push("refs/heads/main");
        repository
            .write("index.html", "<h1>Blue</h1>")
            .push("refs/heads/blue");
        let bare = repository.git(&["remote", "get-url", "origin"]);
        self.github.create_git_repository(name, Path::new(&bare));
        self.github.take_deliveries();
    }

    /// A pull request of somebody else's copy.
    fn open_from_elsewhere(&self) {
        let repository = self.git.repository(REPOSITORY);
        let head = repository
            .write("index.html", "<h1>Mine</h1>")
            .push("refs/heads/elsewhere");
        let new = NewPull::from_fork("mallory", "mine", head.parse().unwrap());
        self.github.open_pull(REPOSITORY, new);
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}

#[test]
fn what_is_not_from_the_forge_is_refused_and_not_kept() {
    let forge = Forge::new();
    let github = &forge.github;
    let mut listening = Listening::new(&forge);
    listening.start(&[]);
    let delivery = github.take_deliveries().pop().unwrap();
    let wrong = listening.deliver(&delivery, "another secret");
    assert_eq!(wrong.status, 401, "{wrong:?}");
    assert!(wrong.body.contains("wrong_signature"), "{}", wrong.body);
    let unsigned = request(
        "POST",
        &listening.url("/webhook"),
        &[("x-github-event", "push")],
        b"{}",
    )
    .unwrap();
    assert_eq!(unsigned.status, 401, "{unsigned:?}");
    let unknown = request("POST", &listening.url("/api/v1/webhooks/elsewhere"), &[], b"{}").unwrap();
    assert_eq!(unknown.status, 404, "{unknown:?}");
    let foreign = format!("http://evil.example:{}/webhook", listening.port);
    let headers = delivery.headers(SECRET);
    let headers: Vec<_> = headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let foreign = request("POST", &foreign, &headers, &delivery.body).unwrap();
    assert!((400..500).contains(&foreign.status), "{foreign:?}");
    assert!(listening.deliveries().is_empty());
    assert_eq!(listening.deliver(&delivery, SECRET).status, 202);
    let again = listening.deliver(&delivery, SECRET);
    assert!(
        again.status == 202 && again.body.contains("\"again\":true"),
        "{again:?}"
    );
    assert_eq!(listening.deliveries().len(), 1);
}

#[test]
fn more_than_25_mib_are_refused_before_they_are_read() {
    let forge = Forge::new();
    let github = &forge.github;
    let mut listening = Listening::new(&forge);
    listening.start(&[]);
    let body = vec![b' '; (25 << 20) + 1];
    let answer = request("POST", &listening.url("/webhook"), &[], &body);
    let answer = answer.expect("an answer, although not all was read");
    assert_eq!(answer.status, 413, "{answer:?}");
    assert!(
        answer.body.contains("delivery_too_large") && answer.body.contains("25 MiB"),
        "{}",
        answer.body
    );
    let mut delivery = github.take_deliveries().pop().unwrap();
    delivery.body.resize(25 << 20, b' ');
    assert_eq!(listening.deliver(&delivery, SECRET).status, 202);
}

#[test]
fn a_dry_run_says_what_would_be_done_and_does_nothing() {
    let forge = Forge::new();
    let github = &forge.github;
    let number = forge.number;
    let head = github.pull(REPOSITORY, number).head;
    let mut listening = Listening::new(&forge);
    listening.start(&[]);
    listening.cx(&["project", "create", "shop", "--repo", REPOSITORY, "--no-webhook"]);
    listening.stop();
    let data = listening.directory.path().join("data");
    let before = std::fs::read(data.join("state.db")).unwrap();
    let opened = github.take_deliveries().pop().unwrap();
    github.forget_calls();
    let printed = listening.start(&["--dry-run", "--json"]);
    let next = |what: &str| loop {
        let line = printed
            .recv_timeout(PATIENCE)
            .unwrap_or_else(|_| panic!("{what} was not printed"));
        let value: Value = serde_json::from_str(&line).unwrap();
        if value["steps"].is_array() {
            break value["steps"][0].clone();
        }
    };
    assert_eq!(listening.deliver(&opened, "another secret").status, 401);
    assert_eq!(listening.deliver(&opened, SECRET).status, 200);
    let step = next("what the opened pull request leads to");
    assert_eq!(
        (text(&step["action"]), text(&step["project"])),
        ("deploy", "shop"),
        "{step}"
    );
    assert_eq!(
        (text(&step["commit"]), text(&step["trust"])),
        (head.as_str(), "member"),
        "{step}"
    );
    assert_eq!(text(&step["about"]), format!("{REPOSITORY} pull/{number}"));
    // A stranger's is told apart, and so is what no project belongs to.
    forge.open_from_elsewhere();
    listening.deliver(&github.take_deliveries().pop().unwrap(), SECRET);
    assert_eq!(
        text(&next("what the stranger's leads to")["action"]),
        "await_approval"
    );
    forge.add("open/other");
    github.open_pull("open/other", NewPull::from("blue"));
    listening.deliver(&github.take_deliveries().pop().unwrap(), SECRET);
    let step = next("what somebody else's leads to");
    assert_eq!(text(&step["action"]), "ignore");
    assert!(
        text(&step["reason"]).contains("cx project create --repo open/other"),
        "{step}"
    );
    let calls = github.calls();
    assert!(
        !calls.is_empty() && calls.iter().all(|call| call.method == "get"),
        "{calls:?}"
    );
    listening.stop();
    assert!(
        std::fs::read(data.join("state.db")).unwrap() == before,
        "rows were written"
    );
}

#[test]
fn a_burst_is_kept_whole_through_kills() {
    let forge = Forge::new();
    let github = &forge.github;
    let number = forge.number;
    let mut listening = Listening::new(&forge);
    listening.start(&[]);
    listening.cx(&["project", "create", "shop", "--repo", REPOSITORY, "--no-webhook"]);
    // Titles change, and each change is told; the commit is one and the same.
    for index in 0..BURST {
        github.rename_pull(REPOSITORY, number, &format!("Title {index}"));
    }
    let burst: Vec<Delivery> = github.take_deliveries();
    assert!(burst.len() >= BURST);
    let acknowledged = std::sync::Mutex::new(Vec::new());
    let killed = std::sync::atomic::AtomicBool::new(false);
    let send = |part: &[Delivery]| {
        for delivery in part {
            let headers = delivery.headers(SECRET);
            let headers: Vec<_> = headers
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect();
            let url = format!("http://127.0.0.1:{}/webhook", listening.port);
            match request("POST", &url, &headers, &delivery.body) {
                Ok(answer) if answer.status == 202 => {
                    acknowledged.lock().unwrap().push(delivery.guid.clone())
                }
                Ok(answer) => panic!("{answer:?}"),
                Err(_) => assert!(
                    killed.load(std::sync::atomic::Ordering::SeqCst),
                    "it was not killed yet"
                ),
            }
        }
    };
    let child = listening.child.as_ref().unwrap().id();
    std::thread::scope(|scope| {
        for part in burst.chunks(burst.len().div_ceil(CONNECTIONS)) {
            scope.spawn(move || send(part));
        }
        let begin = Instant::now();
        while acknowledged.lock().unwrap().len() < BURST / 3 {
            assert!(begin.elapsed() < PATIENCE, "the burst does not move");
            std::thread::park_timeout(Duration::from_millis(1));
        }
        killed.store(true, std::sync::atomic::Ordering::SeqCst);
        let pid = rustix::process::Pid::from_raw(child as i32).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    });
    let acknowledged = acknowledged.into_inner().unwrap();
    assert!(acknowledged.len() < burst.len(), "it was killed in the middle");
    listening.kill();
    listening.start(&[]);
    // What was not acknowledged is sent again, as a forge that is asked for it does; the rest twice on top of that.
    for delivery in &burst {
        if !acknowledged.contains(&delivery.guid) {
            assert_eq!(listening.deliver(delivery, SECRET).status, 202);
        }
    }
    for delivery in burst
        .iter()
        .filter(|delivery| acknowledged.contains(&delivery.guid))
    {
        let again = listening.deliver(delivery, SECRET);
        assert!(
            again.body.contains("\"again\":true"),
            "{} was acknowledged and lost",
            delivery.guid
        );
    }
    listening.wait("deliveries are left undone", || {
        listening
            .deliveries()
            .iter()
            .all(|delivery| !delivery["done_at_ms"].is_null())
    });
    listening.wait("the newest title is not seen", || {
        let pulls = listening.cx(&["git", "pulls"]);
        let heads = pulls.as_array().unwrap();
        heads
            .iter()
            .any(|head| head["title"] == format!("Title {}", BURST - 1) && head["pending"] == false)
    });
    // One commit: one deployment, however often and with however many deaths in between it was told.
    let previews = listening.cx(&["list"]);
    assert_eq!(previews.as_array().unwrap().len(), 1, "{previews}");
    let preview = &previews[0];
    assert_eq!(text(&preview["namespace"]), format!("preview-{number}"));
    let inspected = listening.cx(&[
        "inspect",
        "--project",
        "shop",
        "--namespace",
        text(&preview["namespace"]),
    ]);
    assert_eq!(
        inspected["deployments"].as_array().unwrap().len(),
        1,
        "{inspected}"
    );
    let url = format!("http://preview-{number}-shop.localhost:{}/", listening.port);
    let live = || request("GET", &url, &[], b"").is_ok_and(|answer| answer.body.contains("Blue"));
    listening.wait("the pull request is not live", live);
    listening.cx(&["project", "delete", "shop", "--force"]);
}
