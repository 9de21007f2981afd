//! A request passed on to an instance, and its answer passed back, both streamed.
//!
//! Guards against an application that does not answer, breaks off, or answers what is not HTTP, and against asking
//! twice for something that changes the world: only safe requests without a body are sent a second time, and only when
//! a kept connection turned out to be dead.

mod connector;
mod cookies;
mod download;
mod headers;
mod tunnel;

use std::sync::Arc;
use std::time::Duration;

use http::{Method, Request, Response, StatusCode, Uri, Version, request};
use http_body::Body as _;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use model::InstanceId;
use tokio_util::sync::CancellationToken;

use self::connector::Connector;
use self::download::Download;
use self::headers::Forwarded;
use self::tunnel::Tunnel;
use crate::Peer;
use crate::activity::{Standing, Ticket};
use crate::answer::{Body, empty, strip_ours};
use crate::hold::Wakes;
use crate::host::Host;
use crate::options::{Dial, EdgeLimits, EdgeOptions};
use crate::page::Trouble;
use crate::upload::{Progress, Upload, UploadError};

/// Passes requests on.
pub(crate) struct Proxy {
    /// Connections are kept and used again.
    pooled: Client<Connector, Body>,
    /// Every request has a connection of its own; for the second try.
    fresh: Client<Connector, Body>,
    limits: EdgeLimits,
    public_scheme: String,
    public_port: Option<u16>,
    wakes: Arc<Wakes>,
    stop: CancellationToken,
}

/// A request with what the edge knows of it.
pub(crate) struct Errand {
    pub(crate) peer: Peer,
    pub(crate) host: Host,
    pub(crate) request: Request<Incoming>,
}

/// Who waits for an answer, and how long.
struct Waiting<'a> {
    instance: &'a InstanceId,
    ticket: &'a Ticket,
    progress: &'a Progress,
}

impl Proxy {
    pub(crate) fn new(
        options: &EdgeOptions,
        dialer: Arc<dyn Dial>,
        wakes: Arc<Wakes>,
        stop: CancellationToken,
    ) -> Self {
        let limits = options.limits.clone();
        let connector = Connector::new(dialer, limits.dial_time);
        let client = |idle_max: usize| {
            Client::builder(TokioExecutor::new())
                .pool_timer(TokioTimer::new())
                .pool_idle_timeout(limits.pool_idle_time)
                .pool_max_idle_per_host(idle_max)
                .retry_canceled_requests(true)
                .set_host(false)
                .build(connector.clone())
        };
        Self {
            pooled: client(limits.pool_idle_max),
            fresh: client(0),
            public_scheme: options.public_scheme.clone(),
            public_port: options.public_port,
            limits: limits.clone(),
            wakes,
            stop,
        }
    }

    /// Has `errand` answered by `port` of the instance. `ticket` lives as long as the answer does.
    pub(crate) async fn forward(
        &self,
        errand: Errand,
        (instance, port): (&InstanceId, u16),
        ticket: Ticket,
    ) -> Result<Response<Body>, Trouble> {
        let Errand {
            peer,
            host,
            mut request,
        } = errand;
        let limit_bytes = self.limits.request_body_bytes_max;
        if request.body().size_hint().lower() > limit_bytes {
            return Err(Trouble::TooLarge { limit_bytes });
        }
        let upgrade = headers::upgrade_of(request.headers());
        let visitor = upgrade.is_some().then(|| hyper::upgrade::on(&mut request));
        let (mut head, body) = request.into_parts();
        head.uri = target(instance, port, &head.uri)?;
        head.version = Version::HTTP_11;
        head.extensions.clear();
        let forwarded = Forwarded {
            peer: peer.0.ip(),
            host: &host,
            scheme: &self.public_scheme,
            port: self.public_port,
        };
        headers::prepare(&mut head.headers, &forwarded, upgrade);
        let (upload, progress) = Upload::new(body, &self.limits);
        let waiting = Waiting {
            instance,
            ticket: &ticket,
            progress: &progress,
        };
        let mut response = self.exchange(head, upload, waiting).await?;

        let switched = response.status() == StatusCode::SWITCHING_PROTOCOLS;
        headers::clean(response.headers_mut(), switched);
        cookies::narrow(response.headers_mut(), &host.name);
        strip_ours(response.headers_mut());
        if switched {
            let visitor = visitor.ok_or(Trouble::UpstreamInvalid)?;
            let application = hyper::upgrade::on(&mut response);
            let tunnel = Tunnel {
                idle_time: self.limits.stream_idle_time,
                stop: self.stop.clone(),
                ticket,
            };
            tokio::spawn(tunnel.run(visitor, application));
            return Ok(response.map(|_| empty()));
        }
        let stop = is_event_stream(&response).then(|| self.stop.clone());
        Ok(response
            .map(|body| Download::new(body, ticket, self.limits.stream_idle_time, stop).boxed_unsync()))
    }

    /// Sends the request, a second time where that is safe.
    async fn exchange(
        &self,
        head: request::Parts,
        upload: Upload,
        waiting: Waiting<'_>,
    ) -> Result<Response<Incoming>, Trouble> {
        let safe =
            matches!(head.method, Method::GET | Method::HEAD | Method::OPTIONS) && upload.is_end_stream();
        let again = safe.then(|| Request::from_parts(head.clone(), empty()));
        let first = Request::from_parts(head, upload.boxed_unsync());
        let error = match self.attempt(&self.pooled, first, &waiting).await? {
            Ok(response) => return Ok(response),
            Err(error) => error,
        };
        let error = match again {
            Some(again) if broke_off(&error) => match self.attempt(&self.fresh, again, &waiting).await? {
                Ok(response) => return Ok(response),
                Err(error) => error,
            },
            _ => error,
        };
        let trouble = explain(&error);
        if trouble == Trouble::Unreachable {
            // It may have crashed: whoever makes instances exist should look.
            self.wakes.ask(waiting.instance);
        }
        tracing::debug!(instance = %waiting.instance, error = &error as &dyn std::error::Error, "no answer");
        Err(trouble)
    }

    /// One try: the head of the answer, the error of the connection, or the end of patience.
    async fn attempt(
        &self,
        client: &Client<Connector, Body>,
        request: Request<Body>,
        waiting: &Waiting<'_>,
    ) -> Result<Result<Response<Incoming>, Error>, Trouble> {
        let mut answer = std::pin::pin!(client.request(request));
        let mut standing = waiting.ticket.standing();
        let patience = self.limits.response_head_time;
        let mut late = std::pin::pin!(waiting.progress.still_for(patience));
        let mut again = tokio::time::interval(Duration::from_secs(1));
        loop {
            let now = *standing.borrow_and_update();
            match now {
                Standing::Dropped => return Err(Trouble::Dropped),
                // It was put to sleep although this request was on its way: it must wake to answer.
                Standing::Asleep => self.wakes.ask(waiting.instance),
                Standing::Serving => {}
            }
            tokio::select! {
                result = &mut answer => return Ok(result),
                () = &mut late => return Err(Trouble::UpstreamTimeout { seconds: patience.as_secs() }),
                _ = standing.changed() => {}
                _ = again.tick(), if now == Standing::Asleep => {}
            }
        }
    }
}

/// The instance and port in the place of a host, as the pool's key; the path as it came.
fn target(instance: &InstanceId, port: u16, uri: &Uri) -> Result<Uri, Trouble> {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let target = Uri::builder()
        .scheme("http")
        .authority(format!("{instance}:{port}"))
        .path_and_query(path);
    target.build().map_err(|_| Trouble::BadRequest {
        why: "Its target is not a path.",
    })
}

/// Whether the application ended the connection before it answered.
fn broke_off(error: &Error) -> bool {
    !error.is_connect()
        && sources(error).any(|source| {
            let of_hyper = source.downcast_ref::<hyper::Error>();
            of_hyper.is_some_and(|error| {
                error.is_incomplete_message() || error.is_canceled() || error.is_closed()
            }) || source.downcast_ref::<std::io::Error>().is_some()
        })
}

fn explain(error: &Error) -> Trouble {
    if error.is_connect() {
        return Trouble::Unreachable;
    }
    if let Some(error) = sources(error).find_map(|source| source.downcast_ref::<UploadError>()) {
        return (*error).into();
    }
    let invalid = sources(error).filter_map(|source| source.downcast_ref::<hyper::Error>());
    match invalid
        .into_iter()
        .any(|error| error.is_parse() || error.is_parse_too_large())
    {
        true => Trouble::UpstreamInvalid,
        false => Trouble::UpstreamClosed,
    }
}

fn sources<'a>(error: &'a Error) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(std::error::Error::source(error), |error| error.source())
}

fn is_event_stream<B>(response: &Response<B>) -> bool {
    let kind = response
        .headers()
        .get(http::header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    kind.is_some_and(|kind| {
        kind.trim_start()
            .to_ascii_lowercase()
            .starts_with("text/event-stream")
    })
}
