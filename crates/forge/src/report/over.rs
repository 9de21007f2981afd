//! What was told of something that is over: of an earlier commit, or of a change that has ended. It must not look as if it
//! went on for ever.

use model::commit::CommitSha;

use super::message::{Check, CheckState, CommitStatus, Deployment, DeploymentState, Message, StatusState};

/// Why nothing more comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Over {
    /// A newer commit has taken its place.
    Superseded { by: CommitSha },
    /// The pull request is closed, or the branch deleted; or the project does not want it told any more.
    Ended,
}

impl Over {
    fn words(&self) -> String {
        match self {
            Self::Superseded { by } => format!("Superseded by {}", by.short()),
            Self::Ended => "The preview is gone".to_owned(),
        }
    }
}

impl Message {
    /// The last that is said; the same message where it had come to its end already.
    #[must_use]
    pub fn over(&self, why: &Over) -> Message {
        match self {
            Self::Comment(_) => self.clone(),
            Self::Check(check) => Self::Check(over_check(check, why)),
            Self::Deployment(deployment) => Self::Deployment(over_deployment(deployment, why)),
            Self::Status(status) => Self::Status(over_status(status, why)),
        }
    }
}

fn over_check(check: &Check, why: &Over) -> Check {
    let unfinished = matches!(
        check.state,
        CheckState::Queued | CheckState::InProgress | CheckState::ActionRequired
    );
    if !unfinished {
        return check.clone();
    }
    Check {
        state: CheckState::Cancelled,
        title: why.words(),
        summary: format!("{}.\n", why.words()),
        // They would act on what is not there any more.
        buttons: Vec::new(),
        ..check.clone()
    }
}

fn over_deployment(deployment: &Deployment, why: &Over) -> Deployment {
    if deployment.state == DeploymentState::Inactive {
        return deployment.clone();
    }
    Deployment {
        state: DeploymentState::Inactive,
        environment_url: None,
        description: why.words(),
        ..deployment.clone()
    }
}

fn over_status(status: &CommitStatus, why: &Over) -> CommitStatus {
    if status.state != StatusState::Pending {
        return status.clone();
    }
    CommitStatus {
        state: StatusState::Error,
        description: why.words(),
        ..status.clone()
    }
}
