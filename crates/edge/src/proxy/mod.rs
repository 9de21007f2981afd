//! A request passed on to an instance, and its answer passed back, both streamed.
//!
//! Guards against an application that does not answer, breaks off, or answers what is not HTTP, and against asking
//! twice for something that changes the world. What an instance has heard nothing of goes to another one, whatever it is.
//! What it may have heard is sent once more at the most, and only where it is safe and has no body: to
//! another instance, or on a new connection where a kept one turned out to be dead and there is no other instance.

mod cookies;
mod download;
mod exchange;
mod frames;
mod framing;
mod head;
mod pool;
mod request;
mod tunnel;
mod wire;

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use http::{Request, Response, StatusCode};
use http_body::Body as _;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use model::InstanceId;
use model::route::Replica;
use tokio::time::Instant;

use self::download::Download;
use self::exchange::{Broken, Exchange, Left, Order, sending};
use self::head::Head;
use self::request::{Forwarded, upgrade_of};
use self::tunnel::Tunnel;
use self::wire::Wire;
use crate::Peer;
use crate::activity::{Standing, Ticket};
use crate::answer::Reply;
use crate::balance::Choice;
use crate::hold::Wakes;
use crate::host::Host;
use crate::options::{Dial, EdgeLimits, EdgeOptions};
use crate::page::{Reader, Trouble};
use crate::switched::Switched;
use crate::upload::{Upload, UploadError};

pub(crate) use self::pool::Pool;

/// Whoever waits longer than this for an instance is told when it is put to sleep or dropped; shorter waits are not
/// worth the listening.
const ATTENTION_TIME: Duration = Duration::from_millis(50);
/// How often a wake is asked for while a request waits for an instance that was put to sleep under it.
const ASK_TIME: Duration = Duration::from_secs(1);

/// Passes requests on.
pub(crate) struct Proxy {
    dialer: Arc<dyn Dial>,
    limits: EdgeLimits,
    public_scheme: String,
    public_port: Option<u16>,
    wakes: Arc<Wakes>,
    switched: Switched,
}

/// A request with what the edge knows of it.
pub(crate) struct Errand {
    pub(crate) peer: Peer,
    pub(crate) host: Host,
    pub(crate) request: Request<Incoming>,
    /// The worker whose connection it came on.
    pub(crate) worker: usize,
}

/// Where it goes, and the count of it.
pub(crate) struct Way<'a> {
    pub(crate) instance: &'a InstanceId,
    pub(crate) port: u16,
    /// Lives as long as the answer does.
    pub(crate) ticket: Ticket,
    pub(crate) worker: usize,
    /// Who else can answer.
    pub(crate) choice: Choice<'a>,
}

impl Way<'_> {
    /// Goes to another instance; whether there is one.
    fn turn(&mut self, host: &Host) -> bool {
        let Some((Replica { instance, port, .. }, ticket)) = self.choice.next(self.instance, &host.name)
        else {
            return false;
        };
        (self.instance, self.port, self.ticket) = (instance, *port, ticket);
        true
    }
}

/// What becomes of a connection after its answer.
#[derive(Clone, Copy)]
struct Keeping {
    worker: usize,
    max: usize,
}

impl Keeping {
    fn keep(self, ticket: &Ticket, wire: Wire) {
        ticket.pool().keep(self.worker, wire, self.max);
    }
}

impl Proxy {
    pub(crate) fn new(
        options: &EdgeOptions,
        dialer: Arc<dyn Dial>,
        wakes: Arc<Wakes>,
        switched: Switched,
    ) -> Self {
        Self {
            dialer,
            public_scheme: options.public_scheme.clone(),
            public_port: options.public_port,
            limits: options.limits.clone(),
            wakes,
            switched,
        }
    }

    /// Has `errand` answered by an instance.
    pub(crate) async fn forward(
        &self,
        errand: Errand,
        mut way: Way<'_>,
        reader: &Reader,
    ) -> Result<Response<Reply>, Trouble> {
        let Errand {
            peer,
            host,
            mut request,
            ..
        } = errand;
        let limit_bytes = self.limits.request_body_bytes_max;
        if request.body().size_hint().lower() > limit_bytes {
            return Err(Trouble::TooLarge { limit_bytes });
        }
        let upgrade = upgrade_of(request.headers());
        let visitor = upgrade.is_some().then(|| hyper::upgrade::on(&mut request));
        let (parts, body) = request.into_parts();
        let body = Upload::new(body, &self.limits);
        let forwarded = Forwarded {
            peer: peer.0.ip(),
            host: &host,
            scheme: &self.public_scheme,
            port: self.public_port,
            request_id: &reader.request_id,
        };
        let head = request::write(&parts, &forwarded, sending(&body), upgrade.as_ref());
        let order = Order::new((parts.method, upgrade.is_some()), head, body);
        let (exchange, head) = self.exchange(order, &mut way, &host).await?;

        let mut response = Response::new(());
        *response.status_mut() = head.status;
        *response.headers_mut() = head.headers;
        cookies::narrow(response.headers_mut(), &host.name);
        let ticket = way.ticket;
        if head.status == StatusCode::SWITCHING_PROTOCOLS {
            let visitor = visitor.ok_or(Trouble::UpstreamInvalid)?;
            let tunnel = Tunnel {
                idle_time: self.limits.stream_idle_time,
                stop: self.switched.stop().clone(),
                ticket,
                is_websocket: is_websocket(&response),
            };
            self.switched
                .spawn(tunnel.run(visitor, exchange.wire.into_parts()));
            return Ok(response.map(|()| Reply::empty()));
        }
        let stop = is_event_stream(&response).then(|| self.switched.stop().clone());
        let keeping = Keeping {
            worker: way.worker,
            max: self.limits.pool_idle_max,
        };
        let times = (keeping, self.limits.stream_idle_time);
        let download = Download::new(exchange, ticket, times, stop);
        Ok(response.map(|()| Reply::Stream(download.boxed_unsync())))
    }

    /// Sends the request, and again where that is safe.
    async fn exchange(
        &self,
        mut order: Order,
        way: &mut Way<'_>,
        host: &Host,
    ) -> Result<(Exchange, Head), Trouble> {
        let (mut sent, mut anew) = (false, false);
        loop {
            let wire = match self.wire(way, anew).await {
                Ok(wire) => wire,
                Err(trouble) => {
                    way.ticket.doubt();
                    match way.turn(host) {
                        true => continue,
                        false => return Err(trouble),
                    }
                }
            };
            let was_kept = wire.was_kept();
            let mut exchange = Exchange::new(wire, order);
            let error = match self.head(&mut exchange, way).await? {
                Ok(head) => return Ok((exchange, head)),
                Err(error) => error,
            };
            order = match exchange.left(&error) {
                Left::Unsent(order) => order,
                Left::Safe(order) if !std::mem::replace(&mut sent, true) => order,
                Left::Safe(_) | Left::Spent => return Err(no_answer(way, error)),
            };
            // A kept connection can end at any moment, which says little of its instance.
            if !was_kept {
                way.ticket.doubt();
            }
            if !way.turn(host) && !was_kept {
                return Err(no_answer(way, error));
            }
            anew = true;
        }
    }

    /// A connection to where it goes: a kept one unless it shall be made `anew`.
    async fn wire(&self, way: &Way<'_>, anew: bool) -> Result<Wire, Trouble> {
        let pool = way.ticket.pool();
        let take = || pool.take(way.worker, way.port, self.limits.pool_idle_time);
        match (!anew).then(take).flatten() {
            Some(wire) => Ok(wire),
            None => self.dial(way).await,
        }
    }

    /// A new connection.
    async fn dial(&self, way: &Way<'_>) -> Result<Wire, Trouble> {
        let dialed =
            tokio::time::timeout(self.limits.dial_time, self.dialer.dial(way.instance, way.port)).await;
        let error = match dialed {
            // Requests must not wait for an acknowledgement of what went before.
            Ok(Ok(stream)) => match stream.set_nodelay(true) {
                Ok(()) => return Ok(Wire::new(stream, way.port)),
                Err(error) => error,
            },
            Ok(Err(error)) => error,
            Err(_) => std::io::ErrorKind::TimedOut.into(),
        };
        tracing::debug!(instance = %way.instance, %error, "not reached");
        // It may have crashed: whoever makes instances exist should look.
        self.wakes.ask(way.instance);
        Err(Trouble::Unreachable)
    }

    /// The head of the answer, the error of the connection, or the end of patience.
    async fn head(&self, exchange: &mut Exchange, way: &Way<'_>) -> Result<Result<Head, Broken>, Trouble> {
        let patience = self.limits.response_head_time;
        exchange
            .wire
            .alarm
            .set_at(exchange.moved_at() + ATTENTION_TIME.min(patience));
        if let Some(answer) = head_or_alarm(exchange).await {
            return Ok(answer);
        }
        let mut standing = way.ticket.standing();
        loop {
            let now = *standing.borrow_and_update();
            match now {
                Standing::Dropped => return Err(Trouble::Dropped),
                // It was put to sleep although this request was on its way: it must wake to answer.
                Standing::Asleep => self.wakes.ask(way.instance),
                Standing::Serving => {}
            }
            let until = exchange.moved_at() + patience;
            if Instant::now() >= until {
                return Err(Trouble::UpstreamTimeout {
                    seconds: patience.as_secs(),
                });
            }
            let ask_again = Instant::now() + ASK_TIME;
            let look = if now == Standing::Asleep {
                until.min(ask_again)
            } else {
                until
            };
            exchange.wire.alarm.set_at(look);
            tokio::select! {
                answer = head_or_alarm(exchange) => if let Some(answer) = answer {
                    return Ok(answer);
                },
                _ = standing.changed() => {}
            }
        }
    }
}

fn no_answer(way: &Way<'_>, error: Broken) -> Trouble {
    tracing::debug!(instance = %way.instance, %error, "no answer");
    match error {
        Broken::Upload(UploadError::TooLarge { limit_bytes }) => Trouble::TooLarge { limit_bytes },
        Broken::Upload(UploadError::Stalled) => Trouble::BodyStalled,
        Broken::Invalid => Trouble::UpstreamInvalid,
        Broken::Closed | Broken::Io(_) | Broken::VisitorGone => Trouble::UpstreamClosed,
    }
}

/// The head of the answer; `None` when the alarm rings before.
async fn head_or_alarm(exchange: &mut Exchange) -> Option<Result<Head, Broken>> {
    poll_fn(|context| match exchange.poll_head(context) {
        Poll::Ready(answer) => Poll::Ready(Some(answer)),
        Poll::Pending => exchange.wire.alarm.poll(context).map(|()| None),
    })
    .await
}

fn is_event_stream<B>(response: &Response<B>) -> bool {
    const KIND: &[u8] = b"text/event-stream";
    let kind = response.headers().get(http::header::CONTENT_TYPE);
    kind.and_then(|kind| kind.as_bytes().trim_ascii_start().get(..KIND.len()))
        .is_some_and(|kind| kind.eq_ignore_ascii_case(KIND))
}

fn is_websocket<B>(response: &Response<B>) -> bool {
    let protocol = response.headers().get(http::header::UPGRADE);
    protocol.is_some_and(|protocol| protocol.as_bytes().eq_ignore_ascii_case(b"websocket"))
}
