//! What a project makes of a head, and what that rests upon.

use model::commit::CommitSha;
use model::git::GitSettings;
use model::preview::TimeToLive;
use model::trust::Trust;
use serde::{Deserialize, Serialize};

/// What a look found out for one project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Basis {
    /// The commit of the base branch that the settings were read at, and the directory they were read in.
    pub(crate) base: CommitSha,
    pub(crate) root: String,
    /// Why they could not be read, for people.
    pub(crate) settings: Result<Settings, String>,
    /// Whether the change touches one of the paths that the project names.
    pub(crate) touched: bool,
}

/// What cx.toml of the base branch says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Settings {
    pub(crate) git: GitSettings,
    pub(crate) keep: Option<u32>,
    pub(crate) ttl: Option<TimeToLive>,
}

/// What is to be there for a head.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub(crate) enum Verdict {
    /// A preview of this commit.
    Deploy { commit: CommitSha, trust: Trust },
    /// What is there stays; this commit is a stranger's, and nobody has approved it.
    AwaitApproval { commit: CommitSha },
    /// Nothing; `reason` is a sentence for people.
    Skip { reason: String },
    /// What is there stays, because what is to be there cannot be told.
    Keep { reason: String },
    /// What is there stays: the project is paused.
    Paused,
    /// Nothing: it is over.
    Remove,
}

impl Verdict {
    pub(crate) fn skip(reason: impl Into<String>) -> Self {
        Self::Skip {
            reason: reason.into(),
        }
    }

    /// Whether there is to be no preview.
    pub(crate) fn is_for_nothing(&self) -> bool {
        matches!(self, Self::Skip { .. } | Self::Remove)
    }
}
