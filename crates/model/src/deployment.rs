//! The deployment state machine: the only place that says what may follow what.
//!
//! ```text
//! Queued ──► Building ──► Deploying ──► Ready ──► Retired
//!    └───────────┴────────────┴───────────► Failed
//!    └───────────┴────────────┴───────────► Cancelled
//! ```
//!
//! *Ready* means "can serve": a preview has many Ready deployments, and its row names the one that its alias follows.
//! Asleep is a property of an instance and removing one of a missing row; neither is a state here.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a deployment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "DeploymentState")]
pub enum State {
    /// Waits for its turn.
    Queued,
    /// Its source is being turned into an artifact.
    Building,
    /// Its instances start and its pinned route is being tried.
    Deploying,
    /// The edge has answered for it through its public route.
    Ready,
    /// It will never serve; a `Failure` says why.
    Failed,
    /// It was no longer wanted before it was ready.
    Cancelled,
    /// It was ready once and has been put away.
    Retired,
}

/// What happened to a deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    BuildStarted,
    BuildFinished,
    Answered,
    Failed,
    Cancelled,
    Retired,
}

impl State {
    pub const ALL: [Self; 7] = [
        Self::Queued,
        Self::Building,
        Self::Deploying,
        Self::Ready,
        Self::Failed,
        Self::Cancelled,
        Self::Retired,
    ];

    /// Whether something still has to be done to get it to Ready.
    pub fn is_unfinished(self) -> bool {
        matches!(self, Self::Queued | Self::Building | Self::Deploying)
    }

    /// Whether it may own instances and a pinned route.
    pub fn may_run(self) -> bool {
        matches!(self, Self::Deploying | Self::Ready)
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Building => "building",
            Self::Deploying => "deploying",
            Self::Ready => "ready",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Retired => "retired",
        }
    }
}

/// The state after `event`, or `None` where the event changes nothing because it came too late or too early.
pub fn next(state: State, event: Event) -> Option<State> {
    match (state, event) {
        (State::Queued, Event::BuildStarted) => Some(State::Building),
        (State::Building, Event::BuildFinished) => Some(State::Deploying),
        (State::Deploying, Event::Answered) => Some(State::Ready),
        (State::Queued | State::Building | State::Deploying, Event::Failed) => Some(State::Failed),
        (State::Queued | State::Building | State::Deploying, Event::Cancelled) => Some(State::Cancelled),
        (State::Ready, Event::Retired) => Some(State::Retired),
        _ => None,
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A stored state that this version does not know.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a state of a deployment; was the data written by a newer version?")]
pub struct ParseStateError(String);

impl FromStr for State {
    type Err = ParseStateError;
    fn from_str(text: &str) -> Result<Self, ParseStateError> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| ParseStateError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EVENTS: [Event; 6] = [
        Event::BuildStarted,
        Event::BuildFinished,
        Event::Answered,
        Event::Failed,
        Event::Cancelled,
        Event::Retired,
    ];

    #[test]
    fn the_straight_way() {
        let events = [
            Event::BuildStarted,
            Event::BuildFinished,
            Event::Answered,
            Event::Retired,
        ];
        let end = events
            .iter()
            .try_fold(State::Queued, |state, event| next(state, *event));
        assert_eq!(end, Some(State::Retired));
    }

    #[test]
    fn names_survive_the_round_trip() {
        for state in State::ALL {
            assert_eq!(state.as_str().parse::<State>().unwrap(), state);
        }
    }

    proptest! {
        #[test]
        fn nothing_leaves_an_end_and_ready_is_reached_only_by_answering(
            choices in proptest::collection::vec(0usize..EVENTS.len(), 0..20)
        ) {
            let mut state = State::Queued;
            for event in choices.into_iter().map(|index| EVENTS[index]) {
                let Some(after) = next(state, event) else { continue };
                prop_assert!(!matches!(state, State::Failed | State::Cancelled | State::Retired));
                prop_assert_eq!(after == State::Ready, event == Event::Answered);
                prop_assert!(state != State::Ready || after == State::Retired);
                state = after;
            }
        }
    }
}
