//! Live reload: pages of watched previews learn at once that their alias serves another deployment.
//!
//! Somebody who works on a preview (`cx up`) has it *watched*; the route says so. Then HTML documents get one script of
//! the same origin at their end, and the script holds a WebSocket to the edge, which speaks when the alias has moved. Not
//! server-sent events: browsers open six HTTP/1 connections to a host, and six tabs would block the seventh.
//!
//! Guards against touching anything else: what scripts fetch, what is compressed or partial, what its policy forbids, and
//! every preview that nobody watches. Guards against sockets without end: their number, their messages and their silence
//! are bounded, and a page of another origin gets none. It does *not* know who watches, or why a deployment failed.

mod insert;
mod policy;
mod socket;

use std::sync::Arc;

use http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_TYPE, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, RANGE,
};
use http::{HeaderMap, HeaderValue, Method, Request, Response};

use self::insert::insert;
use self::policy::Site;
use self::socket::Sockets;
use crate::answer::Reply;
use crate::host::Host;
use crate::page::{Trouble, accepts_html};
use crate::proxy::Errand;
use crate::switched::Switched;
use crate::table::Tables;

/// Everything below is the platform's own on every host of a preview; no application is asked.
const RESERVED: &str = "/.cygni/";
const SCRIPT_PATH: &str = "/.cygni/live.js";
const SOCKET_PATH: &str = "/.cygni/live";
const SCRIPT: &str = include_str!("live.js");

/// What live reload needs of the edge.
pub(crate) struct Live {
    tables: Arc<Tables>,
    sockets: Sockets,
    scheme: String,
}

/// A request for a document of a watched preview: its answer may get the script.
pub(crate) struct Page {
    site: Site,
}

impl Live {
    pub(crate) fn new(tables: Arc<Tables>, scheme: String, switched: Switched) -> Self {
        Self {
            sockets: Sockets::new(tables.clone(), switched),
            tables,
            scheme,
        }
    }

    /// Answers for the reserved paths of a known host.
    pub(crate) fn answer(&self, errand: &mut Errand) -> Option<Result<Response<Reply>, Trouble>> {
        let path = errand.request.uri().path();
        if !path.starts_with(RESERVED) {
            return None;
        }
        let table = self.tables.current();
        let route = table.routes.get(&errand.host.name)?;
        Some(match path {
            SCRIPT_PATH if route.watched => Ok(script()),
            SOCKET_PATH if route.watched => self.sockets.open(errand),
            _ => Err(Trouble::FileNotFound {
                path: path.to_owned(),
            }),
        })
    }

    /// Sees whether `request` loads a document of a watched preview; then asks for all of it, uncompressed.
    pub(crate) fn page<B>(&self, request: &mut Request<B>, host: &Host) -> Option<Page> {
        if !loads_document(request.method(), request.headers()) {
            return None;
        }
        let watched = |table: &model::route::RouteTable| {
            table.routes.get(&host.name).is_some_and(|route| route.watched)
        };
        if !watched(&self.tables.current()) {
            return None;
        }
        // What the browser has kept may be without the script, or with that of a deployment before.
        for name in [ACCEPT_ENCODING, IF_NONE_MATCH, IF_MODIFIED_SINCE, IF_RANGE, RANGE] {
            request.headers_mut().remove(name);
        }
        Some(Page {
            site: Site {
                scheme: self.scheme.clone(),
                host: host.name.clone(),
                port: host.port,
            },
        })
    }
}

impl Page {
    /// The answer with the script at its end, where it is a page that takes one.
    pub(crate) fn finish(&self, response: Response<Reply>) -> Response<Reply> {
        insert(response.map(Reply::into_body), &self.site).map(Reply::Stream)
    }
}

/// Browsers say what a request is for (W3C Fetch Metadata); of others, those that ask for HTML by name load documents.
fn loads_document(method: &Method, headers: &HeaderMap) -> bool {
    if method != Method::GET {
        return false;
    }
    match headers.get("sec-fetch-dest") {
        Some(destination) => matches!(destination.as_bytes(), b"document" | b"iframe" | b"frame"),
        None => accepts_html(headers),
    }
}

fn script() -> Response<Reply> {
    let mut response = Response::new(Reply::Whole(SCRIPT.into()));
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/javascript; charset=utf-8"),
    );
    // The next version of the platform may bring another one.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_documents_are_touched() {
        let table = [
            (Method::GET, Some("document"), "*/*", true),
            (Method::GET, Some("iframe"), "*/*", true),
            (Method::GET, Some("empty"), "text/html", false),
            (Method::GET, Some("script"), "text/html", false),
            (Method::GET, None, "text/html,*/*;q=0.8", true),
            (Method::GET, None, "*/*", false),
            (Method::HEAD, Some("document"), "text/html", false),
            (Method::POST, Some("document"), "text/html", false),
        ];
        for (method, destination, accept, loads) in table {
            let mut headers = HeaderMap::new();
            headers.insert("accept", HeaderValue::from_static(accept));
            if let Some(destination) = destination {
                headers.insert("sec-fetch-dest", HeaderValue::from_static(destination));
            }
            assert_eq!(
                loads_document(&method, &headers),
                loads,
                "{method} {destination:?} {accept}"
            );
        }
    }
}
