//! What is fetched, from where, and what came of it.

use model::commit::CommitSha;
use model::trust::Trust;
use model::{Digest, ProjectId};

/// One commit to be fetched. Not `Debug`: it holds credentials.
#[derive(Clone)]
pub struct FetchRequest {
    /// `[a-z0-9-]`, at most 48 bytes, unique among builds and fetches that run.
    pub name: String,
    pub project: ProjectId,
    pub trust: Trust,
    pub remote: Remote,
    /// What is asked for where the server hands out no commits by their names, such as `refs/pull/12/head`.
    pub reference: String,
    pub commit: CommitSha,
    /// Whether files kept in Git LFS are fetched; else what stands for them stays.
    pub lfs: bool,
}

/// How git reaches a repository.
#[derive(Clone)]
pub struct Remote {
    /// `http` or `https`, without credentials.
    pub url: String,
    /// The beginning of all addresses that the header may be sent to, such as `https://github.com/`. For a stranger's
    /// commit it goes to `url` alone.
    pub scope: String,
    /// The value of the `Authorization` header.
    pub authorization: Option<String>,
}

/// A source in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fetched {
    pub tree: Digest,
    pub files: u64,
    pub bytes: u64,
}
