//! The registry of npm.
//!
//! Source: its API ("package metadata", abbreviated form), and the Subresource Integrity notation of `dist.integrity`.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Client, FetchError, Integrity, Package, Versions, shown};

/// The public registry: what its metadata names may have to be fetched from another host.
const PUBLIC: &str = "https://registry.npmjs.org/";

#[derive(Deserialize)]
struct Metadata {
    #[serde(default)]
    versions: BTreeMap<String, VersionMetadata>,
}

#[derive(Deserialize)]
struct VersionMetadata {
    dist: Dist,
}

#[derive(Deserialize)]
struct Dist {
    tarball: String,
    integrity: Option<String>,
}

/// All released versions of the package `name` that can be verified.
pub(super) async fn versions(client: &Client, name: &str) -> Result<Versions, FetchError> {
    let base = format!("{}/", client.registries.npm.trim_end_matches('/'));
    let url = format!("{base}{name}");
    let bytes = client.text(&url, "application/vnd.npm.install-v1+json").await?;
    read_metadata(&bytes, &base).map_err(|error| FetchError::Http {
        url: shown(&url),
        why: error.to_string(),
    })
}

/// The released versions that the answer of the registry at `base` names with a hash that can be checked.
pub(in crate::toolchain) fn read_metadata(bytes: &[u8], base: &str) -> Result<Versions, serde_json::Error> {
    let metadata: Metadata = serde_json::from_slice(bytes)?;
    let versions = metadata.versions.into_iter().filter_map(|(version, data)| {
        let integrity = data.dist.integrity?;
        let sha512 = integrity
            .split_whitespace()
            .find(|hash| hash.starts_with("sha512-"))?
            .to_owned();
        Some((
            version.parse().ok()?,
            Package {
                url: own_host(base, &data.dist.tarball),
                integrity: Integrity::Sha512(sha512),
            },
        ))
    });
    Ok(versions.collect())
}

/// A mirror's metadata may still name the public registry.
fn own_host(base: &str, tarball: &str) -> String {
    match tarball.strip_prefix(PUBLIC) {
        Some(path) => format!("{base}{path}"),
        None => tarball.to_owned(),
    }
}
