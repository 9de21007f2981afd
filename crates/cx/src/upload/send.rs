//! Sends the blobs that the server does not have of this project, four at a time.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use futures_util::stream::{StreamExt as _, TryStreamExt as _};
use model::units::format_bytes;
use model::{Digest, ProjectName};
use tokio::fs::File;
use tokio_util::io::ReaderStream;

use super::hash::{Manifest, changed, unread};
use super::open::open_regular;
use crate::client::Client;
use crate::exit::fault_of;

const AT_ONCE: usize = 4;
const CHUNK_BYTES: usize = 64 << 10;

/// What travelled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) files: usize,
    pub(crate) bytes: u64,
    pub(crate) unchanged: usize,
}

/// Sends what of `manifest` is missing, without asking for what is `known` to be there. Afterwards all of it is known.
pub(crate) async fn send(
    client: &Client,
    project: &ProjectName,
    manifest: &Manifest,
    known: &mut BTreeSet<Digest>,
) -> anyhow::Result<Sent> {
    let digests: Vec<Digest> = manifest
        .blobs
        .keys()
        .filter(|digest| !known.contains(*digest))
        .copied()
        .collect();
    let missing = client.missing(project, &digests).await?;
    let wanted = missing
        .iter()
        .filter_map(|digest| manifest.blobs.get(digest).map(|blob| (*digest, blob.clone())));
    let wanted: Vec<(Digest, (PathBuf, u64))> = wanted.collect();
    let sent = Sent {
        files: wanted.len(),
        bytes: wanted.iter().map(|(_, (_, size))| size).sum(),
        unchanged: manifest.blobs.len() - wanted.len(),
    };
    let uploads = wanted.into_iter().map(|(digest, (file, size))| async move {
        put(
            client,
            &format!("/projects/{project}/blobs/{digest}"),
            &file,
            size,
        )
        .await
    });
    futures_util::stream::iter(uploads)
        .buffer_unordered(AT_ONCE)
        .try_collect::<()>()
        .await?;
    *known = manifest.blobs.keys().copied().collect();
    Ok(sent)
}

async fn put(client: &Client, path: &str, file: &Path, size_bytes: u64) -> anyhow::Result<()> {
    let reader = open_regular(file).map_err(|error| unread(file, &error))?;
    let reader = File::from_std(reader);
    if reader.metadata().await.map_or(0, |metadata| metadata.len()) != size_bytes {
        return Err(changed(file).into());
    }
    let body = reqwest::Body::wrap_stream(ReaderStream::with_capacity(reader, CHUNK_BYTES));
    client
        .put_bytes(path, body, size_bytes)
        .await
        .map_err(|error| match fault_of(&error).code.as_str() {
            // The bytes were not those that the digest names any more.
            "digest_mismatch" => changed(file).into(),
            _ => error,
        })
}

impl std::fmt::Display for Sent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            files,
            bytes,
            unchanged,
        } = *self;
        let plural = if files == 1 { "" } else { "s" };
        match (files, unchanged) {
            (0, _) => write!(f, "nothing to send ({unchanged} unchanged)"),
            (_, 0) => write!(f, "{files} file{plural}, {}", format_bytes(bytes)),
            _ => write!(
                f,
                "{files} file{plural}, {} ({unchanged} unchanged)",
                format_bytes(bytes)
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_travelled_reads_well() {
        let text = |files, bytes, unchanged| {
            Sent {
                files,
                bytes,
                unchanged,
            }
            .to_string()
        };
        assert_eq!(text(12, 3_400_000, 988), "12 files, 3.4 MB (988 unchanged)");
        assert_eq!(text(1, 10, 0), "1 file, 10 B");
        assert_eq!(text(0, 0, 4), "nothing to send (4 unchanged)");
    }
}
