//! What control needs of the edge, without knowing it: a place to put route tables, the generation it serves from, wake
//! requests, how busy instances are, and an answer fetched through the public route; and how forges and subscribers are
//! reached.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use forge::Forge;
use forge::settings::{OpenError, Reach, Settings};
use model::plan::Health;
use model::route::RouteTable;
use model::{DeploymentId, InstanceId};
use tokio::sync::{mpsc, watch};

/// The ends of the channels to the edge that control holds.
pub struct EdgeLinks {
    pub tables: watch::Sender<Arc<RouteTable>>,
    /// The generation that the edge serves from.
    pub acknowledged: watch::Receiver<u64>,
    /// Instances that a request waits for.
    pub wakes: mpsc::Receiver<InstanceId>,
    pub activity: Arc<dyn Activity>,
    pub probe: Arc<dyn Probe>,
}

/// How forges are reached from here.
pub fn forges_within(reach: Reach) -> OpenForges {
    Arc::new(move |settings| forge::settings::open(settings, &reach))
}

/// Makes what talks to a forge with these settings; nothing is asked yet.
pub type OpenForges = Arc<dyn Fn(&Settings) -> Result<Arc<dyn Forge>, OpenError> + Send + Sync>;

/// How busy an instance is, as the edge sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Busy {
    /// Milliseconds since 1970 of its last request; 0 is never.
    pub last_request_at_ms: i64,
    /// Requests and upgraded connections that are open now.
    pub in_flight: u64,
}

/// Tells how busy instances are.
pub trait Activity: Send + Sync {
    fn of(&self, instance: &InstanceId) -> Busy;
}

/// What is fetched, and what counts as an answer.
#[derive(Clone, Debug)]
pub struct Check {
    /// Host name, without port.
    pub host: String,
    /// Who must have answered.
    pub deployment: DeploymentId,
    pub health: Health,
}

/// Why the public route did not answer as it must.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// The application answered, with a status that does not count as healthy.
    #[error("`{path}` answered with status {status}")]
    Unhealthy { path: String, status: u16 },
    /// The application took the connection and gave no answer.
    #[error("`{path}` gave no answer: {why}")]
    Silent { path: String, why: String },
    /// The edge itself could not be asked, or answered for another deployment.
    #[error("the edge did not answer for {deployment}: {why}")]
    Edge { deployment: DeploymentId, why: String },
}

/// Fetches through the edge, as a visitor would.
#[async_trait]
pub trait Probe: Send + Sync {
    /// Asks again and again until the check holds or its time-out has passed; then gives the last reason.
    async fn answer(&self, check: &Check) -> Result<(), NoAnswer>;
}

/// A request to a subscriber.
#[derive(Clone, Debug)]
pub struct Outgoing {
    pub url: String,
    pub headers: Vec<(&'static str, String)>,
    /// JSON.
    pub body: String,
}

/// How it was answered; what the answer says besides is of no interest.
#[derive(Clone, Copy, Debug)]
pub struct Answered {
    pub status: u16,
    /// How long it asks us to wait.
    pub retry_after: Option<Duration>,
}

/// Makes requests to subscribers.
#[async_trait]
pub trait Sender: Send + Sync {
    /// One request, which follows nothing and is not made again. An error says why there was no answer.
    async fn send(&self, outgoing: Outgoing) -> Result<Answered, String>;
}
