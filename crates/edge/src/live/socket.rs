//! The sockets of open pages (WebSocket, RFC 6455): each is told the deployment that its host serves, at first and after
//! every switch.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use http::header::{CONNECTION, HOST, ORIGIN, UPGRADE};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use model::DeploymentId;
use tokio::time::{interval, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_util::sync::CancellationToken;

use crate::answer::Reply;
use crate::page::Trouble;
use crate::proxy::Errand;
use crate::switched::Switched;
use crate::table::Tables;

/// Open pages of one host.
const SOCKETS_PER_HOST_MAX: usize = 64;
/// Open pages of all hosts.
const SOCKETS_MAX: usize = 1_024;
/// Pages say nothing; what one says all the same is small.
const MESSAGE_BYTES_MAX: usize = 1 << 10;
/// How often a silent page is asked whether it is there; one that does not answer until the next time is gone.
const PING_TIME: Duration = Duration::from_secs(30);
/// How long the change of protocol, or sending a few bytes, may take.
const SEND_TIME: Duration = Duration::from_secs(10);
/// How long a page may take to answer a close.
const LEAVE_TIME: Duration = Duration::from_secs(1);
/// Nobody works on the preview any more (`live.js` knows it).
const NOT_WATCHED: u16 = 4001;

/// All sockets of the edge.
pub(super) struct Sockets {
    tables: Arc<Tables>,
    switched: Switched,
    open: Arc<Mutex<HashMap<String, usize>>>,
}

/// The place of one socket, until it is dropped.
struct Place {
    open: Arc<Mutex<HashMap<String, usize>>>,
    host: String,
}

struct Socket {
    tables: Arc<Tables>,
    stop: CancellationToken,
    place: Place,
}

impl Sockets {
    pub(super) fn new(tables: Arc<Tables>, switched: Switched) -> Self {
        Self {
            tables,
            switched,
            open: Arc::default(),
        }
    }

    /// Agrees to change the protocol, for a page of the same origin.
    pub(super) fn open(&self, errand: &mut Errand) -> Result<Response<Reply>, Trouble> {
        let request = &mut errand.request;
        let Some(key) = wanted(request.headers()) else {
            return Err(Trouble::BadRequest {
                why: "Only a WebSocket of version 13 is offered here.",
            });
        };
        if !is_same_origin(request) {
            return Err(Trouble::BadRequest {
                why: "Its Origin is not that of the preview.",
            });
        }
        let accept = derive_accept_key(key.as_bytes());
        let Some(place) = self.place(&errand.host.name) else {
            return Err(Trouble::TooManyRequests {
                limit: SOCKETS_PER_HOST_MAX as u64,
            });
        };
        let socket = Socket {
            tables: self.tables.clone(),
            stop: self.switched.stop().clone(),
            place,
        };
        self.switched.spawn(socket.run(hyper::upgrade::on(request)));
        let mut response = Response::new(Reply::empty());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        if let Ok(accept) = HeaderValue::from_str(&accept) {
            headers.insert("sec-websocket-accept", accept);
        }
        Ok(response)
    }

    fn place(&self, host: &str) -> Option<Place> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.values().sum::<usize>() >= SOCKETS_MAX {
            return None;
        }
        let count = open.entry(host.to_owned()).or_default();
        if *count >= SOCKETS_PER_HOST_MAX {
            return None;
        }
        *count += 1;
        Some(Place {
            open: self.open.clone(),
            host: host.to_owned(),
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.host) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.host);
            }
        }
    }
}

impl Socket {
    async fn run(self, upgrade: OnUpgrade) {
        let stream = match timeout(SEND_TIME, upgrade).await {
            Ok(Ok(upgraded)) => TokioIo::new(upgraded),
            Ok(Err(_)) | Err(_) => return,
        };
        let config = WebSocketConfig::default()
            .max_message_size(Some(MESSAGE_BYTES_MAX))
            .max_frame_size(Some(MESSAGE_BYTES_MAX));
        let stream = WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await;
        if let Err(error) = self.converse(stream).await {
            tracing::debug!(host = self.place.host, %error, "the socket of a page ended early");
        }
    }

    async fn converse(&self, mut stream: WebSocketStream<TokioIo<Upgraded>>) -> Result<(), Error> {
        // Subscribed before the first look, so that no switch is missed.
        let mut swapped = self.tables.subscribe();
        let mut pings = interval(PING_TIME);
        pings.reset();
        let mut told: Option<DeploymentId> = None;
        let mut there = true;
        loop {
            match self.served() {
                None => return close(stream, NOT_WATCHED.into(), "nobody works on it any more").await,
                now if now != told => {
                    let text = serde_json::json!({ "deployment": now }).to_string();
                    send(&mut stream, Message::text(text)).await?;
                    told = now;
                }
                _ => {}
            }
            tokio::select! {
                changed = swapped.changed() => if changed.is_err() {
                    return close(stream, CloseCode::Away, "the platform ends").await;
                },
                () = self.stop.cancelled() => {
                    return close(stream, CloseCode::Away, "the platform ends").await;
                }
                message = stream.next() => match message {
                    Some(Ok(Message::Close(_))) | None => return Ok(()),
                    Some(message) => { message?; there = true; }
                },
                _ = pings.tick() => {
                    if !std::mem::take(&mut there) {
                        return Ok(());
                    }
                    send(&mut stream, Message::Ping(Default::default())).await?;
                }
            }
        }
    }

    /// What the host serves while it is watched.
    fn served(&self) -> Option<DeploymentId> {
        let table = self.tables.current();
        let route = table.routes.get(&self.place.host)?;
        route.deployment.clone().filter(|_| route.watched)
    }
}

async fn send(stream: &mut WebSocketStream<TokioIo<Upgraded>>, message: Message) -> Result<(), Error> {
    match timeout(SEND_TIME, stream.send(message)).await {
        Ok(sent) => sent,
        Err(_) => Err(Error::ConnectionClosed),
    }
}

async fn close(
    mut stream: WebSocketStream<TokioIo<Upgraded>>,
    code: CloseCode,
    reason: &'static str,
) -> Result<(), Error> {
    let frame = CloseFrame {
        code,
        reason: reason.into(),
    };
    send(&mut stream, Message::Close(Some(frame))).await?;
    // The other side answers with a close of its own, or goes.
    let gone = async { while let Some(Ok(_)) = stream.next().await {} };
    let _ = timeout(LEAVE_TIME, gone).await;
    Ok(())
}

/// The key of the wish for a WebSocket (RFC 6455, section 4.2.1).
fn wanted(headers: &HeaderMap) -> Option<HeaderValue> {
    let has = |name: http::HeaderName, word: &str| {
        headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .any(|given| given.trim().eq_ignore_ascii_case(word))
    };
    let version = headers.get("sec-websocket-version")?;
    (has(UPGRADE, "websocket") && has(CONNECTION, "upgrade") && version.as_bytes() == b"13")
        .then(|| headers.get("sec-websocket-key").cloned())
        .flatten()
}

/// Browsers send the origin with every WebSocket, and let any page open one to anywhere: this is the only guard.
fn is_same_origin<B>(request: &Request<B>) -> bool {
    let text = |value: Option<&HeaderValue>| value?.to_str().ok().map(str::to_ascii_lowercase);
    let headers = request.headers();
    let origin = text(headers.get(ORIGIN)).and_then(|origin| origin.parse::<Uri>().ok());
    let host = text(headers.get(HOST));
    match (origin.as_ref().and_then(Uri::authority), host) {
        (Some(origin), Some(host)) => origin.as_str() == host,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_origin_is_let_in() {
        let table = [
            (Some("http://a.localhost:7700"), true),
            (Some("HTTP://A.localhost:7700"), true),
            (Some("http://a.localhost"), false),
            (Some("http://b.localhost:7700"), false),
            (Some("http://a.localhost:7700.evil.example"), false),
            (Some("null"), false),
            (None, false),
        ];
        for (origin, same) in table {
            let mut request = Request::new(());
            request
                .headers_mut()
                .insert(HOST, HeaderValue::from_static("a.localhost:7700"));
            if let Some(origin) = origin {
                request
                    .headers_mut()
                    .insert(ORIGIN, HeaderValue::from_static(origin));
            }
            assert_eq!(is_same_origin(&request), same, "{origin:?}");
        }
    }

    #[test]
    fn places_are_bounded_and_given_back() {
        let (acknowledged, _) = tokio::sync::watch::channel(0);
        let tables = Tables::new(Arc::default(), acknowledged, crate::Activity::new(1));
        let switched = Switched::new(CancellationToken::new(), CancellationToken::new());
        let sockets = Sockets::new(Arc::new(tables), switched);
        let mut held: Vec<Place> = (0..SOCKETS_PER_HOST_MAX)
            .map(|_| sockets.place("a").unwrap())
            .collect();
        assert!(sockets.place("a").is_none());
        assert!(sockets.place("b").is_some(), "another host has its own");
        held.pop();
        assert!(sockets.place("a").is_some());
        held.clear();
        assert!(
            sockets.open.lock().unwrap().is_empty(),
            "nothing is remembered of hosts without pages"
        );
    }
}
