//! What is true at a forge at the moment it is asked, and how its repositories are fetched.

use model::commit::CommitSha;
use serde::{Deserialize, Serialize};

use crate::change::{Account, RepositoryName, RepositoryRef};

/// A repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repository {
    pub reference: RepositoryRef,
    pub default_branch: String,
    pub private: bool,
    /// Its page for people.
    pub web_url: String,
}

/// A pull request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PullRequest {
    pub number: u64,
    pub title: String,
    pub open: bool,
    pub merged: bool,
    pub draft: bool,
    pub author: Account,
    pub labels: Vec<String>,
    /// The exact commit that is proposed.
    pub head: CommitSha,
    pub head_branch: String,
    /// Where it comes from; `None` when that repository has been deleted.
    pub head_repository: Option<RepositoryName>,
    /// Whether it comes from another repository than it goes to; also when that is not known any more.
    pub fork: bool,
    pub base_branch: String,
    /// The commit of the base branch whose cx.toml counts.
    pub base: CommitSha,
    /// Its page for people.
    pub web_url: String,
}

impl PullRequest {
    /// What to ask the git server of the base repository for, also where the copy it came from is gone.
    pub fn reference(&self) -> String {
        format!("refs/pull/{}/head", self.number)
    }
}

/// The head of a branch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Branch {
    pub name: String,
    pub head: CommitSha,
    /// The first line of its commit's message and what follows, cut at 4 KiB.
    pub message: String,
    /// Who pushed or committed it, as far as the forge says.
    pub author: Option<Account>,
}

/// What somebody may do with a repository, as the forge answers when asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    None,
    Read,
    /// May push.
    Write,
    Admin,
}

/// The paths that a change touches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangedFiles {
    /// All of them; of a renamed file both names.
    All(Vec<String>),
    /// More than the forge tells.
    TooMany,
}

/// How git reaches a repository now. Not `Debug`: it holds a token.
#[derive(Clone, PartialEq, Eq)]
pub struct GitAccess {
    /// Without credentials.
    pub url: String,
    /// The beginning of all addresses that the header below may be sent to, such as `https://github.com/`.
    pub scope: String,
    /// The value of the `Authorization` header, for this repository and its private submodules; `None` where none is
    /// needed.
    pub authorization: Option<String>,
}
