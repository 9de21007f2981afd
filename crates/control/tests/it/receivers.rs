//! Receivers of subscribers in memory, with a [`Lifeline`] between control and them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use control::links::{Answered, Outgoing, Sender};

use crate::faults::{Lifeline, Seam};

/// Whoever listens at any address. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct FakeReceivers {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    taken: Vec<Outgoing>,
    /// Requests that were made, whatever came of them.
    requests: usize,
    statuses: HashMap<String, u16>,
}

impl FakeReceivers {
    /// The receiver at `url` answers with `status` from now on; 204 where nothing is said.
    pub(crate) fn answer(&self, url: &str, status: u16) {
        self.state.lock().unwrap().statuses.insert(url.to_owned(), status);
    }

    pub(crate) fn requests(&self) -> usize {
        self.state.lock().unwrap().requests
    }

    /// The ids and bodies that the receiver at `url` took, each once, in the order in which they came first.
    pub(crate) fn taken(&self, url: &str) -> Vec<serde_json::Value> {
        let state = self.state.lock().unwrap();
        let mut ids = Vec::new();
        let mut bodies = Vec::new();
        for outgoing in state.taken.iter().filter(|outgoing| outgoing.url == url) {
            let (name, id) = &outgoing.headers[0];
            assert_eq!(*name, "webhook-id");
            if !ids.contains(id) {
                ids.push(id.clone());
                bodies.push(serde_json::from_str(&outgoing.body).unwrap());
            }
        }
        bodies
    }

    fn take(&self, outgoing: Outgoing) -> Answered {
        let mut state = self.state.lock().unwrap();
        state.requests += 1;
        let status = state.statuses.get(&outgoing.url).copied().unwrap_or(204);
        if status < 300 {
            state.taken.push(outgoing);
        }
        Answered {
            status,
            retry_after: None,
        }
    }
}

#[async_trait]
impl Sender for FakeReceivers {
    async fn send(&self, outgoing: Outgoing) -> Result<Answered, String> {
        Ok(self.take(outgoing))
    }
}

pub(crate) struct OutsideSender {
    pub(crate) receivers: FakeReceivers,
    pub(crate) line: Lifeline,
}

#[async_trait]
impl Sender for OutsideSender {
    async fn send(&self, outgoing: Outgoing) -> Result<Answered, String> {
        let work = async { Ok(self.receivers.take(outgoing)) };
        let refused = || Err("the story wants it".to_owned());
        self.line.call(Seam::Sender, work, refused).await
    }
}
