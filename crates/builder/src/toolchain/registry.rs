//! Packages of an npm registry: which versions there are, and the bytes of one.
//!
//! Guards against a registry or a connection that changes bytes: the SHA-512 that the registry names is checked before
//! anything is unpacked; answers are bounded in size and time. Source: the registry API of npm ("package metadata",
//! abbreviated form), and the Subresource Integrity notation of `dist.integrity`.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use data_encoding::BASE64;
use futures_util::StreamExt;
use serde::Deserialize;
use sha2::{Digest as _, Sha512};

use super::version::Version;

/// Bytes of a package's metadata at the most.
const METADATA_BYTES_MAX: usize = 64 << 20;
/// Bytes of a package at the most.
const PACKAGE_BYTES_MAX: u64 = 512 << 20;
/// A connection that gives nothing for so long is given up.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The public registry: what its metadata names may have to be fetched from another host.
const PUBLIC: &str = "https://registry.npmjs.org/";

/// One registry.
pub(super) struct Registry {
    url: String,
    client: reqwest::Client,
}

/// One version of a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Package {
    pub(super) url: String,
    /// `sha512-…`.
    pub(super) integrity: String,
}

/// The registry did not give what was asked for; trying again later may help.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("{url} could not be fetched: {why}")]
    Http { url: String, why: String },
    #[error("{url} is larger than {bytes_max} bytes")]
    TooLarge { url: String, bytes_max: u64 },
    #[error("{url} does not have the hash that the registry names; nothing of it was used")]
    WrongHash { url: String },
    #[error("{url} could not be written: {source}")]
    Write { url: String, source: std::io::Error },
}

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

impl Registry {
    /// `url` such as `https://registry.npmjs.org`; `proxy` is used for everything where it is given.
    pub(super) fn new(url: &str, proxy: Option<&str>) -> Result<Self, reqwest::Error> {
        // Harmless where the program has chosen one already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut client = reqwest::Client::builder()
            .no_proxy()
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            .user_agent(concat!("cygni/", env!("CARGO_PKG_VERSION")));
        if let Some(proxy) = proxy {
            client = client.proxy(reqwest::Proxy::all(proxy)?);
        }
        Ok(Self {
            url: format!("{}/", url.trim_end_matches('/')),
            client: client.build()?,
        })
    }

    /// All released versions of the package `name` that can be verified.
    pub(super) async fn versions(&self, name: &str) -> Result<BTreeMap<Version, Package>, FetchError> {
        let url = format!("{}{name}", self.url);
        let fail = |why: String| FetchError::Http {
            url: url.clone(),
            why,
        };
        let request = self
            .client
            .get(&url)
            .header("accept", "application/vnd.npm.install-v1+json");
        let response = request.send().await.and_then(reqwest::Response::error_for_status);
        let mut body = response.map_err(|error| fail(causes(&error)))?.bytes_stream();
        let mut bytes = Vec::new();
        while let Some(chunk) = body.next().await {
            bytes.extend_from_slice(&chunk.map_err(|error| fail(causes(&error)))?);
            if bytes.len() > METADATA_BYTES_MAX {
                return Err(FetchError::TooLarge {
                    url,
                    bytes_max: METADATA_BYTES_MAX as u64,
                });
            }
        }
        let metadata: Metadata = serde_json::from_slice(&bytes).map_err(|error| fail(error.to_string()))?;
        let versions = metadata.versions.into_iter().filter_map(|(version, data)| {
            let integrity = data.dist.integrity?;
            let sha512 = integrity
                .split_whitespace()
                .find(|hash| hash.starts_with("sha512-"))?
                .to_owned();
            Some((
                version.parse().ok()?,
                Package {
                    url: self.own_host(&data.dist.tarball),
                    integrity: sha512,
                },
            ))
        });
        Ok(versions.collect())
    }

    /// Fetches `package` into the file `to` and checks its hash.
    pub(super) async fn fetch(&self, package: &Package, to: &Path) -> Result<(), FetchError> {
        let url = package.url.clone();
        let fail = |why: String| FetchError::Http {
            url: url.clone(),
            why,
        };
        let write = |source| FetchError::Write {
            url: url.clone(),
            source,
        };
        let response = self
            .client
            .get(&url)
            .send()
            .await
            .and_then(reqwest::Response::error_for_status);
        let mut body = response.map_err(|error| fail(causes(&error)))?.bytes_stream();
        let mut file = std::fs::File::create_new(to).map_err(write)?;
        let (mut hash, mut size) = (Sha512::new(), 0u64);
        while let Some(chunk) = body.next().await {
            let chunk = chunk.map_err(|error| fail(causes(&error)))?;
            size += chunk.len() as u64;
            if size > PACKAGE_BYTES_MAX {
                return Err(FetchError::TooLarge {
                    url,
                    bytes_max: PACKAGE_BYTES_MAX,
                });
            }
            hash.update(&chunk);
            file.write_all(&chunk).map_err(write)?;
        }
        if format!("sha512-{}", BASE64.encode(&hash.finalize())) != package.integrity {
            return Err(FetchError::WrongHash { url });
        }
        Ok(())
    }

    /// A mirror's metadata may still name the public registry.
    fn own_host(&self, tarball: &str) -> String {
        match tarball.strip_prefix(PUBLIC) {
            Some(path) => format!("{}{path}", self.url),
            None => tarball.to_owned(),
        }
    }
}

/// An error with all its causes: the outermost alone says nothing.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
