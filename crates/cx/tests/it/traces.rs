//! What a platform can leave on a machine: processes, mounts, cgroups, files. While something is live they are seen;
//! afterwards there must be none.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use model::Digest;

/// How long what was deleted may take to be gone.
const PATIENCE: Duration = Duration::from_secs(20);
/// Scratch directories that outlive previews on purpose: caches of the builder.
const KEPT: [&str; 3] = ["cache-", "toolchains", "rebuilt"];

/// What belongs to one data directory on this machine now.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Traces {
    processes: BTreeSet<String>,
    mounts: BTreeSet<String>,
    cgroups: BTreeSet<PathBuf>,
    files: BTreeSet<PathBuf>,
}

impl Traces {
    /// Of everything that was made over `data`.
    pub(crate) fn of(data: &Path) -> Self {
        let own = data.to_string_lossy().into_owned();
        let prefix = cgroup_prefix(data);
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let mut traces = Self {
            mounts: mounts
                .lines()
                .filter(|line| line.contains(&own))
                .map(str::to_owned)
                .collect(),
            cgroups: cgroups(&prefix),
            ..Self::default()
        };
        for process in fs::read_dir("/proc").unwrap().flatten() {
            let read = |name: &str| fs::read_to_string(process.path().join(name)).unwrap_or_default();
            // What a sandbox sees of the disk is mounted from the data directory; its cgroups carry our prefix.
            let elsewhere = read("mountinfo");
            let inside = elsewhere != mounts && elsewhere.contains(&own);
            if inside || read("cgroup").contains(&prefix) {
                traces.processes.insert(format!(
                    "{} {}",
                    process.file_name().to_string_lossy(),
                    read("comm").trim()
                ));
            }
        }
        for directory in ["sandboxes", "store/scratch", "logs"] {
            let entries = fs::read_dir(data.join(directory)).into_iter().flatten().flatten();
            traces
                .files
                .extend(entries.map(|entry| entry.path()).filter(|path| !is_kept(path)));
        }
        traces
    }

    /// What belongs to none of `instances`, besides logs: those of `deployments` stay, and those of what ran for them.
    pub(crate) fn strangers(
        data: &Path,
        instances: &BTreeSet<String>,
        deployments: &BTreeSet<String>,
    ) -> Vec<String> {
        let (traces, logs) = (Self::of(data), data.join("logs"));
        let of = |known: &BTreeSet<String>, text: &str| known.iter().any(|word| text.contains(word.as_str()));
        let is_log = |text: &str| {
            let name = Path::new(text).strip_prefix(&logs).ok();
            name.is_some_and(|name| name.to_string_lossy().starts_with("ins_") || of(deployments, text))
        };
        let paths = traces.cgroups.iter().chain(&traces.files);
        paths
            .map(|path| path.display().to_string())
            .chain(traces.mounts)
            .filter(|text| !of(instances, text) && !is_log(text))
            .collect()
    }

    /// That the instances of what is live show: otherwise "none" would say nothing.
    pub(crate) fn assert_live(data: &Path) {
        let traces = Self::of(data);
        assert!(
            !traces.processes.is_empty() && !traces.files.is_empty(),
            "what runs is not seen: {traces:#?}"
        );
        let root = data
            .metadata()
            .is_ok_and(|metadata| std::os::unix::fs::MetadataExt::uid(&metadata) == 0);
        assert!(
            !root || !traces.cgroups.is_empty(),
            "its cgroups are not seen: {traces:#?}"
        );
    }

    /// Waits until nothing is left, and says what is left otherwise.
    pub(crate) fn assert_none(data: &Path) {
        let begin = Instant::now();
        loop {
            let traces = Self::of(data);
            if traces == Self::default() {
                return;
            }
            assert!(begin.elapsed() < PATIENCE, "left behind: {traces:#?}");
            std::thread::park_timeout(Duration::from_millis(50));
        }
    }
}

fn is_kept(path: &Path) -> bool {
    let name = path.file_name().unwrap().to_string_lossy();
    path.parent().is_some_and(|parent| parent.ends_with("scratch"))
        && KEPT.iter().any(|kept| name.starts_with(kept))
}

/// How the cgroups of this data directory begin; several servers share a machine.
fn cgroup_prefix(data: &Path) -> String {
    let data = data.canonicalize().unwrap_or_else(|_| data.to_owned());
    let mark = Digest::of(data.as_os_str().as_encoded_bytes()).hex();
    format!("cygni-{}-", &mark[..8])
}

fn cgroups(prefix: &str) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut waiting = vec![PathBuf::from("/sys/fs/cgroup")];
    while let Some(directory) = waiting.pop() {
        for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
            if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                continue;
            }
            if entry.file_name().to_string_lossy().starts_with(prefix) {
                found.insert(entry.path());
            }
            waiting.push(entry.path());
        }
    }
    found
}
