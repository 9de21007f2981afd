//! The status of a preview: derived from its rows, never stored.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::deployment::State;

/// Where a preview came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Origin {
    /// A directory on somebody's machine.
    Directory { path: String },
    /// Files sent by a program.
    Files,
}

/// What a person sees of a preview.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "PreviewStatus")]
pub enum Status {
    /// Nothing has been deployed yet.
    Empty,
    /// Its newest deployment waits for its turn.
    Queued,
    /// Its newest deployment is on its way; an older one may be serving.
    Deploying,
    /// It serves its newest deployment.
    Live,
    /// It serves, and its newest deployment failed or was cancelled.
    Error,
    /// It serves nothing, because what was tried failed.
    Failed,
    /// It serves on the next request.
    Asleep,
    /// Its time is over.
    Expired,
}

/// What the status is derived from.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// The state of the newest deployment.
    pub newest: Option<State>,
    /// Whether the alias follows a deployment that is ready.
    pub serving: bool,
    /// Whether that deployment's instances sleep.
    pub asleep: bool,
    /// Whether its time to live is over.
    pub expired: bool,
}

/// The status that follows from `facts`.
pub fn status(facts: Facts) -> Status {
    match (facts.newest, facts.serving) {
        _ if facts.expired => Status::Expired,
        (None, _) => Status::Empty,
        (Some(State::Queued), _) => Status::Queued,
        (Some(State::Building | State::Deploying), _) => Status::Deploying,
        (Some(State::Failed), true) => Status::Error,
        (_, true) if facts.asleep => Status::Asleep,
        (_, true) => Status::Live,
        (_, false) => Status::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_push_over_a_serving_preview_is_an_error_and_not_a_failure() {
        let facts = Facts {
            newest: Some(State::Failed),
            serving: true,
            asleep: false,
            expired: false,
        };
        assert_eq!(status(facts), Status::Error);
        assert_eq!(
            status(Facts {
                serving: false,
                ..facts
            }),
            Status::Failed
        );
        assert_eq!(
            status(Facts {
                newest: Some(State::Cancelled),
                ..facts
            }),
            Status::Live
        );
        assert_eq!(
            status(Facts {
                newest: Some(State::Ready),
                asleep: true,
                ..facts
            }),
            Status::Asleep
        );
        assert_eq!(
            status(Facts {
                expired: true,
                ..facts
            }),
            Status::Expired
        );
    }
}
