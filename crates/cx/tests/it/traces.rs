//! What a platform can leave on a machine: processes, mounts, cgroups. Taken before and after, they must be equal.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long what was deleted may take to be gone.
const PATIENCE: Duration = Duration::from_secs(20);

/// What belongs to one data directory on this machine now.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Traces {
    processes: BTreeSet<String>,
    mounts: BTreeSet<String>,
    cgroups: BTreeSet<PathBuf>,
    files: BTreeSet<PathBuf>,
}

impl Traces {
    /// Of sandboxes over `data`: their inits keep a descriptor in the data directory, their cgroups carry its prefix.
    pub(crate) fn of(data: &Path) -> Self {
        let mut traces = Self::default();
        for process in fs::read_dir("/proc").unwrap().flatten() {
            let fds = fs::read_dir(process.path().join("fd"))
                .into_iter()
                .flatten()
                .flatten();
            let in_data = |target: PathBuf| target.starts_with(data.join("sandboxes"));
            if fds.filter_map(|fd| fs::read_link(fd.path()).ok()).any(in_data) {
                let name = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
                traces.processes.insert(format!(
                    "{} {}",
                    process.file_name().to_string_lossy(),
                    name.trim()
                ));
            }
        }
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let own = data.to_string_lossy();
        traces.mounts.extend(
            mounts
                .lines()
                .filter(|line| line.contains(own.as_ref()))
                .map(str::to_owned),
        );
        for directory in ["sandboxes", "store/scratch", "logs"] {
            let entries = fs::read_dir(data.join(directory)).into_iter().flatten().flatten();
            traces
                .files
                .extend(entries.map(|entry| entry.path()).filter(|path| !is_cache(path)));
        }
        traces.cgroups = cgroups(&sandbox_names(data));
        traces
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

/// Caches of the builder survive previews on purpose.
fn is_cache(path: &Path) -> bool {
    let name = path.file_name().unwrap().to_string_lossy();
    !name.starts_with("ins-")
        && !name.starts_with("ins_")
        && !name.starts_with("dpl_")
        && path.to_string_lossy().contains("/store/")
}

/// The part of cgroup names that only sandboxes of this data directory have.
fn sandbox_names(data: &Path) -> String {
    fs::read_to_string(data.join("cgroup-prefix")).unwrap_or_default()
}

fn cgroups(prefix: &str) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    if prefix.is_empty() {
        return found;
    }
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
