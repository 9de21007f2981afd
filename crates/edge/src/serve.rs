//! One request: whose host it is, what the table says, and who answers.

use std::sync::Arc;

use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderName, Method, Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use model::route::{Readiness, Replica, Route, RouteTable, Target};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::answer::{Reply, mark};
use crate::balance::{Choice, Found, readiest};
use crate::files::{Files, Site};
use crate::hold::{Hold, Wakes};
use crate::host::Host;
use crate::live::Live;
use crate::options::{EdgeLimits, EdgeLinks, EdgeOptions};
use crate::page::{Reader, Trouble, name_request};
use crate::proxy::{Errand, Proxy, Way};
use crate::switched::Switched;
use crate::table::Tables;
use crate::upload::Upload;
use crate::{Activity, Peer, PlatformService, REQUEST_ID_HEADER, request_id};

/// Everything that answering takes.
pub(crate) struct Server {
    options: EdgeOptions,
    tables: Arc<Tables>,
    live: Live,
    activity: Activity,
    wakes: Arc<Wakes>,
    proxy: Proxy,
    platform: PlatformService,
    files: Arc<Files>,
    switched: Switched,
    stop: CancellationToken,
    abandon: CancellationToken,
    /// Where the platform runs.
    home: Handle,
}

impl Server {
    pub(crate) fn new(options: EdgeOptions, links: EdgeLinks, first: Arc<RouteTable>) -> Self {
        let activity = Activity::new(options.workers.max(1));
        let stop = CancellationToken::new();
        let limits = &options.limits;
        let wakes = Arc::new(Wakes::new(links.wakes, limits.held_max, limits.hold_time));
        let abandon = CancellationToken::new();
        let switched = Switched::new(stop.clone(), abandon.clone());
        let proxy = Proxy::new(&options, links.dialer, wakes.clone(), switched.clone());
        let tables = Arc::new(Tables::new(first, links.acknowledged, activity.clone()));
        Self {
            live: Live::new(tables.clone(), options.public_scheme.clone(), switched.clone()),
            tables,
            activity,
            wakes,
            proxy,
            platform: links.platform,
            files: Files::new(links.store),
            switched,
            stop,
            abandon,
            home: Handle::current(),
            options,
        }
    }

    pub(crate) fn options(&self) -> &EdgeOptions {
        &self.options
    }

    pub(crate) fn files(&self) -> &Arc<Files> {
        &self.files
    }

    /// Where the platform runs.
    pub(crate) fn home(&self) -> &Handle {
        &self.home
    }

    pub(crate) fn limits(&self) -> &EdgeLimits {
        &self.options.limits
    }

    pub(crate) fn tables(&self) -> &Tables {
        &self.tables
    }

    pub(crate) fn activity(&self) -> &Activity {
        &self.activity
    }

    /// Connections that have switched their protocol.
    pub(crate) fn switched(&self) -> &Switched {
        &self.switched
    }

    /// Fires when no new requests are taken.
    pub(crate) fn stop(&self) -> &CancellationToken {
        &self.stop
    }

    /// Fires when open requests have had their time.
    pub(crate) fn abandon(&self) -> &CancellationToken {
        &self.abandon
    }

    /// Where the platform itself answers whoever came to `host`.
    fn home_address(&self, host: &Host) -> String {
        let EdgeOptions {
            public_scheme,
            domain,
            public_port,
            ..
        } = &self.options;
        let port = host.port.or(*public_port);
        let port = port.map_or_else(String::new, |port| format!(":{port}"));
        format!("{public_scheme}://{domain}{port}")
    }

    /// Answers a request that came on a connection of `worker`, always.
    pub(crate) async fn answer(
        &self,
        (peer, worker): (Peer, usize),
        request: Request<Incoming>,
    ) -> Response<Reply> {
        let id = request_id::of(request.headers());
        let reader = Reader::of(request.headers(), id.clone());
        let mut response = match self.receive((peer, worker), request, &reader).await {
            Ok(response) => response,
            Err(trouble) => reader.tell(&trouble),
        };
        name_request(&mut response, id);
        response
    }

    async fn receive(
        &self,
        (peer, worker): (Peer, usize),
        request: Request<Incoming>,
        reader: &Reader,
    ) -> Result<Response<Reply>, Trouble> {
        check(&request, self.limits())?;
        let host = Host::of(request.uri(), request.headers()).ok_or(Trouble::BadHost)?;
        if self
            .options
            .platform_hosts
            .iter()
            .any(|own| own.eq_ignore_ascii_case(&host.name))
        {
            return self.ask_platform(peer, request, reader).await;
        }
        let mut errand = Errand {
            peer,
            host,
            request,
            worker,
        };
        if let Some(answer) = self.live.answer(&mut errand) {
            return answer;
        }
        let page = self.live.page(&mut errand.request, &errand.host);
        let response = self.dispatch(errand, reader).await?;
        Ok(match page {
            Some(page) => page.finish(response),
            None => response,
        })
    }

    /// The platform works on its own threads: it may take its time, and the workers have none.
    async fn ask_platform(
        &self,
        peer: Peer,
        mut request: Request<Incoming>,
        reader: &Reader,
    ) -> Result<Response<Reply>, Trouble> {
        request.extensions_mut().insert(peer);
        request.headers_mut().insert(
            HeaderName::from_static(REQUEST_ID_HEADER),
            reader.request_id.clone(),
        );
        let request = request.map(|body| Upload::new(body, self.limits()).boxed_unsync());
        let platform = self.platform.clone();
        let answering = self.home.spawn(async move { platform.call(request).await });
        match AbortOnDropHandle::new(answering).await {
            Ok(response) => Ok(response.map(Reply::Stream)),
            Err(error) => {
                tracing::error!(%error, "the platform did not answer a request");
                Err(Trouble::PlatformFailed)
            }
        }
    }

    /// Looks the host up, again and again while its instance wakes.
    async fn dispatch(&self, errand: Errand, reader: &Reader) -> Result<Response<Reply>, Trouble> {
        let mut hold: Option<Hold<'_>> = None;
        loop {
            let table = self.tables.current();
            let Some(route) = table.routes.get(&errand.host.name) else {
                return Err(Trouble::UnknownHost {
                    home: self.home_address(&errand.host),
                    host: errand.host.name,
                });
            };
            let told = |trouble: &Trouble| {
                let mut response = reader.tell(trouble);
                mark(&mut response, route);
                Ok(response)
            };
            match &route.target {
                Target::Notice(notice) => return told(&notice.into()),
                Target::Static { tree, spa } => {
                    let site = Site {
                        tree: *tree,
                        spa: *spa,
                    };
                    let answer = self.files.answer(site, &errand.request, reader).await;
                    return finish(answer, route, reader);
                }
                Target::Instances(replicas) if readiest(replicas) == Readiness::Asleep => match &mut hold {
                    // Subscribe before the last look, or a table that came in between would be missed.
                    None => match self.wakes.hold(self.tables.subscribe()) {
                        Some(place) => hold = Some(place),
                        None => return told(&Trouble::TooManyWaiting),
                    },
                    Some(place) => {
                        // They all wake when one is asked for.
                        let asleep = replicas.iter().find(|one| one.readiness == Readiness::Asleep);
                        let Some(Replica { instance, .. }) = asleep else {
                            continue;
                        };
                        if place.wait(instance).await.is_err() {
                            let seconds = self.limits().hold_time.as_secs();
                            return told(&Trouble::WakeTookTooLong { seconds });
                        }
                    }
                },
                Target::Instances(replicas) => {
                    let limit = self.limits().instance_requests_max;
                    let choice = Choice::new((&self.tables, &self.activity), &table, replicas, limit);
                    let (replica, ticket) = match choice.first() {
                        Found::Ready(replica, ticket) => (replica, ticket),
                        Found::Busy => return told(&Trouble::TooManyRequests { limit }),
                        Found::Changed => continue,
                    };
                    drop(hold);
                    let way = Way {
                        instance: &replica.instance,
                        port: replica.port,
                        ticket,
                        worker: errand.worker,
                        choice,
                    };
                    let answer = self.proxy.forward(errand, way, reader).await;
                    return finish(answer, route, reader);
                }
            }
        }
    }
}

/// Adds what every answer at a known host carries.
fn finish(
    answer: Result<Response<Reply>, Trouble>,
    route: &Route,
    reader: &Reader,
) -> Result<Response<Reply>, Trouble> {
    let mut response = answer.unwrap_or_else(|trouble| reader.tell(&trouble));
    mark(&mut response, route);
    Ok(response)
}

/// Refuses requests that two parties could read differently, and what is not offered.
fn check(request: &Request<Incoming>, limits: &EdgeLimits) -> Result<(), Trouble> {
    if request.method() == Method::CONNECT {
        return Err(Trouble::ConnectRefused);
    }
    let headers = request.headers();
    // HTTP/1 was refused by then.
    if headers.len() > limits.request_headers_max {
        return Err(Trouble::TooManyHeaders {
            limit: limits.request_headers_max,
        });
    }
    let (mut codings, mut lengths) = (0, 0);
    for name in headers.iter().map(|(name, _)| name) {
        match *name {
            TRANSFER_ENCODING => codings += 1,
            CONTENT_LENGTH => lengths += 1,
            _ => {}
        }
    }
    if codings > 0 && lengths > 0 {
        return Err(Trouble::BadRequest {
            why: "It has both a Content-Length and a Transfer-Encoding.",
        });
    }
    if lengths > 1 {
        return Err(Trouble::BadRequest {
            why: "It has several Content-Length fields.",
        });
    }
    if !request.uri().path().starts_with('/') {
        return Err(Trouble::BadRequest {
            why: "Its target is not a path.",
        });
    }
    Ok(())
}
