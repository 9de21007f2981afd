//! Where forges deliver to. The signature says who it is from, so no token is needed; which forge it is says the address,
//! and never a header, since some forges send the headers of others too.
//!
//! A delivery is answered as soon as it is kept: the forge waits for the answer, and gives up soon.

use axum::Json as Answer;
use axum::body::Body;
use axum::extract::State;
use axum::routing;
use bytes::{Bytes, BytesMut};
use control::ops::DeliverError;
use forge::{DeliveryError, Headers};
use http::{HeaderMap, StatusCode, header};
use http_body_util::BodyExt as _;
use schemars::JsonSchema;
use serde::Serialize;

use super::describe::{Operation, operation};
use crate::extract::Path;
use crate::problem::Problem;
use crate::service::Web;

/// Bytes of a delivery: as many as GitHub sends at the most.
pub(crate) const DELIVERY_BYTES_MAX: usize = 25 << 20;
/// Bytes of one that is too large that are read for the answer to arrive.
const THROWN_AWAY_BYTES_MAX: usize = 64 << 20;
/// Bytes of one that is read without waiting for a place among the large ones.
const SMALL_BYTES_MAX: usize = 512 << 10;

/// What is answered once a delivery is kept.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Delivered")]
pub(crate) struct Taken {
    /// The forge's id of the delivery.
    delivery: String,
    /// Whether it was here before; then nothing is done again.
    again: bool,
}

pub(super) fn operations() -> Vec<Operation> {
    vec![
        operation("POST /webhooks/{forge}", "deliver", routing::post(deliver))
            .says(
                "Takes what a forge delivers.",
                "The body is as the forge signed it; the headers are the forge's. It is answered as soon as it is kept, and \
                 worked on afterwards. Delivered again, it changes nothing.",
            )
            .open()
            .takes_bytes(DELIVERY_BYTES_MAX as u64)
            .answers::<Taken>(StatusCode::ACCEPTED, "It is kept, and will be worked on whatever happens.")
            .problems(&[
                "delivery_unsigned",
                "wrong_signature",
                "delivery_unreadable",
                "delivery_too_large",
                "not_found",
                "forge_invalid",
                "forge_without_credentials",
                "disk_full",
            ]),
    ]
}

async fn deliver(
    State(web): State<Web>,
    Path(forge): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Answer<Taken>), Problem> {
    taken(&web, &forge, (headers, body)).await
}

/// For the one address of a server that listens to a single forge.
pub(crate) async fn deliver_to_only(
    State(web): State<Web>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Answer<Taken>), Problem> {
    let forge = only_forge(&web).await?;
    taken(&web, &forge, (headers, body)).await
}

/// The forge that is meant where the address names none.
pub(crate) async fn only_forge(web: &Web) -> Result<String, Problem> {
    match &web.shared.webhook_forge {
        Some(forge) => Ok(forge.clone()),
        None => Ok(web.control.only_forge().await?),
    }
}

async fn taken(
    web: &Web,
    forge: &str,
    (headers, body): (HeaderMap, Body),
) -> Result<(StatusCode, Answer<Taken>), Problem> {
    let body = read(web, &headers, body).await?;
    let delivered = web
        .control
        .deliver(forge, &headers_of(&headers), &body)
        .await
        .map_err(refused)?;
    let taken = Taken {
        delivery: delivered.delivery,
        again: delivered.again,
    };
    Ok((StatusCode::ACCEPTED, Answer(taken)))
}

/// As forges read them: by lower-case name, those that are text.
pub(crate) fn headers_of(headers: &HeaderMap) -> Headers {
    let text = |value: &header::HeaderValue| value.to_str().ok().map(str::to_owned);
    let named = headers.iter();
    named
        .filter_map(|(name, value)| Some((name.as_str().to_owned(), text(value)?)))
        .collect()
}

/// The whole body. Of large ones only a few are in memory at a time.
pub(crate) async fn read(web: &Web, headers: &HeaderMap, mut body: Body) -> Result<Bytes, Problem> {
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|bytes| bytes > DELIVERY_BYTES_MAX) {
        throw_away(body).await;
        return Err(too_large());
    }
    let mut place = None;
    let mut read = BytesMut::with_capacity(announced.unwrap_or(0).min(SMALL_BYTES_MAX));
    while let Some(frame) = body.frame().await {
        let broken =
            |_| Problem::invalid("body_broken", "the body broke off").hint("Send the request again.");
        let Ok(piece) = frame.map_err(broken)?.into_data() else {
            continue;
        };
        if read.len() + piece.len() > DELIVERY_BYTES_MAX {
            drop(read);
            throw_away(body).await;
            return Err(too_large());
        }
        if read.len() + piece.len() > SMALL_BYTES_MAX && place.is_none() {
            let ended = |_| Problem::of_status(StatusCode::SERVICE_UNAVAILABLE);
            place = Some(web.shared.large_bodies.acquire().await.map_err(ended)?);
        }
        read.extend_from_slice(&piece);
    }
    Ok(read.freeze())
}

/// Reads on, within a limit, and keeps nothing: who is sending when its connection ends does not see the answer that says
/// why.
async fn throw_away(mut body: Body) {
    let mut thrown_away = 0;
    while let Some(Ok(frame)) = body.frame().await {
        thrown_away += frame.data_ref().map_or(0, Bytes::len);
        if thrown_away > THROWN_AWAY_BYTES_MAX {
            return;
        }
    }
}

fn too_large() -> Problem {
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "delivery_too_large",
        format!("the delivery has more than {} MiB", DELIVERY_BYTES_MAX >> 20),
    )
    .hint("No forge sends as much. What it is about is found when the open pull requests are listed.")
}

pub(crate) fn refused(error: DeliverError) -> Problem {
    let error = match error {
        DeliverError::Operation(error) => return error.into(),
        DeliverError::Refused(error) => error,
    };
    let (status, code) = match &error {
        DeliveryError::Unsigned => (StatusCode::UNAUTHORIZED, "delivery_unsigned"),
        DeliveryError::WrongSignature => (StatusCode::UNAUTHORIZED, "wrong_signature"),
        DeliveryError::MissingHeader(_) | DeliveryError::Unreadable(_) => {
            (StatusCode::BAD_REQUEST, "delivery_unreadable")
        }
    };
    let text = error.to_string();
    let (what, todo) = text.split_once("; ").unwrap_or((&text, ""));
    Problem::new(status, code, what).hint(todo)
}
