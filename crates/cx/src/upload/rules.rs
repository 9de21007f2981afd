//! What is left out, and why: `.gitignore`, `.cxignore`, secrets, installed dependencies.
//!
//! `.gitignore` counts only within the directory's own repository, and only when the directory is not itself ignored:
//! whoever deploys `dist` by name means its files. `.cxignore` always counts and beats everything but `.git`: it can
//! leave out what git tracks, and with `!name` let through what would be left out.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use control::ops::PROOF_PREFIX;
use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use super::git::{self, Tracked};
use crate::exit::Fault;

pub(super) const GIT_IGNORE: &str = ".gitignore";
const CX_IGNORE: &str = ".cxignore";

/// What happens to one entry of the directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Take,
    /// A directory that is left out except for what git tracks in it.
    OnlyTracked,
    Ignored,
    /// It may hold secrets, and nobody said that it may travel.
    Secret,
    /// The repository itself.
    Repository,
    /// Installed dependencies; they are installed again from the manifest.
    Dependencies,
}

/// The rules of one directory and of those above it.
pub(super) struct Rules {
    root: PathBuf,
    tracked: Arc<Tracked>,
    honours_git: bool,
    git: Vec<Gitignore>,
    cx: Vec<Gitignore>,
}

/// One entry, as the rules look at it.
pub(super) struct Candidate<'a> {
    /// Relative to the deployed directory, with `/`.
    pub(super) path: &'a str,
    pub(super) name: &'a str,
    pub(super) is_dir: bool,
    /// Whether the directory above is left out except for what is tracked.
    pub(super) only_tracked: bool,
    /// Whether a package.json lies beside it.
    pub(super) beside_manifest: bool,
}

impl Rules {
    /// The rules for `root`, an absolute path without links.
    pub(super) fn new(root: &Path, tracked: Arc<Tracked>) -> anyhow::Result<Self> {
        let mut rules = Self {
            root: root.to_owned(),
            tracked,
            honours_git: true,
            git: Vec::new(),
            cx: Vec::new(),
        };
        let Some(repository) = git::repository(root) else {
            return Ok(rules);
        };
        let mut above: Vec<&Path> = root
            .ancestors()
            .skip(1)
            .take_while(|dir| dir.starts_with(&repository))
            .collect();
        above.reverse();
        let mut matchers: Vec<Gitignore> = Vec::new();
        for dir in above {
            rules.honours_git &= decide(&matchers, dir, true) != Some(true);
            matchers.extend(read(dir, GIT_IGNORE)?);
        }
        rules.honours_git &= decide(&matchers, root, true) != Some(true);
        if rules.honours_git {
            rules.git = matchers;
        }
        Ok(rules)
    }

    /// Adds the ignore files that lie in `dir`; gives what [`Rules::leave`] needs to forget them.
    pub(super) fn enter(&mut self, dir: &Path) -> anyhow::Result<(usize, usize)> {
        let mark = (self.git.len(), self.cx.len());
        if self.honours_git {
            self.git.extend(read(dir, GIT_IGNORE)?);
        }
        self.cx.extend(read(dir, CX_IGNORE)?);
        Ok(mark)
    }

    pub(super) fn leave(&mut self, mark: (usize, usize)) {
        self.git.truncate(mark.0);
        self.cx.truncate(mark.1);
    }

    pub(super) fn judge(&self, entry: &Candidate<'_>) -> Verdict {
        if entry.name == ".git" {
            return Verdict::Repository;
        }
        // Ours, and gone in a moment.
        if entry.name.starts_with(PROOF_PREFIX) {
            return Verdict::Ignored;
        }
        let path = self.root.join(entry.path);
        match decide(&self.cx, &path, entry.is_dir) {
            Some(true) => return Verdict::Ignored,
            Some(false) => return Verdict::Take,
            None => {}
        }
        let tracked_below = entry.is_dir && self.tracked.has_below(entry.path);
        if self.tracked.has(entry.path) {
            return Verdict::Take;
        }
        let left_out = |verdict| {
            if tracked_below {
                Verdict::OnlyTracked
            } else {
                verdict
            }
        };
        if entry.name.starts_with(".env") {
            return left_out(Verdict::Secret);
        }
        if entry.only_tracked || decide(&self.git, &path, entry.is_dir) == Some(true) {
            return left_out(Verdict::Ignored);
        }
        if entry.is_dir && entry.name == "node_modules" && entry.beside_manifest {
            return left_out(Verdict::Dependencies);
        }
        Verdict::Take
    }
}

/// The word of the deepest file that has one: left out, or let through.
fn decide(matchers: &[Gitignore], path: &Path, is_dir: bool) -> Option<bool> {
    let words = matchers.iter().rev().map(|matcher| matcher.matched(path, is_dir));
    words
        .filter(|word| !word.is_none())
        .map(|word| matches!(word, Match::Ignore(_)))
        .next()
}

fn read(dir: &Path, name: &str) -> anyhow::Result<Option<Gitignore>> {
    let file = dir.join(name);
    if !file.is_file() {
        return Ok(None);
    }
    let refuse = |error: ignore::Error| {
        Fault::failed(
            "invalid_ignore_file",
            format!("cannot use {}: {error}", file.display()),
        )
        .hint("correct the line named")
    };
    let mut builder = GitignoreBuilder::new(dir);
    if let Some(error) = builder.add(&file) {
        return Err(refuse(error).into());
    }
    Ok(Some(builder.build().map_err(refuse)?))
}
