//! One request: whose host it is, what the table says, and who answers.

use std::sync::Arc;

use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderName, Method, Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use model::route::{Route, RouteTable, Target};
use store::Store;
use tokio_util::sync::CancellationToken;

use crate::answer::{Body, mark};
use crate::hold::{Hold, Wakes};
use crate::host::Host;
use crate::live::Live;
use crate::options::{EdgeLimits, EdgeLinks, EdgeOptions};
use crate::page::{Reader, Trouble, name_request};
use crate::proxy::{Errand, Proxy};
use crate::table::Tables;
use crate::upload::Upload;
use crate::{Activity, Peer, PlatformService, REQUEST_ID_HEADER, files, request_id};

/// Everything that answering takes.
pub(crate) struct Server {
    options: EdgeOptions,
    tables: Arc<Tables>,
    live: Live,
    activity: Activity,
    wakes: Arc<Wakes>,
    proxy: Proxy,
    platform: PlatformService,
    store: Store,
    stop: CancellationToken,
    abandon: CancellationToken,
}

impl Server {
    pub(crate) fn new(options: EdgeOptions, links: EdgeLinks, first: Arc<RouteTable>) -> Self {
        let activity = Activity::default();
        let stop = CancellationToken::new();
        let limits = &options.limits;
        let wakes = Arc::new(Wakes::new(links.wakes, limits.held_max, limits.hold_time));
        let proxy = Proxy::new(&options, links.dialer, wakes.clone(), stop.clone());
        let tables = Arc::new(Tables::new(first, links.acknowledged, activity.clone()));
        Self {
            live: Live::new(tables.clone(), options.public_scheme.clone(), stop.clone()),
            tables,
            activity,
            wakes,
            proxy,
            platform: links.platform,
            store: links.store,
            stop,
            abandon: CancellationToken::new(),
            options,
        }
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

    /// Fires when no new requests are taken.
    pub(crate) fn stop(&self) -> &CancellationToken {
        &self.stop
    }

    /// Fires when open requests have had their time.
    pub(crate) fn abandon(&self) -> &CancellationToken {
        &self.abandon
    }

    /// Where the platform itself answers whoever came to `host`.
    fn home(&self, host: &Host) -> String {
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

    /// Answers a request, always.
    pub(crate) async fn answer(&self, peer: Peer, mut request: Request<Incoming>) -> Response<Body> {
        let id = request_id::of(request.headers());
        let reader = Reader::of(request.headers(), id.clone());
        request
            .headers_mut()
            .insert(HeaderName::from_static(REQUEST_ID_HEADER), id.clone());
        let mut response = match self.receive(peer, request, &reader).await {
            Ok(response) => response,
            Err(trouble) => reader.tell(&trouble),
        };
        name_request(&mut response, id);
        response
    }

    async fn receive(
        &self,
        peer: Peer,
        mut request: Request<Incoming>,
        reader: &Reader,
    ) -> Result<Response<Body>, Trouble> {
        check(&request)?;
        let host = Host::of(request.uri(), request.headers()).ok_or(Trouble::BadHost)?;
        if self
            .options
            .platform_hosts
            .iter()
            .any(|own| own.eq_ignore_ascii_case(&host.name))
        {
            request.extensions_mut().insert(peer);
            let request = request.map(|body| Upload::new(body, self.limits()).0.boxed_unsync());
            return Ok(self.platform.call(request).await);
        }
        let mut errand = Errand { peer, host, request };
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

    /// Looks the host up, again and again while its instance wakes.
    async fn dispatch(&self, errand: Errand, reader: &Reader) -> Result<Response<Body>, Trouble> {
        let mut hold: Option<Hold<'_>> = None;
        loop {
            let table = self.tables.current();
            let Some(route) = table.routes.get(&errand.host.name) else {
                return Err(Trouble::UnknownHost {
                    home: self.home(&errand.host),
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
                    let site = files::Site {
                        store: self.store.clone(),
                        tree: *tree,
                        spa: *spa,
                    };
                    return finish(files::answer(site, &errand.request, reader).await, route, reader);
                }
                Target::Instance {
                    instance,
                    asleep: true,
                    ..
                } => match &mut hold {
                    // Subscribe before the last look, or a table that came in between would be missed.
                    None => match self.wakes.hold(self.tables.subscribe()) {
                        Some(place) => hold = Some(place),
                        None => return told(&Trouble::TooManyWaiting),
                    },
                    Some(place) => {
                        if place.wait(instance).await.is_err() {
                            let seconds = self.limits().hold_time.as_secs();
                            return told(&Trouble::WakeTookTooLong { seconds });
                        }
                    }
                },
                Target::Instance { instance, port, .. } => {
                    let limit = self.limits().instance_requests_max;
                    let Some(ticket) = self.activity.begin(instance, limit) else {
                        return told(&Trouble::TooManyRequests { limit });
                    };
                    // Counted first, looked at last: see `activity`.
                    if !Arc::ptr_eq(&table, &self.tables.current()) {
                        continue;
                    }
                    drop(hold);
                    let answer = self.proxy.forward(errand, (instance, *port), ticket).await;
                    return finish(answer, route, reader);
                }
            }
        }
    }
}

/// Adds what every answer at a known host carries.
fn finish(
    answer: Result<Response<Body>, Trouble>,
    route: &Route,
    reader: &Reader,
) -> Result<Response<Body>, Trouble> {
    let mut response = answer.unwrap_or_else(|trouble| reader.tell(&trouble));
    mark(&mut response, route);
    Ok(response)
}

/// Refuses requests that two parties could read differently, and what is not offered.
fn check(request: &Request<Incoming>) -> Result<(), Trouble> {
    if request.method() == Method::CONNECT {
        return Err(Trouble::ConnectRefused);
    }
    let headers = request.headers();
    if headers.contains_key(TRANSFER_ENCODING) && headers.contains_key(CONTENT_LENGTH) {
        return Err(Trouble::BadRequest {
            why: "It has both a Content-Length and a Transfer-Encoding.",
        });
    }
    if headers.get_all(CONTENT_LENGTH).iter().count() > 1 {
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
