//! What happened at a forge, normalised. A change says where to look; it is never acted upon by itself, because it may
//! come late, twice, out of order or not at all.

use std::fmt;
use std::str::FromStr;

use model::commit::CommitSha;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a repository's name looks like, for schemas.
const NAME_PATTERN: &str = r"^(?!\.{1,2}/)[A-Za-z0-9._-]{1,100}/(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}$";

/// `owner/name` of a repository.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(extend("pattern" = NAME_PATTERN))]
pub struct RepositoryName {
    owner: String,
    name: String,
}

/// The text does not name a repository.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` does not name a repository; write `owner/name`")]
pub struct ParseRepositoryError(String);

impl RepositoryName {
    pub fn owner(&self) -> &str {
        &self.owner
    }

    pub fn name(&self) -> &str {
        &self.name
    }
}

impl FromStr for RepositoryName {
    type Err = ParseRepositoryError;

    fn from_str(text: &str) -> Result<Self, ParseRepositoryError> {
        let part = |part: &str| {
            !part.is_empty()
                && part.len() <= 100
                && !matches!(part, "." | "..")
                && part
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        };
        match text.split_once('/') {
            Some((owner, name)) if part(owner) && part(name) => Ok(Self {
                owner: owner.to_owned(),
                name: name.to_owned(),
            }),
            _ => Err(ParseRepositoryError(text.chars().take(200).collect())),
        }
    }
}

impl TryFrom<String> for RepositoryName {
    type Error = ParseRepositoryError;

    fn try_from(text: String) -> Result<Self, ParseRepositoryError> {
        text.parse()
    }
}

impl From<RepositoryName> for String {
    fn from(name: RepositoryName) -> String {
        name.to_string()
    }
}

impl fmt::Display for RepositoryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}

/// A repository as a forge names it in passing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepositoryRef {
    /// The forge's own number of it, which survives renaming and transfer.
    pub id: String,
    pub name: RepositoryName,
    /// The installation of the App that may see it, where there are Apps.
    pub installation: Option<String>,
}

/// Who did it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    pub login: String,
    pub bot: bool,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Change {
    /// Something about a pull request: look at it.
    PullRequest {
        repository: RepositoryRef,
        number: u64,
    },
    /// A branch was pushed to, made or deleted: look at it.
    Branch {
        repository: RepositoryRef,
        branch: String,
    },
    /// Somebody wrote a command into a new comment of a pull request.
    Command {
        repository: RepositoryRef,
        number: u64,
        /// The forge's number of the comment.
        comment: String,
        author: Account,
        command: Command,
    },
    /// Somebody put a label on a pull request: who it was and which commit they saw, since a label can be an approval.
    /// Comes beside [`Change::PullRequest`].
    Labelled {
        repository: RepositoryRef,
        number: u64,
        label: String,
        /// The head of the pull request when it was put there.
        commit: CommitSha,
        author: Account,
    },
    /// Somebody clicked a button of a check run, or asked for it to run again.
    Button {
        repository: RepositoryRef,
        commit: CommitSha,
        /// What we gave the check run as its own key; see [`crate::report::Check`].
        key: String,
        author: Account,
        button: Button,
    },
    /// The repository has another name or owner.
    RepositoryRenamed {
        repository: RepositoryRef,
    },
    RepositoryDeleted {
        repository: RepositoryRef,
    },
    /// What an installation of the App may see has changed: look at its repositories. `gone` when it was removed or
    /// suspended.
    Installation {
        installation: String,
        gone: bool,
    },
    /// The forge tries whether anybody is there.
    Ping,
}

/// What a comment can ask for, as `/cx WORD`, alone on the comment's first line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "word", rename_all = "snake_case")]
pub enum Command {
    Redeploy,
    Delete,
    Logs,
    Sleep,
    /// `commit` is what was written: at least seven digits of a commit's name.
    Approve {
        commit: String,
    },
    Help,
    /// `/cx` followed by something else; answered with what is possible.
    Unknown {
        text: String,
    },
}

/// The buttons of a check run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Button {
    Redeploy,
    Delete,
    Approve,
}
