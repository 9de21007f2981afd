//! The commits of a repository: told by the test, or those of a real bare repository, which `git` is asked about.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use model::commit::CommitSha;
use sha2::{Digest as _, Sha256};

type Files = BTreeMap<String, Vec<u8>>;

pub(super) enum Source {
    Told {
        commits: BTreeMap<CommitSha, Commit>,
        branches: BTreeMap<String, CommitSha>,
    },
    Git(PathBuf),
}

#[derive(Clone)]
pub(super) struct Commit {
    pub(super) message: String,
    pub(super) author: String,
    files: Files,
}

impl Source {
    pub(super) fn told() -> Self {
        Self::Told {
            commits: BTreeMap::new(),
            branches: BTreeMap::new(),
        }
    }

    pub(super) fn head(&self, branch: &str) -> Option<CommitSha> {
        match self {
            Self::Told { branches, .. } => branches.get(branch).cloned(),
            Self::Git(dir) => {
                let name = format!("refs/heads/{branch}");
                let sha = git(dir, &["rev-parse", "--verify", "--quiet", &name])?;
                String::from_utf8(sha).ok()?.trim().parse().ok()
            }
        }
    }

    pub(super) fn set_head(&mut self, branch: &str, head: Option<CommitSha>) {
        let name = format!("refs/heads/{branch}");
        match (self, head) {
            (Self::Told { branches, .. }, Some(head)) => drop(branches.insert(branch.to_owned(), head)),
            (Self::Told { branches, .. }, None) => drop(branches.remove(branch)),
            (Self::Git(dir), Some(head)) => drop(git(dir, &["update-ref", &name, head.as_str()])),
            (Self::Git(dir), None) => drop(git(dir, &["update-ref", "-d", &name])),
        }
    }

    /// What is fetched as a pull request.
    pub(super) fn set_pull(&self, number: u64, head: &CommitSha) {
        if let Self::Git(dir) = self {
            let name = format!("refs/pull/{number}/head");
            let done = git(dir, &["update-ref", &name, head.as_str()]);
            assert!(done.is_some(), "{head} is not in {}", dir.display());
        }
    }

    pub(super) fn commit(&self, sha: &str) -> Option<Commit> {
        match self {
            Self::Told { commits, .. } => commits.get(&sha.parse().ok()?).cloned(),
            Self::Git(dir) => {
                let message = git(dir, &["log", "-1", "--format=%B", sha])?;
                Some(Commit {
                    message: String::from_utf8_lossy(&message).trim().to_owned(),
                    author: "octocat".to_owned(),
                    files: Files::new(),
                })
            }
        }
    }

    pub(super) fn file(&self, sha: &str, path: &str) -> Entry {
        match self {
            Self::Told { commits, .. } => {
                let Some(commit) = sha.parse().ok().and_then(|sha: CommitSha| commits.get(&sha)) else {
                    return Entry::Absent;
                };
                if let Some(bytes) = commit.files.get(path) {
                    return Entry::File(bytes.clone());
                }
                let below = format!("{path}/");
                match commit.files.keys().any(|file| file.starts_with(&below)) {
                    true => Entry::Directory,
                    false => Entry::Absent,
                }
            }
            Self::Git(dir) => {
                let name = format!("{sha}:{path}");
                match git(dir, &["cat-file", "-t", &name]).as_deref() {
                    Some(b"blob\n") => {
                        Entry::File(git(dir, &["cat-file", "blob", &name]).unwrap_or_default())
                    }
                    Some(b"tree\n") => Entry::Directory,
                    _ => Entry::Absent,
                }
            }
        }
    }

    /// What differs from where the two parted.
    pub(super) fn changed(&self, base: &CommitSha, head: &CommitSha) -> Vec<String> {
        match self {
            Self::Told { commits, .. } => {
                let files = |sha| {
                    commits
                        .get(sha)
                        .map(|commit| commit.files.clone())
                        .unwrap_or_default()
                };
                let (before, after) = (files(base), files(head));
                let names = before.keys().chain(after.keys());
                let changed = names.filter(|name| before.get(*name) != after.get(*name));
                changed
                    .cloned()
                    .collect::<std::collections::BTreeSet<_>>()
                    .into_iter()
                    .collect()
            }
            Self::Git(dir) => {
                let range = format!("{base}...{head}");
                let names = git(dir, &["diff", "--name-only", "--no-renames", &range]).unwrap_or_default();
                String::from_utf8_lossy(&names)
                    .lines()
                    .map(str::to_owned)
                    .collect()
            }
        }
    }

    /// A new commit upon `parent` in which `files` are other; one without bytes is removed.
    pub(super) fn grow(
        &mut self,
        parent: Option<&CommitSha>,
        (author, message): (&str, &str),
        files: &[(&str, Option<&[u8]>)],
    ) -> CommitSha {
        let Self::Told { commits, .. } = self else {
            panic!("this repository's commits are made with git");
        };
        let before = parent.and_then(|parent| commits.get(parent));
        let mut all = before.map(|commit| commit.files.clone()).unwrap_or_default();
        for (name, bytes) in files {
            match bytes {
                Some(bytes) => drop(all.insert((*name).to_owned(), bytes.to_vec())),
                None => drop(all.remove(*name)),
            }
        }
        let mut hash = Sha256::new();
        hash.update(format!("{parent:?} {author} {message} {} {all:?}", commits.len()));
        let digits = data_encoding::HEXLOWER.encode(&hash.finalize());
        let sha: CommitSha = digits[..40].parse().expect("forty digits");
        let commit = Commit {
            message: message.to_owned(),
            author: author.to_owned(),
            files: all,
        };
        commits.insert(sha.clone(), commit);
        sha
    }
}

/// What is at a path.
pub(super) enum Entry {
    File(Vec<u8>),
    Directory,
    Absent,
}

#[expect(
    clippy::disallowed_methods,
    reason = "tests ask the machine's git about repositories of their own"
)]
fn git(dir: &Path, arguments: &[&str]) -> Option<Vec<u8>> {
    let output = Command::new("git")
        .arg("--git-dir")
        .arg(dir)
        .args(arguments)
        .output()
        .expect("git runs");
    output.status.success().then_some(output.stdout)
}
