//! Logs: page by page, or as a stream that ends when the log does.
//!
//! A stream can be taken up again: the id of a line is the cursor of its page and its place in it.

use std::collections::VecDeque;

use axum::Json as Answer;
use axum::extract::State;
use axum::response::sse::Event;
use axum::response::{IntoResponse, Response};
use axum::routing;
use control::Control;
use control::ops::OpError;
use control::view::{self, LogKind, LogSource};
use http::{HeaderMap, StatusCode, header};
use model::DeploymentId;
use model::limits::INSTANCES_MAX;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de};

use super::deployments::find;
use super::describe::{Operation, operation};
use crate::extract::{Path, Query};
use crate::problem::Problem;
use crate::service::Web;
use crate::stream::{More, Source, stream};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "WhichLog")]
pub(crate) struct Which {
    #[serde(default = "build")]
    kind: LogKind,
    /// Of a runtime log: the number of the instance, from 1, which is the first.
    #[serde(default, deserialize_with = "replica")]
    #[schemars(range(min = 1, max = 8))]
    instance: Option<u32>,
    /// Where to begin: 0, or what `next` of the page before said.
    #[serde(default)]
    from: u64,
    #[serde(default)]
    follow: bool,
}

/// The number of an instance.
fn replica<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    let number = Option::<u32>::deserialize(deserializer)?;
    match number {
        Some(0) => Err(de::Error::custom("instances are counted from 1")),
        Some(number) if number > INSTANCES_MAX => Err(de::Error::custom(format!(
            "there are at most {INSTANCES_MAX} instances"
        ))),
        number => Ok(number),
    }
}

impl Which {
    fn source(&self) -> LogSource {
        LogSource {
            kind: self.kind,
            instance: self.instance,
        }
    }
}

pub(super) fn operations() -> Vec<Operation> {
    vec![
        operation("GET /deployments/{deployment}/logs", "getLog", routing::get(get))
            .says(
                "Gives a log, page by page or as a stream.",
                "With `follow=true`, or where `Accept` asks for `text/event-stream`, it is a stream that ends when the log does.",
            )
            .query::<Which>()
            .answers::<view::LogPage>(StatusCode::OK, "A page of at most 1,000 lines, or the stream.")
            .streams::<view::LogLine>("One event for each line.")
            .problems(&["not_found", "ambiguous", "too_many_followers"]),
    ]
}

pub(crate) async fn get(
    State(web): State<Web>,
    Path(text): Path<String>,
    Query(which): Query<Which>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let id = find(&web, &text).await?.id;
    let accept = headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .unwrap_or("");
    if !which.follow && !accept.contains("text/event-stream") {
        return Ok(Answer(web.control.log(&id, which.source(), which.from).await?).into_response());
    }
    let last = headers
        .get("last-event-id")
        .and_then(|id| id.to_str().ok())
        .and_then(parse);
    let place = last.unwrap_or(Place {
        from: which.from,
        taken: 0,
    });
    stream(
        &web,
        Lines {
            control: web.control.clone(),
            id,
            source: which.source(),
            place,
        },
    )
}

/// How far a reader has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    /// The cursor of a page.
    from: u64,
    /// Lines of that page that were read.
    taken: usize,
}

fn parse(text: &str) -> Option<Place> {
    let (from, taken) = text.split_once('.')?;
    Some(Place {
        from: from.parse().ok()?,
        taken: taken.parse().ok()?,
    })
}

struct Lines {
    control: Control,
    id: DeploymentId,
    source: LogSource,
    place: Place,
}

impl Source for Lines {
    async fn more(&mut self) -> Result<More, OpError> {
        let Place { from, taken } = self.place;
        let page = self.control.log(&self.id, self.source, from).await?;
        let last = page.lines.len();
        let mut events = VecDeque::new();
        for (index, line) in page.lines.iter().enumerate().skip(taken) {
            let id = if index + 1 == last {
                format!("{}.0", page.next)
            } else {
                format!("{from}.{}", index + 1)
            };
            let data = serde_json::to_string(line).unwrap_or_default();
            events.push_back(Event::default().id(id).data(data));
        }
        self.place = if last == 0 {
            Place {
                from: page.next,
                taken,
            }
        } else {
            Place {
                from: page.next,
                taken: 0,
            }
        };
        Ok(More {
            events,
            ended: page.ended,
        })
    }

    async fn changed(&self) {
        self.control.log_changed(&self.id, self.source.kind).await;
    }
}

fn build() -> LogKind {
    LogKind::Build
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_back() {
        assert_eq!(parse("120.7"), Some(Place { from: 120, taken: 7 }));
        assert_eq!(parse("120"), None);
        assert_eq!(parse("x.-1"), None);
    }
}
