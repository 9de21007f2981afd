//! What control and edge need of each other, each in its own words.

use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use control::links::{Activity, Busy};
use model::InstanceId;
use provider::Provider;
use tokio::net::TcpStream;

/// Connections of the edge are made by the provider.
pub(super) struct Dialer(pub(super) Arc<dyn Provider>);

#[async_trait]
impl edge::Dial for Dialer {
    async fn dial(&self, instance: &InstanceId, port: u16) -> io::Result<TcpStream> {
        self.0.dial(instance, port).await
    }
}

/// Control asks the edge how busy an instance is.
pub(super) struct Load(pub(super) edge::Activity);

impl Activity for Load {
    fn of(&self, instance: &InstanceId) -> Busy {
        let load = self.0.of(instance);
        Busy {
            last_request_at_ms: load.last_request_at_ms,
            in_flight: load.in_flight,
        }
    }
}
