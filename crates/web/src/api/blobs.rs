//! Blobs: the bytes of a source, sent once per project and named by their digest.

use std::io;

use axum::Json as Answer;
use axum::body::Body;
use axum::extract::State;
use axum::routing;
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use http_body_util::BodyExt as _;
use model::limits::FILE_BYTES_MAX;
use model::{Digest, ProjectName};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::mpsc;

use super::describe::{Operation, operation};
use crate::extract::{Json, Path};
use crate::problem::Problem;
use crate::service::Web;

/// Pieces of an upload that wait to be written.
const PIECES: usize = 8;
/// What is read of a refused upload before its connection ends all the same.
const THROWN_AWAY_BYTES_MAX: usize = 64 << 20;
/// Bytes of a question for missing blobs: 20,000 digests and more.
const QUESTION_BYTES_MAX: usize = 4 << 20;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "BlobQuestion")]
pub(crate) struct Question {
    digests: Vec<Digest>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "MissingBlobs")]
pub(crate) struct Missing {
    missing: Vec<Digest>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "StoredBlob")]
pub(crate) struct Stored {
    digest: Digest,
    size_bytes: u64,
}

pub(super) fn operations() -> Vec<Operation> {
    vec![
        operation("POST /projects/{project}/blobs/missing", "findMissingBlobs", routing::post(missing))
            .says(
                "Tells which files have to be sent.",
                "Answered from what this project has sent before, and from nothing else. Makes the project where there is none.",
            )
            .takes::<Question>(json!({
                "digests": ["sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
            }))
            .body_up_to(QUESTION_BYTES_MAX)
            .answers::<Missing>(StatusCode::OK, "Those of the digests that have to be sent.")
            .problems(&["too_many_digests"]),
        operation("PUT /projects/{project}/blobs/{digest}", "putBlob", routing::put(put))
            .says(
                "Sends the bytes of a file.",
                "They must be what the digest says. Makes the project where there is none; sending the same again changes nothing.",
            )
            .takes_bytes(FILE_BYTES_MAX)
            .answers::<Stored>(StatusCode::CREATED, "The bytes are kept for this project.")
            .problems(&["too_large", "file_too_large", "digest_mismatch", "wrong_size", "upload_broken", "disk_full"]),
    ]
}

/// Which of these must be sent; answered from what this project has sent before, and from nothing else.
pub(crate) async fn missing(
    State(web): State<Web>,
    Path(project): Path<ProjectName>,
    Json(question): Json<Question>,
) -> Result<Answer<Missing>, Problem> {
    Ok(Answer(Missing {
        missing: web.control.missing_blobs(&project, &question.digests).await?,
    }))
}

pub(crate) async fn put(
    State(web): State<Web>,
    Path((project, digest)): Path<(ProjectName, Digest)>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Answer<Stored>), Problem> {
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|bytes| bytes > FILE_BYTES_MAX) {
        return Err(
            Problem::of_status(StatusCode::PAYLOAD_TOO_LARGE).hint("A file may have 2 GiB at the most.")
        );
    }
    let _place = web
        .shared
        .uploads
        .acquire()
        .await
        .map_err(|_| Problem::of_status(StatusCode::SERVICE_UNAVAILABLE))?;
    let (sender, receiver) = mpsc::channel(PIECES);
    let (stored, ()) = tokio::join!(
        web.control.put_blob(&project, digest, receiver),
        forward(body, sender)
    );
    Ok((
        StatusCode::CREATED,
        Answer(Stored {
            digest,
            size_bytes: stored?,
        }),
    ))
}

/// Hands the body on piece by piece. When nobody takes more, what still comes is thrown away: a client that is sending
/// when its connection ends does not see the answer that says why.
async fn forward(mut body: Body, sender: mpsc::Sender<io::Result<Bytes>>) {
    let mut thrown_away = 0;
    while let Some(frame) = body.frame().await {
        let piece = match frame {
            Ok(frame) => frame.into_data().map(Ok).unwrap_or_else(|_| Ok(Bytes::new())),
            Err(error) => Err(io::Error::other(error)),
        };
        let (broken, bytes) = (piece.is_err(), piece.as_ref().map_or(0, Bytes::len));
        if sender.send(piece).await.is_err() {
            thrown_away += bytes;
        }
        if broken || thrown_away > THROWN_AWAY_BYTES_MAX {
            return;
        }
    }
}
