//! A server in a process of its own, and `cx` against it.

use std::fs::File;
use std::io::Read;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::http::try_get;
use crate::traces::Traces;

const CX: &str = env!("CARGO_BIN_EXE_cx");
/// How long a server may take to answer.
const START_MAX: Duration = Duration::from_secs(30);

/// A running server; it and all it made end with this value.
pub(crate) struct Platform {
    directory: TempDir,
    pub(crate) port: u16,
    server: Option<Child>,
}

/// What a command printed and how it ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) status: ExitStatus,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// The directory `examples/<name>`.
pub(crate) fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../examples")
        .join(name)
        .canonicalize()
        .unwrap()
}

/// A copy of `examples/<name>` that a test may change.
pub(crate) fn copy_of(name: &str) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    copy_into(&example(name), copy.path());
    copy
}

fn copy_into(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            std::fs::create_dir(&target).unwrap();
            copy_into(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), &target).unwrap();
        }
    }
}

/// A port that nobody listens at now. Below the range from which the system takes ports for connections: a server must
/// find it free again after it was killed.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + (std::process::id() % 100) as u16 * 100;
    loop {
        let port = first + NEXT.fetch_add(1, Ordering::Relaxed) % 2_000;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}

impl Platform {
    pub(crate) fn start() -> Self {
        Self::over(tempfile::tempdir().unwrap())
    }

    /// A server over the data in `directory/data`.
    pub(crate) fn over(directory: TempDir) -> Self {
        let mut platform = Self {
            directory,
            port: free_port(),
            server: None,
        };
        platform.start_again();
        platform
    }

    /// Starts the server over the same data, and waits until it answers.
    pub(crate) fn start_again(&mut self) {
        self.begin();
        self.until_it_answers();
    }

    /// Starts the server over the same data, and waits for nothing.
    pub(crate) fn begin(&mut self) {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.directory.path().join("server.log"))
            .unwrap();
        let mut command = Command::new(CX);
        command
            .args(["serve", "--listen", &format!("127.0.0.1:{}", self.port), "--data"])
            .arg(self.data());
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        self.server = Some(command.spawn().unwrap());
    }

    fn until_it_answers(&mut self) {
        let begin = Instant::now();
        while try_get(&self.url("localhost", "/api/v1/health")).is_err() {
            assert!(
                begin.elapsed() < START_MAX,
                "the server does not answer: {}",
                self.log()
            );
            assert!(
                self.server.as_mut().unwrap().try_wait().unwrap().is_none(),
                "the server ended: {}",
                self.log()
            );
            std::thread::park_timeout(Duration::from_millis(2));
        }
    }

    /// Of the server's process.
    pub(crate) fn id(&self) -> u32 {
        self.server.as_ref().unwrap().id()
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("server.log")).unwrap_or_default()
    }

    pub(crate) fn url(&self, host: &str, path: &str) -> String {
        format!("http://{host}:{}{path}", self.port)
    }

    pub(crate) fn token(&self) -> String {
        std::fs::read_to_string(self.data().join("token")).unwrap()
    }

    /// The process of the server.
    pub(crate) fn pid(&self) -> u32 {
        self.server.as_ref().unwrap().id()
    }

    /// `SIGKILL`: the platform has no time to do anything.
    pub(crate) fn kill(&mut self) {
        let mut server = self.server.take().unwrap();
        server.kill().unwrap();
        server.wait().unwrap();
    }

    /// The server itself, to be ended by the test.
    pub(crate) fn take_server(&mut self) -> Child {
        self.server.take().unwrap()
    }

    /// `cx` with `arguments`, as a user of this server.
    pub(crate) fn cx(&self, arguments: &[&str]) -> Ran {
        run(self.command().args(arguments))
    }

    /// `cx` that must succeed; gives its standard output.
    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        let ran = self.cx(arguments);
        assert!(ran.status.success(), "cx {arguments:?}: {ran:#?}\n{}", self.log());
        ran.out.trim().to_owned()
    }

    /// Deploys a directory that must become live; gives its URL.
    pub(crate) fn deploy(&self, directory: &Path, namespace: &str) -> String {
        self.ok(&["deploy", directory.to_str().unwrap(), "--namespace", namespace])
    }

    /// Deploys a directory as the project `project`, which must become live; gives its URL.
    pub(crate) fn deploy_as(&self, directory: &Path, project: &str) -> String {
        self.ok(&["deploy", directory.to_str().unwrap(), "--project", project])
    }

    /// Begins to deploy the example `vite-spa` as the project `spa`; gives the command when it installs dependencies.
    pub(crate) fn begin_slow_deployment(&self) -> Child {
        let mut command = self.command();
        command
            .arg("deploy")
            .arg(example("vite-spa"))
            .args(["--project", "spa"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut deploying = command.spawn().unwrap();
        read_until(deploying.stderr.as_mut().unwrap(), "npm ci");
        deploying
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(CX);
        command
            .env("CX_URL", format!("http://127.0.0.1:{}", self.port))
            .env("CX_TOKEN", self.token());
        command
            .env("XDG_CACHE_HOME", self.directory.path().join("cache"))
            .stdin(Stdio::null());
        command
    }

    /// Deletes everything and compares: nothing may be left of it on the machine.
    pub(crate) fn assert_leaves_nothing(&self) {
        let listed: serde_json::Value = serde_json::from_str(&self.ok(&["list", "--json"])).unwrap();
        let previews = listed
            .as_array()
            .or_else(|| listed["previews"].as_array())
            .unwrap();
        for namespace in previews
            .iter()
            .map(|preview| preview["namespace"].as_str().unwrap())
        {
            self.cx(&["delete", "--namespace", namespace, "--force"]);
        }
        Traces::assert_none(&self.data());
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        if self.server.is_none() {
            return;
        }
        if !std::thread::panicking() {
            self.assert_leaves_nothing();
        } else {
            eprintln!("{}", self.log());
            if let Ok(text) = std::panic::catch_unwind(|| self.cx(&["list", "--json"]).out)
                && let Ok(listed) = serde_json::from_str::<serde_json::Value>(&text)
            {
                for preview in listed
                    .as_array()
                    .or_else(|| listed["previews"].as_array())
                    .into_iter()
                    .flatten()
                {
                    self.cx(&[
                        "delete",
                        "--namespace",
                        preview["namespace"].as_str().unwrap_or(""),
                        "--force",
                    ]);
                }
            }
        }
        if let Some(mut server) = self.server.take() {
            terminate(&server);
            let _ = server.wait();
        }
    }
}

/// Asks a process to end.
pub(crate) fn terminate(child: &Child) {
    let pid = rustix::process::Pid::from_child(child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
}

pub(crate) fn run(command: &mut Command) -> Ran {
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ran {
        status: output.status,
        out: text(output.stdout),
        err: text(output.stderr),
    }
}

/// Reads until `wanted` stands in what came, and gives all of it.
pub(crate) fn read_until(stream: &mut impl Read, wanted: &str) -> String {
    let mut seen = Vec::new();
    let mut piece = [0; 4_096];
    loop {
        let count = stream.read(&mut piece).unwrap();
        seen.extend_from_slice(&piece[..count]);
        let text = String::from_utf8_lossy(&seen).into_owned();
        if text.contains(wanted) {
            return text;
        }
        assert!(count > 0, "`{wanted}` never came: {text}");
    }
}
