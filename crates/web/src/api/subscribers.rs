//! Subscribers: who is told what happens, by signed requests.

use axum::Json as Answer;
use axum::extract::State;
use axum::routing;
use control::ops::{NewSubscriber, Replay};
use control::view;
use http::StatusCode;
use model::{ProjectName, SubscriberId};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::describe::{Operation, operation};
use crate::extract::{Json, Path};
use crate::problem::Problem;
use crate::service::Web;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewSubscriber")]
pub(crate) struct New {
    /// Where the requests go; http or https.
    url: String,
    /// Kinds of events, such as `deployment.ready` or `deployment.*`; empty or absent is all.
    #[serde(default)]
    kinds: Vec<String>,
    /// Only what happens to this project.
    project: Option<ProjectName>,
}

/// Exactly one of the two.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Again {
    /// The sequence of one event.
    #[serde(default, deserialize_with = "model::units::whole_or_null")]
    event: Option<i64>,
    /// Everything since then, in milliseconds since 1970.
    #[serde(default, deserialize_with = "model::units::whole_or_null")]
    since_ms: Option<i64>,
}

pub(super) fn operations() -> Vec<Operation> {
    let one = |line, id, handler| operation(line, id, handler).problems(&["not_found"]);
    vec![
        operation("GET /subscribers", "listSubscribers", routing::get(list))
            .says("Lists the subscribers.", "All of them, the oldest first.")
            .answers::<Vec<view::Subscriber>>(StatusCode::OK, "The subscribers."),
        operation("POST /subscribers", "addSubscriber", routing::post(add))
            .says(
                "Adds a subscriber.",
                "It is told of what happens from now on, by requests that are signed as Standard Webhooks says.",
            )
            .takes::<New>(json!({ "url": "https://ci.example.org/cygni", "kinds": ["deployment.ready", "preview.*"] }))
            .answers::<view::AddedSubscriber>(
                StatusCode::CREATED,
                "The subscriber, and its secret, which is never shown again.",
            )
            .leads(
                &["getSubscriber", "removeSubscriber", "listSendings"],
                &[("subscriber", "subscriber/id")],
            )
            .problems(&["invalid_url", "unknown_event_kind", "too_many_subscribers", "not_found"]),
        one("GET /subscribers/{subscriber}", "getSubscriber", routing::get(get))
            .says("Shows a subscriber.", "")
            .answers::<view::Subscriber>(StatusCode::OK, "The subscriber."),
        one("DELETE /subscribers/{subscriber}", "removeSubscriber", routing::delete(remove))
            .says("Removes a subscriber.", "What was still to be sent to it is forgotten.")
            .answers::<view::Subscriber>(StatusCode::OK, "The subscriber as it was."),
        one("POST /subscribers/{subscriber}/pause", "pauseSubscriber", routing::post(pause))
            .says(
                "Sends a subscriber nothing for a while.",
                "What happens meanwhile is sent when it is resumed, as far as the server remembers it.",
            )
            .answers::<view::Subscriber>(StatusCode::OK, "The subscriber."),
        one("POST /subscribers/{subscriber}/resume", "resumeSubscriber", routing::post(resume))
            .says("Goes on sending to a subscriber.", "At once, also after a failure.")
            .answers::<view::Subscriber>(StatusCode::OK, "The subscriber."),
        one("POST /subscribers/{subscriber}/test", "testSubscriber", routing::post(test))
            .says(
                "Sends a subscriber an event that has not happened.",
                "Its kind is `hook.test`; it is sent once, now.",
            )
            .answers::<view::Trial>(StatusCode::OK, "How it was answered."),
        one("POST /subscribers/{subscriber}/replay", "replay", routing::post(replay))
            .says(
                "Sends events again.",
                "With the id they had, so that a receiver can leave out what it knows.",
            )
            .takes::<Again>(json!({ "event": 42 }))
            .answers::<view::Replayed>(StatusCode::OK, "How many events.")
            .problems(&["invalid_replay"]),
        one("GET /subscribers/{subscriber}/sendings", "listSendings", routing::get(sendings))
            .says("Lists what was sent to a subscriber.", "The newest 100 events, and what came of each.")
            .answers::<Vec<view::Sending>>(StatusCode::OK, "The sendings, newest first."),
    ]
}

pub(crate) async fn list(State(web): State<Web>) -> Result<Answer<Vec<view::Subscriber>>, Problem> {
    Ok(Answer(web.control.subscribers().await?))
}

pub(crate) async fn add(
    State(web): State<Web>,
    Json(new): Json<New>,
) -> Result<(StatusCode, Answer<view::AddedSubscriber>), Problem> {
    let new = NewSubscriber {
        url: new.url,
        kinds: new.kinds,
        project: new.project,
    };
    Ok((
        StatusCode::CREATED,
        Answer(web.control.add_subscriber(new).await?),
    ))
}

pub(crate) async fn get(
    State(web): State<Web>,
    Path(id): Path<SubscriberId>,
) -> Result<Answer<view::Subscriber>, Problem> {
    Ok(Answer(web.control.subscriber(&id).await?))
}

pub(crate) async fn remove(
    State(web): State<Web>,
    Path(id): Path<SubscriberId>,
) -> Result<Answer<view::Subscriber>, Problem> {
    Ok(Answer(web.control.remove_subscriber(&id).await?))
}

pub(crate) async fn pause(
    State(web): State<Web>,
    Path(id): Path<SubscriberId>,
) -> Result<Answer<view::Subscriber>, Problem> {
    Ok(Answer(web.control.pause_subscriber(&id).await?))
}

pub(crate) async fn resume(
    State(web): State<Web>,
    Path(id): Path<SubscriberId>,
) -> Result<Answer<view::Subscriber>, Problem> {
    Ok(Answer(web.control.resume_subscriber(&id).await?))
}

pub(crate) async fn test(
    State(web): State<Web>,
    Path(id): Path<SubscriberId>,
) -> Result<Answer<view::Trial>, Problem> {
    Ok(Answer(web.control.test_subscriber(&id).await?))
}

pub(crate) async fn replay(
    State(web): State<Web>,
    Path(id): Path<SubscriberId>,
    Json(again): Json<Again>,
) -> Result<Answer<view::Replayed>, Problem> {
    let what = match (again.event, again.since_ms) {
        (Some(sequence), None) => Replay::Event(sequence),
        (None, Some(at_ms)) => Replay::Since(at_ms),
        _ => {
            let problem = Problem::impossible(
                "invalid_replay",
                "neither or both of `event` and `since_ms` are given",
            );
            return Err(problem.hint("Name one event, or a time."));
        }
    };
    Ok(Answer(web.control.replay(&id, what).await?))
}

pub(crate) async fn sendings(
    State(web): State<Web>,
    Path(id): Path<SubscriberId>,
) -> Result<Answer<Vec<view::Sending>>, Problem> {
    Ok(Answer(web.control.sendings(&id).await?))
}
