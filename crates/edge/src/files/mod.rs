//! Static files, out of the store by the manifest of their tree.
//!
//! Guards against paths that leave the tree, and cannot fail at it: no path of the disk is ever built from an address;
//! what is not an entry of the manifest does not exist. Files that are not meant for visitors (`.git`, `.env*`) do not
//! exist either.

mod chunks;
mod coding;
mod condition;
mod content;
mod encoder;
mod freshness;
mod kind;
mod lookup;
mod multipart;
mod shelf;

use std::sync::Arc;

use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG,
    HeaderName, LOCATION, VARY,
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use model::{Digest, Tree};
use percent_encoding::percent_decode_str;
use store::{ReadError, Store};

pub(crate) use self::chunks::Chunks;
use self::condition::{Part, is_other, not_modified, part};
use self::content::{Content, Form};
pub(crate) use self::encoder::Encoder;
use self::lookup::{Found, Place, Wanted, find, not_found_page};
use self::shelf::Shelf;
use crate::answer::Reply;
use crate::page::{Reader, Trouble};

/// Header fields of most answers.
const FIELDS: usize = 14;

/// Everything that serving files takes.
pub(crate) struct Files {
    store: Store,
    shelf: Shelf,
}

/// The tree that a host serves.
#[derive(Clone, Copy)]
pub(crate) struct Site {
    pub(crate) tree: Digest,
    /// Addresses without a file answer with the index page.
    pub(crate) spa: bool,
}

impl Files {
    pub(crate) fn new(store: Store) -> Arc<Self> {
        Arc::new(Self {
            store,
            shelf: Shelf::default(),
        })
    }

    /// Answers from the tree of `site`.
    pub(crate) async fn answer<B>(
        self: &Arc<Self>,
        site: Site,
        request: &Request<B>,
        reader: &Reader,
    ) -> Result<Response<Reply>, Trouble> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return Err(Trouble::MethodNotAllowed);
        }
        let tree = self.tree(site.tree).await?;
        let missing = || Trouble::FileNotFound {
            path: request.uri().path().to_owned(),
        };
        let path = percent_decode_str(request.uri().path())
            .decode_utf8()
            .map_err(|_| missing())?;
        let wanted = Wanted {
            path: &path,
            spa: site.spa,
            page: reader.wants_html,
        };
        match find(&tree, &wanted) {
            Place::File(found) => {
                let content = self.content(&found).await?;
                file(request, &found, &content).or_else(|trouble| refuse(trouble, reader))
            }
            Place::Moved(suffix) => Ok(moved(request, suffix)),
            Place::Nothing => match not_found_page(&tree) {
                Some(found) => Ok(not_found(request, &found, &*self.content(&found).await?)),
                None => Err(missing()),
            },
        }
    }

    async fn tree(self: &Arc<Self>, digest: Digest) -> Result<Arc<Tree>, Trouble> {
        if let Some(tree) = self.store.cached_tree(&digest) {
            return Ok(tree);
        }
        let this = self.clone();
        let read = tokio::task::spawn_blocking(move || this.store.tree(&digest)).await;
        let read = read.map_err(|error| error.to_string());
        read.and_then(|read| read.map_err(|error: ReadError| error.to_string()))
            .map_err(|error| {
                tracing::error!(error, "a tree that is served cannot be read");
                Trouble::ContentMissing
            })
    }

    async fn content(self: &Arc<Self>, found: &Found<'_>) -> Result<Arc<Content>, Trouble> {
        let name = (found.digest, kind::is_compressible(kind::of(found.path)));
        if let Some(content) = self.shelf.get(&name) {
            return Ok(content);
        }
        let (this, size_bytes) = (self.clone(), found.size_bytes);
        let read = tokio::task::spawn_blocking(move || {
            let changes = this.shelf.changes();
            let content = Arc::new(Content::read(&this.store, &name.0, name.1)?);
            // A file that is shorter than its manifest says must not look whole.
            if content
                .form(None)
                .is_none_or(|form| form.size_bytes != size_bytes)
            {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            this.shelf.put(name, &content, changes);
            Ok(content)
        });
        let lost = |error: std::io::Error| {
            tracing::error!(%error, digest = %found.digest, "a file that is served cannot be read");
            Trouble::ContentMissing
        };
        read.await.map_err(|error| lost(error.into()))?.map_err(lost)
    }
}

fn file<B>(request: &Request<B>, found: &Found<'_>, content: &Content) -> Result<Response<Reply>, Trouble> {
    let coding = match content.varies {
        true => coding::choose(request.headers(), |coding| content.form(Some(coding)).is_some())
            .ok_or(Trouble::NotAcceptable)?,
        false => None,
    };
    let form = content.form(coding).ok_or(Trouble::ContentMissing)?;
    let tag = form.tag.to_str().unwrap_or_default();
    if is_other(request.headers(), tag) {
        return Err(Trouble::PreconditionFailed);
    }
    let mut response = Response::new(Reply::empty());
    *response.headers_mut() = HeaderMap::with_capacity(FIELDS);
    let headers = response.headers_mut();
    headers.insert(ETAG, form.tag.clone());
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(freshness::of(found.path)));
    if let Some(vary) = vary(found, content) {
        headers.insert(VARY, HeaderValue::from_static(vary));
    }
    if not_modified(request.headers(), tag) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return Ok(response);
    }
    let kind = kind::of(found.path);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if let Some(coding) = coding {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding.token()));
    }
    let (status, body) = fill(request, headers, (form, kind))?;
    *response.status_mut() = status;
    if request.method() != Method::HEAD {
        *response.body_mut() = body;
    }
    Ok(response)
}

/// What of the file is sent; says so in `headers`.
fn fill<B>(
    request: &Request<B>,
    headers: &mut HeaderMap,
    (form, kind): (&Form, &str),
) -> Result<(StatusCode, Reply), Trouble> {
    let size_bytes = form.size_bytes;
    let parts = match part(
        request.headers(),
        form.tag.to_str().unwrap_or_default(),
        size_bytes,
    ) {
        Part::Whole => {
            headers.insert(CONTENT_LENGTH, form.length.clone());
            return Ok((StatusCode::OK, form.part(0, size_bytes)));
        }
        Part::Outside => return Err(Trouble::RangeNotSatisfiable { size_bytes }),
        Part::Some(parts) => parts,
    };
    let body = match parts.as_slice() {
        [(first, last)] => {
            insert(
                headers,
                CONTENT_RANGE,
                format!("bytes {first}-{last}/{size_bytes}"),
            );
            headers.insert(CONTENT_LENGTH, HeaderValue::from(last - first + 1));
            form.part(*first, last - first + 1)
        }
        parts => multipart::answer(headers, form, kind, parts),
    };
    Ok((StatusCode::PARTIAL_CONTENT, body))
}

/// Which fields of a request the answer depends on.
fn vary(found: &Found<'_>, content: &Content) -> Option<&'static str> {
    match (found.depends_on_accept, content.varies) {
        (true, true) => Some("accept, accept-encoding"),
        (true, false) => Some("accept"),
        (false, true) => Some("accept-encoding"),
        (false, false) => None,
    }
}

/// The site's own page, always as it is: it is small, and nobody keeps it.
fn not_found<B>(request: &Request<B>, found: &Found<'_>, content: &Content) -> Response<Reply> {
    let mut response = Response::new(Reply::empty());
    *response.status_mut() = StatusCode::NOT_FOUND;
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind::of(found.path)));
    if let Some(form) = content.form(None) {
        headers.insert(CONTENT_LENGTH, form.length.clone());
        if request.method() != Method::HEAD {
            *response.body_mut() = form.part(0, form.size_bytes);
        }
    }
    response
}

/// Refusals that say more than their words.
fn refuse(trouble: Trouble, reader: &Reader) -> Result<Response<Reply>, Trouble> {
    let mut response = reader.tell(&trouble);
    match trouble {
        Trouble::RangeNotSatisfiable { size_bytes } => {
            insert(
                response.headers_mut(),
                CONTENT_RANGE,
                format!("bytes */{size_bytes}"),
            );
        }
        Trouble::NotAcceptable => {
            response
                .headers_mut()
                .insert(VARY, HeaderValue::from_static("accept-encoding"));
        }
        other => return Err(other),
    }
    Ok(response)
}

/// The address as it was sent, changed at its end: relative links of a page count from its directory.
fn moved<B>(request: &Request<B>, suffix: lookup::Suffix) -> Response<Reply> {
    let path = request.uri().path();
    let path = match suffix {
        lookup::Suffix::AddSlash => format!("{path}/"),
        lookup::Suffix::DropSlash => path.trim_end_matches('/').to_owned(),
    };
    let query = request.uri().query();
    let query = query.map_or_else(String::new, |query| format!("?{query}"));
    let mut response = Response::new(Reply::empty());
    *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
    insert(response.headers_mut(), LOCATION, format!("{path}{query}"));
    // Another deployment may have a file here.
    insert(response.headers_mut(), CACHE_CONTROL, "no-store".to_owned());
    response
}

/// All values are ours, or were valid in the head of a request.
fn insert(headers: &mut HeaderMap, name: HeaderName, value: String) {
    if let Ok(value) = HeaderValue::try_from(value) {
        headers.insert(name, value);
    }
}
