//! Registries: which versions of a toolchain there are, and the bytes of one.
//!
//! Guards against a registry or a connection that changes bytes: the hash that the registry names is checked before
//! anything is unpacked; answers are bounded in size and time. Each registry's protocol has a file of its own.

mod go;
pub(super) mod npm;
mod pypi;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use data_encoding::{BASE64, HEXLOWER};
use futures_util::StreamExt;
use sha2::{Digest as _, Sha256, Sha512};

use super::kind::Offer;
use super::unpack;
use super::version::Version;

/// Bytes of a package's metadata at the most.
const METADATA_BYTES_MAX: usize = 64 << 20;
/// Bytes of a package at the most.
const PACKAGE_BYTES_MAX: u64 = 512 << 20;
/// A connection that gives nothing for so long is given up.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Where packages come from: the public registries, or an operator's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registries {
    /// Such as `https://registry.npmjs.org`.
    pub npm: String,
    /// The "simple" index of Python packages, such as `https://pypi.org/simple`.
    pub pypi: String,
    /// As in Go's `GOPROXY`: addresses with `,` or `|` between them, `direct`, `off`.
    pub go_proxy: String,
    /// As in Go's `GOSUMDB`: the name of a checksum database, with a key or an address after it, or `off`.
    pub go_sumdb: String,
}

impl Default for Registries {
    fn default() -> Self {
        Self {
            npm: "https://registry.npmjs.org".to_owned(),
            pypi: "https://pypi.org/simple".to_owned(),
            go_proxy: "https://proxy.golang.org,direct".to_owned(),
            go_sumdb: "sum.golang.org".to_owned(),
        }
    }
}

impl Registries {
    /// All of them at one address, such as a mirror's.
    pub fn at(url: &str) -> Self {
        Self {
            npm: url.to_owned(),
            pypi: url.to_owned(),
            go_proxy: url.to_owned(),
            go_sumdb: "sum.golang.org".to_owned(),
        }
    }

    /// Every address that is named.
    pub fn urls(&self) -> impl Iterator<Item = &str> {
        let sumdb = self.go_sumdb.split_whitespace().nth(1);
        let each = [self.npm.as_str(), self.pypi.as_str()].into_iter();
        each.chain(go::addresses(&self.go_proxy)).chain(sumdb)
    }

    /// Passwords in the addresses: steps are given them, and no log may show them.
    pub(crate) fn passwords(&self) -> Vec<String> {
        let password = |url: &str| Some(reqwest::Url::parse(url).ok()?.password()?.to_owned());
        self.urls().filter_map(password).collect()
    }
}

/// Registries that can be asked.
pub(super) struct Client {
    registries: Registries,
    http: reqwest::Client,
}

pub(super) type Versions = BTreeMap<Version, Package>;

/// One version of a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Package {
    pub(super) url: String,
    pub(super) integrity: Integrity,
}

/// What shows that the bytes are right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Integrity {
    /// `sha512-…`, in base 64.
    Sha512(String),
    /// In hexadecimal.
    Sha256(String),
    /// The checksum database knows the hash of this version of `golang.org/toolchain`.
    Go(String),
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
    #[error("the hash of {url} cannot be checked: {why}")]
    NoHash { url: String, why: String },
    #[error("{url} could not be written: {source}")]
    Write { url: String, source: std::io::Error },
}

impl Integrity {
    /// Names the content in the key of a layer.
    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Sha512(text) | Self::Sha256(text) | Self::Go(text) => text,
        }
    }
}

impl Client {
    /// `proxy` is used for everything where it is given.
    pub(super) fn new(registries: Registries, proxy: Option<&str>) -> Result<Self, reqwest::Error> {
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
            registries,
            http: client.build()?,
        })
    }

    /// All released versions of what is offered that can be verified.
    pub(super) async fn versions(&self, offer: Offer) -> Result<Versions, FetchError> {
        match offer {
            Offer::Npm(name) => npm::versions(self, name).await,
            Offer::Pypi(name, wheel) => pypi::versions(self, name, wheel).await,
            Offer::Go(machine) => go::versions(self, machine).await,
        }
    }

    /// Fetches `package` into the file `to` and checks its hash.
    pub(super) async fn fetch(&self, package: &Package, to: &Path) -> Result<(), FetchError> {
        let url = package.url.clone();
        let expected = match &package.integrity {
            Integrity::Go(version) => go::hash(self, version).await?,
            Integrity::Sha512(hash) | Integrity::Sha256(hash) => hash.clone(),
        };
        let hashes = self.download(&url, to).await?;
        let found = match &package.integrity {
            Integrity::Sha512(_) => format!("sha512-{}", BASE64.encode(&hashes.0)),
            Integrity::Sha256(_) => HEXLOWER.encode(&hashes.1),
            Integrity::Go(_) => {
                let path = to.to_owned();
                let hashed = tokio::task::spawn_blocking(move || unpack::go_hash(std::fs::File::open(path)?));
                let hashed = hashed.await.map_err(std::io::Error::other).and_then(|hash| hash);
                hashed.map_err(|source| FetchError::Write {
                    url: url.clone(),
                    source,
                })?
            }
        };
        match found == expected {
            true => Ok(()),
            false => Err(FetchError::WrongHash { url }),
        }
    }

    /// The text at `url`, in the form that `accept` names.
    async fn text(&self, url: &str, accept: &str) -> Result<Vec<u8>, FetchError> {
        let request = self.http.get(url).header("accept", accept);
        let response = request.send().await.and_then(reqwest::Response::error_for_status);
        let mut body = response.map_err(|error| failed(url, &error))?.bytes_stream();
        let mut bytes = Vec::new();
        while let Some(chunk) = body.next().await {
            bytes.extend_from_slice(&chunk.map_err(|error| failed(url, &error))?);
            if bytes.len() > METADATA_BYTES_MAX {
                return Err(FetchError::TooLarge {
                    url: shown(url),
                    bytes_max: METADATA_BYTES_MAX as u64,
                });
            }
        }
        Ok(bytes)
    }

    /// Writes what is at `url` into the new file `to`; gives its SHA-512 and SHA-256.
    async fn download(&self, url: &str, to: &Path) -> Result<(Vec<u8>, Vec<u8>), FetchError> {
        let write = |source| FetchError::Write {
            url: shown(url),
            source,
        };
        let response = self.http.get(url).send().await;
        let response = response.and_then(reqwest::Response::error_for_status);
        let mut body = response.map_err(|error| failed(url, &error))?.bytes_stream();
        let mut file = std::fs::File::create_new(to).map_err(write)?;
        let (mut long, mut short, mut size) = (Sha512::new(), Sha256::new(), 0u64);
        while let Some(chunk) = body.next().await {
            let chunk = chunk.map_err(|error| failed(url, &error))?;
            size += chunk.len() as u64;
            if size > PACKAGE_BYTES_MAX {
                return Err(FetchError::TooLarge {
                    url: shown(url),
                    bytes_max: PACKAGE_BYTES_MAX,
                });
            }
            long.update(&chunk);
            short.update(&chunk);
            file.write_all(&chunk).map_err(write)?;
        }
        Ok((long.finalize().to_vec(), short.finalize().to_vec()))
    }
}

/// An address without what an operator's own may hold: a name and a password.
pub(super) fn shown(url: &str) -> String {
    let Ok(mut parsed) = reqwest::Url::parse(url) else {
        return url.to_owned();
    };
    if parsed.username().is_empty() && parsed.password().is_none() {
        return url.to_owned();
    }
    let _ = parsed.set_username("");
    let _ = parsed.set_password(None);
    parsed.to_string()
}

fn failed(url: &str, error: &reqwest::Error) -> FetchError {
    // The library would name the whole address.
    let text = causes(error).replace(url, &shown(url));
    FetchError::Http {
        url: shown(url),
        why: text,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_not_shown() {
        assert_eq!(
            shown("https://ada:secret@mirror.example/simple"),
            "https://mirror.example/simple"
        );
        assert_eq!(
            shown("https://mirror.example/simple"),
            "https://mirror.example/simple"
        );
        assert_eq!(
            Registries::at("https://ada:secret@mirror.example").passwords(),
            ["secret"; 3]
        );
    }

    #[test]
    fn addresses_are_named() {
        let registries = Registries {
            go_proxy: "https://go.example|https://proxy.golang.org,off".to_owned(),
            go_sumdb: "sum.golang.org https://sums.example".to_owned(),
            ..Registries::default()
        };
        let urls: Vec<&str> = registries.urls().collect();
        assert_eq!(
            urls,
            [
                "https://registry.npmjs.org",
                "https://pypi.org/simple",
                "https://go.example",
                "https://proxy.golang.org",
                "https://sums.example"
            ]
        );
    }
}
