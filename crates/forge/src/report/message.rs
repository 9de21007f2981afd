//! The things that are shown at a forge, as data.

use model::commit::CommitSha;
use serde::{Deserialize, Serialize};

/// One thing that is shown at a forge, and kept up to date there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Message {
    Comment(Comment),
    Check(Check),
    Deployment(Deployment),
    Status(CommitStatus),
}

impl Message {
    /// What tells it apart from all other messages of the repository; stable over edits.
    pub fn key(&self) -> String {
        match self {
            Self::Comment(comment) => format!("comment/{}", comment.number),
            Self::Check(check) => format!("check/{}/{}", check.key, check.commit),
            Self::Deployment(deployment) => {
                format!("deployment/{}/{}", deployment.environment, deployment.key)
            }
            Self::Status(status) => format!("status/{}/{}", status.context, status.commit),
        }
    }
}

/// The one comment on a pull request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comment {
    pub number: u64,
    /// Invisible, at its very beginning: by it an earlier one of ours is found.
    pub marker: String,
    /// Markdown, the marker included.
    pub body: String,
}

/// A check run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// `namespace/project`: given to the forge as external id, and comes back with its buttons.
    pub key: String,
    pub commit: CommitSha,
    /// Such as `Preview (shop)`.
    pub name: String,
    pub state: CheckState,
    pub details_url: Option<String>,
    pub title: String,
    /// Markdown.
    pub summary: String,
    pub annotations: Vec<Annotation>,
    pub buttons: Vec<crate::change::Button>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckState {
    Queued,
    InProgress,
    Success,
    Failure,
    Cancelled,
    Skipped,
    Neutral,
    ActionRequired,
}

/// A sentence about a line of the source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Annotation {
    pub path: String,
    /// From 1.
    pub line: u32,
    pub message: String,
}

/// A deployment in the sense of the forge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    /// Our deployment's id.
    pub key: String,
    pub commit: CommitSha,
    /// Such as `preview-12/shop`.
    pub environment: String,
    pub state: DeploymentState,
    pub environment_url: Option<String>,
    pub log_url: Option<String>,
    /// At most 140 characters.
    pub description: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeploymentState {
    Queued,
    InProgress,
    Success,
    Failure,
    /// Superseded or gone.
    Inactive,
}

/// A commit status.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitStatus {
    pub commit: CommitSha,
    /// Such as `cygni/shop`.
    pub context: String,
    pub state: StatusState,
    pub target_url: Option<String>,
    /// At most 140 characters.
    pub description: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StatusState {
    Pending,
    Success,
    Failure,
    /// Not the source's fault.
    Error,
}

/// How a command in a comment was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reaction {
    /// Seen, under way.
    Eyes,
    /// Done.
    Rocket,
    /// Not understood, or not possible.
    Confused,
    /// Not allowed.
    ThumbsDown,
}
