//! Style, script and sign, served from memory.

use std::sync::LazyLock;

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use model::Digest;

use crate::extract::Path;
use crate::problem::Problem;

struct Asset {
    name: &'static str,
    kind: &'static str,
    text: &'static str,
    etag: String,
}

static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    let files = [
        (
            "cygni.css",
            "text/css; charset=utf-8",
            include_str!("../../assets/cygni.css"),
        ),
        (
            "cygni.js",
            "text/javascript; charset=utf-8",
            include_str!("../../assets/cygni.js"),
        ),
        (
            "cygni.svg",
            "image/svg+xml",
            include_str!("../../assets/cygni.svg"),
        ),
    ];
    let asset = |(name, kind, text): (&'static str, &'static str, &'static str)| {
        let etag = format!("\"{}\"", &Digest::of(text.as_bytes()).hex()[..24]);
        Asset {
            name,
            kind,
            text,
            etag,
        }
    };
    files.map(asset).into()
});

pub(super) async fn get(Path(name): Path<String>, headers: HeaderMap) -> Result<Response, Problem> {
    let Some(asset) = ASSETS.iter().find(|asset| asset.name == name) else {
        return Err(Problem::of_status(StatusCode::NOT_FOUND));
    };
    let fixed = [
        (header::ETAG, asset.etag.as_str()),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    let known = headers
        .get(header::IF_NONE_MATCH)
        .and_then(|tags| tags.to_str().ok());
    if known.is_some_and(|tags| tags.split(',').any(|tag| tag.trim() == asset.etag)) {
        return Ok((StatusCode::NOT_MODIFIED, fixed).into_response());
    }
    Ok((fixed, [(header::CONTENT_TYPE, asset.kind)], asset.text).into_response())
}
