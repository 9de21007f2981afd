//! Subscribers, what was sent to them, and what they are sent.

use std::collections::BTreeMap;

use model::commit::Revision;
use model::{DeploymentId, EnvironmentName, Failure, NamespaceName, ProjectName, SubscriberId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Everything that can happen, by the name that events have.
pub const EVENT_KINDS: &[&str] = &[
    "deployment.building",
    "deployment.cancelled",
    "deployment.deploying",
    "deployment.failed",
    "deployment.phase",
    "deployment.queued",
    "deployment.ready",
    "deployment.retired",
    "deployment.waiting",
    "instance.asleep",
    "instance.awake",
    "instance.exited",
    "preview.created",
    "preview.deleted",
    "preview.expired",
    "preview.switched",
    "repository.held",
];

/// The kind of what is sent to try a subscriber out; nothing has happened.
pub const TEST_KIND: &str = "hook.test";

/// Somebody who is told what happens, by signed requests.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Subscriber {
    pub id: SubscriberId,
    pub url: String,
    /// Kinds of events that are sent, such as `deployment.ready` or `deployment.*`; empty is all.
    pub kinds: Vec<String>,
    /// Only what happens to this project; absent is all of them.
    pub project: Option<ProjectName>,
    /// Nothing is sent until it is resumed: somebody paused it, or it answered that it is gone.
    pub paused: bool,
    /// Why the newest try failed; absent when it did not.
    pub trouble: Option<String>,
    /// When it is tried again, after one that failed.
    pub next_try_at_ms: Option<i64>,
    /// Events that are still to be sent.
    pub waiting: u64,
    pub created_at_ms: i64,
}

/// A subscriber that was just added.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct AddedSubscriber {
    pub subscriber: Subscriber,
    /// What its requests are signed with; never shown again.
    pub secret: String,
}

/// How far the sending of an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SendingState {
    Waiting,
    Sent,
    /// It was tried for days.
    GivenUp,
}

/// One event and one subscriber.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Sending {
    /// The event's.
    pub sequence: i64,
    pub kind: String,
    /// When it happened.
    pub at_ms: i64,
    pub state: SendingState,
    pub attempts: u32,
    /// The status of the newest answer; absent where there was none.
    pub status: Option<u16>,
    pub trouble: Option<String>,
    pub done_at_ms: Option<i64>,
}

/// What came of trying a subscriber out.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Trial {
    /// The status of the answer; absent where there was none.
    pub status: Option<u16>,
    /// Why it does not count as taken.
    pub trouble: Option<String>,
    pub millis: u64,
}

/// What is sent again.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Replayed {
    pub events: u64,
}

/// The body of a request to a subscriber.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HookEvent {
    /// What happened, such as `deployment.ready`.
    #[serde(rename = "type")]
    pub kind: String,
    /// When, by RFC 3339.
    pub timestamp: String,
    pub data: Happening,
}

/// What an event is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Happening {
    /// Grows with every event of the installation; 0 is a try.
    pub sequence: i64,
    pub installation: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<ProjectName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<NamespaceName>,
    /// The stable address of the preview, while there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deployment: Option<HookDeployment>,
    /// More about it, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub detail: BTreeMap<String, String>,
}

/// The deployment that an event is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HookDeployment {
    pub id: DeploymentId,
    pub environment: EnvironmentName,
    /// The address of exactly this deployment.
    pub url: String,
    /// Its page in the dashboard.
    pub page: String,
    /// Where its source comes from, when nobody sent it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<Revision>,
    /// Of `deployment.failed`: why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
}
