//! What happens, as a stream: from now on, or from a given event.

use std::collections::VecDeque;

use axum::extract::State;
use axum::response::Response;
use axum::response::sse::Event;
use axum::routing;
use control::Control;
use control::ops::OpError;
use control::view;
use http::HeaderMap;
use model::{DeploymentId, NamespaceName, ProjectName};
use schemars::JsonSchema;
use serde::Deserialize;

use super::describe::{Operation, operation};
use crate::extract::Query;
use crate::problem::Problem;
use crate::service::Web;
use crate::stream::{More, Source, stream};

/// Events of a page of the operation, at the most.
const PAGE: usize = 500;
/// The first step of the search for the newest event.
const FAR: i64 = 1 << 21;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "WhichEvents")]
pub(crate) struct Which {
    /// Begin after this event; 0 is the oldest that is kept. Absent: from now on.
    after: Option<i64>,
    project: Option<ProjectName>,
    namespace: Option<NamespaceName>,
    deployment: Option<DeploymentId>,
}

pub(super) fn operations() -> Vec<Operation> {
    vec![
        operation("GET /events", "followEvents", routing::get(follow))
            .says(
                "Streams what happens.",
                "From now on, or from a given event; it ends when either side does.",
            )
            .query::<Which>()
            .streams::<view::Event>("One event for each thing that happened; its `id` is its sequence.")
            .problems(&["too_many_followers"]),
    ]
}

pub(crate) async fn follow(
    State(web): State<Web>,
    Query(which): Query<Which>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let last = headers
        .get("last-event-id")
        .and_then(|id| id.to_str().ok()?.parse().ok());
    let after = match last.or(which.after) {
        Some(after) => after,
        None => newest(&web.control).await?,
    };
    stream(
        &web,
        Happenings {
            control: web.control.clone(),
            which,
            after,
        },
    )
}

struct Happenings {
    control: Control,
    which: Which,
    after: i64,
}

impl Which {
    fn takes(&self, event: &view::Event) -> bool {
        let matches = |wanted: bool, same: bool| !wanted || same;
        matches(self.project.is_some(), self.project == event.project)
            && matches(self.namespace.is_some(), self.namespace == event.namespace)
            && matches(self.deployment.is_some(), self.deployment == event.deployment)
    }
}

impl Source for Happenings {
    async fn more(&mut self) -> Result<More, OpError> {
        let page = self.control.events(self.after).await?;
        self.after = page.last().map_or(self.after, |last| last.sequence);
        let event = |event: &view::Event| {
            Event::default()
                .id(event.sequence.to_string())
                .data(serde_json::to_string(event).unwrap_or_default())
        };
        let events: VecDeque<Event> = page
            .iter()
            .filter(|event| self.which.takes(event))
            .map(event)
            .collect();
        Ok(More { events, ended: false })
    }

    async fn changed(&self) {
        self.control.events_changed().await;
    }
}

/// The sequence of the newest event, found with few questions: steps that grow shorter when they go too far.
async fn newest(control: &Control) -> Result<i64, OpError> {
    let (mut after, mut step) = (0, FAR);
    loop {
        let page = control.events(after + step).await?;
        match page.last() {
            Some(last) if page.len() < PAGE => return Ok(last.sequence),
            Some(last) => after = last.sequence,
            None if step == 0 => return Ok(after),
            None => step /= 8,
        }
    }
}
