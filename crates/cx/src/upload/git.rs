//! What git tracks. Without git, or outside a repository, nothing is tracked.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use super::walk::Stamp;

pub(super) const INDEX: &str = "index";

/// The paths below a directory that git tracks, with `/` between names.
#[derive(Debug, Default)]
pub(super) struct Tracked {
    paths: BTreeSet<String>,
}

impl Tracked {
    /// Asks git about `dir`. A repository of somebody else, a broken one or a missing git count as nothing tracked.
    #[allow(
        clippy::disallowed_methods,
        reason = "git only reads its index here; nothing of the project is executed"
    )]
    pub(super) fn read(dir: &Path) -> Self {
        if repository(dir).is_none() {
            return Self::default();
        }
        // A repository's own configuration can name programs to run; the one that listing would call is switched off.
        let output = Command::new("git")
            .args(["-c", "core.fsmonitor=false", "-C"])
            .arg(dir)
            .args(["ls-files", "-z", "--cached"])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output();
        let output = match output {
            Ok(output) if output.status.success() => output.stdout,
            _ => return Self::default(),
        };
        let names = output
            .split(|b| *b == 0)
            .filter_map(|name| std::str::from_utf8(name).ok());
        Self {
            paths: names.filter(|name| !name.is_empty()).map(str::to_owned).collect(),
        }
    }

    pub(super) fn has(&self, path: &str) -> bool {
        self.paths.contains(path)
    }

    /// Whether something below the directory `path` is tracked.
    pub(super) fn has_below(&self, path: &str) -> bool {
        let below = format!("{path}/");
        self.paths
            .range(below.clone()..)
            .next()
            .is_some_and(|first| first.starts_with(&below))
    }
}

/// What git tracks, asked again only when its index has changed.
#[derive(Debug, Default)]
pub(super) struct Index {
    known: Option<(Stamp, Arc<Tracked>)>,
}

impl Index {
    pub(super) fn tracked(&mut self, dir: &Path) -> Arc<Tracked> {
        let stamp = index_of(dir).and_then(|file| Some(Stamp::of(&std::fs::metadata(file).ok()?)));
        if let (Some(stamp), Some((known, tracked))) = (&stamp, &self.known)
            && known == stamp
        {
            return tracked.clone();
        }
        let tracked = Arc::new(Tracked::read(dir));
        self.known = stamp.map(|stamp| (stamp, tracked.clone()));
        tracked
    }
}

/// The index of the repository that `dir` lies in, where it is in its usual place.
pub(super) fn index_of(dir: &Path) -> Option<PathBuf> {
    let file = repository(dir)?.join(".git").join(INDEX);
    file.is_file().then_some(file)
}

/// The root of the repository that `dir` lies in.
pub(super) fn repository(dir: &Path) -> Option<PathBuf> {
    dir.ancestors()
        .find(|above| above.join(".git").exists())
        .map(Path::to_path_buf)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_counts_as_tracked_with_its_files_only() {
        let paths = ["a/b.txt", "a-b/c.txt"].map(str::to_owned).into();
        let tracked = Tracked { paths };
        assert!(tracked.has("a/b.txt") && tracked.has_below("a") && tracked.has_below("a-b"));
        assert!(!tracked.has_below("a/b.txt") && !tracked.has_below("b") && !tracked.has("a"));
    }
}
