//! Static files, out of the store by the manifest of their tree.
//!
//! Guards against paths that leave the tree, and cannot fail at it: no path of the disk is ever built from an address;
//! what is not an entry of the manifest does not exist. Files that are not meant for visitors (`.git`, `.env*`) do not
//! exist either.

mod chunks;
mod condition;
mod kind;
mod lookup;

use std::fs::File;
use std::io::Read;

use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, LOCATION, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use model::Digest;
use percent_encoding::percent_decode_str;
use store::Store;

use self::chunks::Chunks;
use self::condition::{Part, not_modified, part};
use self::lookup::{Found, Place, Wanted, find, not_found_page};
use crate::answer::{Body, empty, full};
use crate::page::{Reader, Trouble, accepts_html};

/// Browsers keep files and ask each time whether they are still right; the answer is mostly 304.
const FRESHNESS: &str = "public, max-age=0, must-revalidate";
/// Files up to this size are read at once; larger ones in pieces as the visitor takes them.
const WHOLE_BYTES_MAX: u64 = 64 << 10;

/// The tree that a host serves.
pub(crate) struct Site {
    pub(crate) store: Store,
    pub(crate) tree: Digest,
    /// Addresses without a file answer with the index page.
    pub(crate) spa: bool,
}

/// What of a request decides about its file.
struct Ask {
    path: String,
    query: Option<String>,
    head_only: bool,
    headers: HeaderMap,
}

/// Answers from the tree of `site`.
pub(crate) async fn answer<B>(
    site: Site,
    request: &Request<B>,
    reader: &Reader,
) -> Result<Response<Body>, Trouble> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Err(Trouble::MethodNotAllowed);
    }
    let ask = Ask {
        path: request.uri().path().to_owned(),
        query: request.uri().query().map(str::to_owned),
        head_only: request.method() == Method::HEAD,
        headers: request.headers().clone(),
    };
    // The manifest, the look-up and small files in one go: they block.
    let work = tokio::task::spawn_blocking(move || site.serve(&ask));
    let served = work.await.unwrap_or_else(|error| {
        tracing::error!(%error, "serving a file failed");
        Err(Trouble::ContentMissing)
    });
    match served {
        Err(trouble @ Trouble::RangeNotSatisfiable { size_bytes }) => {
            let mut response = reader.tell(&trouble);
            insert(
                response.headers_mut(),
                CONTENT_RANGE,
                &format!("bytes */{size_bytes}"),
            );
            Ok(response)
        }
        other => other,
    }
}

impl Site {
    fn serve(&self, ask: &Ask) -> Result<Response<Body>, Trouble> {
        let tree = self.store.tree(&self.tree).map_err(|error| {
            tracing::error!(%error, "a tree that is served cannot be read");
            Trouble::ContentMissing
        })?;
        let missing = || Trouble::FileNotFound {
            path: ask.path.clone(),
        };
        let path = percent_decode_str(&ask.path)
            .decode_utf8()
            .map_err(|_| missing())?;
        let wanted = Wanted {
            path: &path,
            spa: self.spa,
            page: accepts_html(&ask.headers),
        };
        match find(&tree, &wanted) {
            Place::File(found) => self.file(ask, &found),
            Place::Moved(suffix) => Ok(moved(ask, suffix)),
            Place::Nothing => match not_found_page(&tree) {
                Some(found) => self.not_found(ask, &found),
                None => Err(missing()),
            },
        }
    }

    fn file(&self, ask: &Ask, found: &Found<'_>) -> Result<Response<Body>, Trouble> {
        let tag = format!("\"{}\"", found.digest.hex());
        let mut response = Response::new(empty());
        let headers = response.headers_mut();
        insert(headers, ETAG, &tag);
        insert(headers, CACHE_CONTROL, FRESHNESS);
        if found.depends_on_accept {
            insert(headers, VARY, "accept");
        }
        if not_modified(&ask.headers, &tag) {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            return Ok(response);
        }
        insert(headers, CONTENT_TYPE, kind::of(found.path));
        insert(headers, ACCEPT_RANGES, "bytes");
        let size_bytes = found.size_bytes;
        let (start, length) = match part(&ask.headers, &tag, size_bytes) {
            Part::Whole => (0, size_bytes),
            Part::Some { first, last } => {
                insert(
                    headers,
                    CONTENT_RANGE,
                    &format!("bytes {first}-{last}/{size_bytes}"),
                );
                *response.status_mut() = StatusCode::PARTIAL_CONTENT;
                (first, last - first + 1)
            }
            Part::Outside => return Err(Trouble::RangeNotSatisfiable { size_bytes }),
        };
        self.fill(response, ask, (found, start, length))
    }

    fn not_found(&self, ask: &Ask, found: &Found<'_>) -> Result<Response<Body>, Trouble> {
        let mut response = Response::new(empty());
        *response.status_mut() = StatusCode::NOT_FOUND;
        insert(response.headers_mut(), CACHE_CONTROL, "no-store");
        insert(response.headers_mut(), CONTENT_TYPE, kind::of(found.path));
        self.fill(response, ask, (found, 0, found.size_bytes))
    }

    /// Puts `length` bytes of the file from `start` on into `response`.
    fn fill(
        &self,
        mut response: Response<Body>,
        ask: &Ask,
        (found, start, length): (&Found<'_>, u64, u64),
    ) -> Result<Response<Body>, Trouble> {
        insert(response.headers_mut(), CONTENT_LENGTH, &length.to_string());
        if ask.head_only || length == 0 {
            return Ok(response);
        }
        let lost = |error: std::io::Error| {
            tracing::error!(%error, digest = %found.digest, "a file that is served cannot be read");
            Trouble::ContentMissing
        };
        let file = self.store.open_blob(&found.digest).map_err(lost)?;
        *response.body_mut() = if length <= WHOLE_BYTES_MAX {
            full(read_part(&file, start, length).map_err(lost)?)
        } else {
            Chunks::new(file, start, length).boxed_unsync()
        };
        Ok(response)
    }
}

fn read_part(mut file: &File, start: u64, length: u64) -> std::io::Result<Vec<u8>> {
    use std::io::{Error, ErrorKind, Seek, SeekFrom};
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.take(length).read_to_end(&mut bytes)?;
    // A file that is shorter than its manifest says must not look whole.
    if bytes.len() as u64 != length {
        Err(Error::from(ErrorKind::UnexpectedEof))
    } else {
        Ok(bytes)
    }
}

/// The address as it was sent, changed at its end: relative links of a page count from its directory.
fn moved(ask: &Ask, suffix: lookup::Suffix) -> Response<Body> {
    let path = match suffix {
        lookup::Suffix::AddSlash => format!("{}/", ask.path),
        lookup::Suffix::DropSlash => ask.path.trim_end_matches('/').to_owned(),
    };
    let query = ask
        .query
        .as_ref()
        .map_or_else(String::new, |query| format!("?{query}"));
    let mut response = Response::new(empty());
    *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
    insert(response.headers_mut(), LOCATION, &format!("{path}{query}"));
    // Another deployment may have a file here.
    insert(response.headers_mut(), CACHE_CONTROL, "no-store");
    response
}

/// All values are ours, or were valid in the head of a request.
fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}
