//! What every test stands on: a host in a directory of its own, and the proof at the end that nothing is left.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use sandbox::log::{self, Cursor, Level};
use sandbox::{Exit, Host, HostOptions, Lifetime, Mount, Sandbox, Spec};

/// Where this program lies inside.
const PROBE: &str = "/opt/probe";
/// How long anything may take before a test calls it stuck.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

static COUNTER: AtomicU32 = AtomicU32::new(0);

pub(crate) struct Stage {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) host: Host,
    pub(crate) prefix: String,
}

/// Runs a test on a stage and checks that it left nothing behind.
pub(crate) fn on_stage<F: Future<Output = ()>>(test: impl FnOnce(std::sync::Arc<Stage>) -> F) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let stage = std::sync::Arc::new(Stage::new().await);
        test(stage.clone()).await;
        stage.assert_quiet().await;
    });
}

impl Stage {
    async fn new() -> Stage {
        let dir = tempfile::tempdir().unwrap();
        let prefix = unique_prefix();
        let host = Host::start(options(dir.path(), &prefix)).await.unwrap();
        Stage { dir, host, prefix }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Makes a directory beside the host's.
    pub(crate) fn directory(&self, name: &str) -> PathBuf {
        std::fs::create_dir(self.path(name)).unwrap();
        self.path(name)
    }

    /// Runs a spec to its end and takes it away.
    pub(crate) async fn run(&self, spec: Spec) -> Outcome {
        let sandbox = self.host.spawn(spec).await.unwrap();
        self.outcome(&sandbox).await
    }

    /// Waits for the end and takes the sandbox away.
    pub(crate) async fn outcome(&self, sandbox: &Sandbox) -> Outcome {
        let exit = tokio::time::timeout(PATIENCE * 2, sandbox.wait())
            .await
            .expect("the command must end");
        let lines = lines(sandbox);
        self.host.remove(sandbox.name()).await.unwrap();
        Outcome { exit, lines }
    }

    async fn assert_quiet(&self) {
        let found = self.host.found().await.unwrap();
        let names: Vec<&str> = found.iter().map(|found| found.name()).collect();
        assert!(names.is_empty(), "left behind: {names:?}");
        let groups = groups_with(&self.prefix);
        assert!(groups.is_empty(), "left behind: {groups:?}");
    }
}

pub(crate) struct Outcome {
    pub(crate) exit: Exit,
    pub(crate) lines: Vec<log::Line>,
}

impl Outcome {
    /// What it said, line by line.
    pub(crate) fn said(&self) -> Vec<&str> {
        self.lines.iter().map(|line| line.text.as_str()).collect()
    }

    /// What it said on standard output, when all went well.
    pub(crate) fn good(&self) -> Vec<&str> {
        assert!(self.exit.success(), "{:?}: {:#?}", self.exit, self.said());
        let out = self.lines.iter().filter(|line| line.level == Level::Out);
        out.map(|line| line.text.as_str()).collect()
    }
}

pub(crate) fn options(dir: &Path, prefix: &str) -> HostOptions {
    HostOptions {
        cgroup_prefix: prefix.to_owned(),
        ..HostOptions::new(dir.join("sandboxes"))
    }
}

pub(crate) fn unique_prefix() -> String {
    format!(
        "it-{}-{}-",
        std::process::id(),
        COUNTER.fetch_add(1, Ordering::Relaxed)
    )
}

pub(crate) fn lines(sandbox: &Sandbox) -> Vec<log::Line> {
    let (dir, prefix) = sandbox.log_path();
    let (mut cursor, mut lines) = (Cursor::default(), Vec::new());
    loop {
        let page = log::read(dir, prefix, cursor, 1_000_000).unwrap();
        if page.lines.is_empty() {
            return lines;
        }
        lines.extend(page.lines);
        cursor = page.next;
    }
}

/// This program inside, with `arguments` for `probe`.
pub(crate) fn probe(name: &str, arguments: &[&str]) -> Spec {
    let command = [PROBE, "probe"].iter().chain(arguments).copied();
    let mut spec = Spec::new(name, command);
    let source = std::env::current_exe().unwrap();
    spec.mounts.push(Mount::ReadOnly {
        source,
        target: PROBE.to_owned(),
    });
    spec
}

pub(crate) fn shell(name: &str, script: &str) -> Spec {
    Spec::new(name, ["sh", "-c", script])
}

pub(crate) fn detached(spec: Spec) -> Spec {
    Spec {
        lifetime: Lifetime::Detached,
        ..spec
    }
}

/// Looks again and again until `condition` gives something, or panics after a while.
pub(crate) async fn until<T, F: Future<Output = Option<T>>>(
    what: &str,
    mut condition: impl FnMut() -> F,
) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = condition().await {
            return value;
        }
        assert!(Instant::now() < deadline, "still not: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub(crate) fn is_alive(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ")
        .is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

/// Control groups anywhere whose name begins with `prefix`.
pub(crate) fn groups_with(prefix: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut left = vec![PathBuf::from("/sys/fs/cgroup")];
    while let Some(dir) = left.pop() {
        let Ok(entries) = std::fs::read_dir(&dir) else {
            continue;
        };
        for entry in entries
            .flatten()
            .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        {
            if entry.file_name().to_string_lossy().starts_with(prefix) {
                found.push(entry.path());
            }
            left.push(entry.path());
        }
    }
    found
}
