//! What a forge is told. A [`Report`] is data about one pull request (or branch); rendering it into [`Message`]s is pure,
//! so that the same rows give the same words, and equal words need not be sent again.

mod message;
mod over;
mod render;

use model::commit::CommitSha;
use model::{Failure, NamespaceName, ProjectName};
use serde::{Deserialize, Serialize};

pub use message::{
    Annotation, Check, CheckState, Comment, CommitStatus, Deployment, DeploymentState, Message, Reaction,
    StatusState,
};
pub use over::Over;
pub use render::messages;

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

impl Report {
    /// Whether there is so little to say that a comment is not worth making; one that is there is kept up to date.
    pub fn is_quiet(&self) -> bool {
        let skipped = |project: &ProjectReport| matches!(project.status, Status::Skipped { .. });
        self.ended || (self.notices.is_empty() && self.projects.iter().all(skipped))
    }
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
