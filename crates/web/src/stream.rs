//! Event streams (server-sent events, WHATWG HTML, section 9.2): the lines of a log, and what happens.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use control::ops::OpError;
use futures_util::stream::{self, Stream};
use http::StatusCode;
use tokio::sync::OwnedSemaphorePermit;

use crate::problem::Problem;
use crate::service::Web;

/// A comment is sent when nothing else was for so long, so that connections are not taken for dead.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Something that can be asked for more.
pub(crate) trait Source: Send + 'static {
    /// What there is now; `ended` once nothing more will come.
    fn more(&mut self) -> impl Future<Output = Result<More, OpError>> + Send;
    /// Waits until there may be more; bounded.
    fn changed(&self) -> impl Future<Output = ()> + Send;
}

/// A piece of a stream.
pub(crate) struct More {
    pub(crate) events: VecDeque<Event>,
    pub(crate) ended: bool,
}

struct State<S> {
    source: S,
    pending: VecDeque<Event>,
    ended: bool,
    web: Web,
    /// Given back when the stream is dropped.
    _place: OwnedSemaphorePermit,
}

/// Streams `source` until it ends, the server closes, or whoever reads goes away.
pub(crate) fn stream<S: Source>(web: &Web, source: S) -> Result<Response, Problem> {
    let place = web.shared.followers.clone().try_acquire_owned().map_err(|_| {
        Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "too_many_followers",
            "too many event streams are open",
        )
        .hint("Close some, or ask for pages.")
    })?;
    let state = State {
        source,
        pending: VecDeque::new(),
        ended: false,
        web: web.clone(),
        _place: place,
    };
    let events: std::pin::Pin<Box<dyn Stream<Item = Result<Event, Infallible>> + Send>> =
        Box::pin(stream::unfold(state, step));
    let keep_alive = KeepAlive::new().interval(KEEP_ALIVE);
    let mut response = Sse::new(events).keep_alive(keep_alive).into_response();
    // Proxies in front of us must hand the events on as they come.
    response
        .headers_mut()
        .insert("x-accel-buffering", http::HeaderValue::from_static("no"));
    Ok(response)
}

async fn step<S: Source>(mut state: State<S>) -> Option<(Result<Event, Infallible>, State<S>)> {
    loop {
        if let Some(event) = state.pending.pop_front() {
            return Some((Ok(event), state));
        }
        if state.ended || state.web.shared.closing.is_cancelled() {
            return None;
        }
        match state.source.more().await {
            Ok(more) => {
                state.ended = more.ended;
                state.pending = more.events;
                if state.ended {
                    state.pending.push_back(Event::default().event("end").data("{}"));
                }
            }
            // What was followed is gone, or cannot be read: whoever follows asks again and is told.
            Err(_) => return None,
        }
        if state.pending.is_empty() {
            let closing = state.web.shared.closing.clone();
            tokio::select! {
                () = state.source.changed() => {}
                () = closing.cancelled() => return None,
            }
        }
    }
}
