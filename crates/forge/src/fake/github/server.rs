//! The fake's HTTP: every call is recorded, checked against GitHub's description, answered or made to fail, and the
//! answer is checked as well.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::stream;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use reqwest::Url;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;

use super::access;
use super::faults::{Fault, Rule};
use super::openapi::spec;
use super::place::{Place, moved, place, segments};
use super::reply::{Reply, Request};
use super::routes;
use super::world::World;

/// A call that was made.
#[derive(Clone, Debug)]
pub struct Call {
    /// In lower case.
    pub method: String,
    pub path: String,
    pub query: String,
    /// `null` where there is none.
    pub body: Value,
    /// 0 where there was no answer.
    pub status: u16,
}

#[derive(Default)]
pub(super) struct Shared {
    pub(super) world: Mutex<World>,
    pub(super) rules: Mutex<Vec<Rule>>,
    pub(super) calls: Mutex<Vec<Call>>,
    pub(super) violations: Mutex<Vec<String>>,
}

type Answer = hyper::Response<BoxBody<Bytes, std::io::Error>>;

/// Serves until it is dropped.
pub(super) async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            return;
        };
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            let service = service_fn(|request| handle(&shared, request));
            let connection = hyper::server::conn::http1::Builder::new();
            // A fault ends the connection; whoever called notices.
            let _ = connection.serve_connection(TokioIo::new(stream), service).await;
        });
        while connections.try_join_next().is_some() {}
    }
}

/// A call as it came.
struct Raw {
    method: String,
    url: Url,
    body: Option<Value>,
    authorization: Option<String>,
    if_none_match: Option<String>,
}

async fn handle(shared: &Shared, request: hyper::Request<Incoming>) -> Result<Answer, std::io::Error> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(std::io::Error::other)?.to_bytes();
    let header = |name: &str| Some(parts.headers.get(name)?.to_str().ok()?.to_owned());
    let url = format!("http://localhost{}", parts.uri);
    let raw = Raw {
        method: parts.method.as_str().to_ascii_lowercase(),
        url: Url::parse(&url).map_err(std::io::Error::other)?,
        body: (!body.is_empty()).then(|| serde_json::from_slice(&body).unwrap_or(Value::Null)),
        authorization: header("authorization"),
        if_none_match: header("if-none-match"),
    };
    let fault = {
        let mut rules = shared.rules.lock().expect("nobody panics holding it");
        rules
            .iter_mut()
            .find_map(|rule| rule.strike(&raw.method, raw.url.path()))
    };
    let broken = || std::io::Error::other("made to fail");
    let reply = match fault {
        Some(Fault::Down) => {
            shared.record(&raw, 0);
            return Err(broken());
        }
        Some(Fault::DoneThenDown) => {
            shared.answer(&raw);
            return Err(broken());
        }
        Some(Fault::Hang) => {
            shared.record(&raw, 0);
            std::future::pending().await
        }
        Some(Fault::Truncated | Fault::Empty) | None => shared.answer(&raw),
        Some(fault) => return Ok(failing(shared, &raw, fault)),
    };
    Ok(finished(fault, reply))
}

/// The answer of a fault that answers.
fn failing(shared: &Shared, raw: &Raw, fault: Fault) -> Answer {
    let problem = |status, message: &str| Reply::problem(status, message);
    let reply = match fault {
        Fault::Unauthorized => problem(401, "Bad credentials"),
        Fault::Secondary { retry_after } => problem(403, "You have exceeded a secondary rate limit.")
            .with("retry-after", retry_after.as_secs().to_string()),
        Fault::Primary { reset_in } => {
            let reset = jiff::Timestamp::now() + reset_in;
            problem(403, "API rate limit exceeded for installation.")
                .with("x-ratelimit-remaining", "0".to_owned())
                .with("x-ratelimit-reset", reset.as_second().to_string())
        }
        Fault::Status(status) => problem(status, "made to fail"),
        Fault::Said(status, words) => problem(status, words),
        _ => Reply::empty(200),
    };
    let status = match fault {
        Fault::Page(status) => status,
        _ => reply.status,
    };
    shared.record(raw, status);
    let page = |status: u16, text: Bytes| {
        let mut answer = hyper::Response::new(full(text));
        *answer.status_mut() = hyper::StatusCode::from_u16(status).unwrap_or_default();
        answer
    };
    match fault {
        Fault::Page(status) => page(status, Bytes::from_static(b"<html>Unicorn!</html>")),
        Fault::NotJson => page(200, Bytes::from_static(b"<html>Please log in</html>")),
        Fault::Endless => {
            let chunk = Bytes::from(vec![b' '; 1 << 16]);
            let chunks = stream::repeat_with(move || Ok(Frame::data(chunk.clone())));
            hyper::Response::new(BodyExt::boxed(StreamBody::new(chunks)))
        }
        _ => finished(None, reply),
    }
}

fn full(bytes: Bytes) -> BoxBody<Bytes, std::io::Error> {
    Full::new(bytes)
        .map_err(|never: Infallible| match never {})
        .boxed()
}

fn finished(fault: Option<Fault>, mut reply: Reply) -> Answer {
    if fault == Some(Fault::Empty) {
        reply.headers.retain(|(name, _)| *name != "link");
        reply.body = reply.body.map(|_| json!([]));
    }
    let text = reply.body.map_or_else(String::new, |body| body.to_string());
    let bytes = Bytes::from(text);
    let body = match fault {
        Some(Fault::Truncated) => {
            let half = bytes.slice(..bytes.len() / 2);
            let cut = std::io::Error::other("made to fail");
            BodyExt::boxed(StreamBody::new(stream::iter([Ok(Frame::data(half)), Err(cut)])))
        }
        _ => full(bytes),
    };
    let mut answer = hyper::Response::builder().status(reply.status);
    for (name, value) in reply.headers {
        answer = answer.header(name, value);
    }
    answer.body(body).expect("headers of ours are valid")
}

impl Shared {
    pub(super) fn violation(&self, text: String) {
        self.violations
            .lock()
            .expect("nobody panics holding it")
            .push(text);
    }

    fn record(&self, raw: &Raw, status: u16) {
        self.calls.lock().expect("nobody panics holding it").push(Call {
            method: raw.method.clone(),
            path: raw.url.path().to_owned(),
            query: raw.url.query().unwrap_or_default().to_owned(),
            body: raw.body.clone().unwrap_or_default(),
            status,
        });
    }

    /// Does what is asked for and answers.
    fn answer(&self, raw: &Raw) -> Reply {
        let mut reply = self.routed(raw);
        if raw.method == "get" && reply.status == 200 {
            let text = reply.body.as_ref().map(Value::to_string).unwrap_or_default();
            let tag = data_encoding::HEXLOWER.encode(&Sha256::digest(text));
            let tag = format!("W/\"{tag}\"");
            if raw.if_none_match.as_ref() == Some(&tag) {
                reply.status = 304;
                reply.body = None;
            }
            reply = reply.with("etag", tag);
        }
        self.record(raw, reply.status);
        reply
            .with("x-ratelimit-limit", "5000".to_owned())
            .with("x-ratelimit-remaining", "4999".to_owned())
            .with("content-type", "application/json; charset=utf-8".to_owned())
    }

    fn routed(&self, raw: &Raw) -> Reply {
        let mut world = self.world.lock().expect("nobody panics holding it");
        let mut segments = segments(&raw.url);
        let repository = match place(&world, &mut segments) {
            Place::Repository(id) => id,
            Place::Elsewhere => 0,
            Place::Moved(id) => return moved(&world, (&raw.method, &raw.url), id),
        };
        let Some((route, parameters)) = routes::find(&raw.method, &segments) else {
            self.violation(format!(
                "{} {}: GitHub has no such call, or the fake does not know it",
                raw.method,
                raw.url.path()
            ));
            return Reply::not_found();
        };
        let query: BTreeMap<String, String> = raw.url.query_pairs().into_owned().collect();
        let operation = (route.method, route.template);
        for wrong in spec().check_call(operation, &query, raw.body.as_ref()) {
            self.violation(format!("call {} {}: {wrong}", raw.method, raw.url));
        }
        let actor = match access::actor(&world, raw.authorization.as_deref()) {
            Ok(actor) => actor,
            Err(reply) => return reply,
        };
        let request = Request {
            method: route.method,
            template: route.template,
            path: raw.url.path().to_owned(),
            parameters,
            query,
            body: raw.body.clone().unwrap_or_default(),
            actor,
            repository,
        };
        let reply = routes::answer(&mut world, route, &request);
        for wrong in spec().check_answer(operation, reply.status, reply.body.as_ref()) {
            self.violation(format!(
                "answer {} to {} {}: {wrong}",
                reply.status, raw.method, raw.url
            ));
        }
        reply
    }
}
