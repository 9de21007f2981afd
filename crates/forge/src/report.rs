//! What a forge is told. A [`Report`] is data about one pull request (or branch); rendering it into [`Message`]s is pure,
//! so that the same rows give the same words, and equal words need not be sent again.

use model::commit::CommitSha;
use model::{Failure, NamespaceName, ProjectName};
use serde::{Deserialize, Serialize};

/// All that there is to say about one change, for all projects of its repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The pull request; `None` for a branch.
    pub number: Option<u64>,
    pub namespace: NamespaceName,
    /// The newest commit.
    pub commit: CommitSha,
    pub projects: Vec<ProjectReport>,
    /// The change is over: merged, closed, or its branch deleted.
    pub ended: bool,
    /// Things a person should know, such as an answer to a command; shown above the table.
    pub notices: Vec<String>,
}

/// How one project of the change is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectReport {
    pub project: ProjectName,
    pub status: Status,
    /// The commit that `status` is about.
    pub commit: CommitSha,
    /// The id of the deployment that `status` is about, once there is one.
    pub deployment: Option<String>,
    /// The stable address of the preview, once something serves there.
    pub url: Option<String>,
    /// The address of exactly this deployment.
    pub deployment_url: Option<String>,
    /// Where its log is shown.
    pub log_url: Option<String>,
    /// The commit that serves meanwhile, when it is another one.
    pub serving: Option<CommitSha>,
    /// Finished phases with their milliseconds, in order; the last may go on (`None`).
    pub phases: Vec<(String, Option<u64>)>,
    pub failure: Option<Failure>,
    /// What the forge is to be told at all.
    pub settings: model::git::ReportSettings,
}

/// How far it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Status {
    Queued,
    /// `phase` such as `install`.
    Deploying {
        phase: Option<String>,
    },
    Ready,
    Asleep,
    Failed,
    Cancelled,
    /// A stranger's commit that nobody has approved.
    AwaitsApproval,
    /// It gets no preview; `reason` is a sentence.
    Skipped {
        reason: String,
    },
    /// The project is paused: changes are noted and nothing is deployed.
    Paused,
    /// The preview is gone.
    Deleted,
}

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
