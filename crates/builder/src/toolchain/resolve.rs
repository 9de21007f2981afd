//! From a range to a layer.
//!
//! Guards against two fetches of one thing at a time, and against a choice that changes between asking for a key and
//! building: what is chosen carries the name of its layer. It does *not* know one kind of toolchain from another.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::failure::Code;
use model::{Digest, Failure};
use store::{Staging, Store};
use tokio::sync::Mutex;

use super::choice::{best, none_suits, nothing_suits, npm_runs_on};
use super::copy::Copy;
use super::index::{self, Entry};
use super::kind::{self, Kind, Offer};
use super::machine::{self, Installation};
use super::registry::{Client, Package, Registries, Versions, shown};
use super::version::{Range, Version};

/// What the registry said about versions is believed for so long.
const VERSIONS_LIFETIME: Duration = Duration::from_secs(600);
/// Makes toolchains layers.
pub(crate) struct Toolchains {
    store: Store,
    /// Or why there is no client for them.
    registries: Result<Client, String>,
    places: Vec<PathBuf>,
    versions: Mutex<HashMap<&'static str, (Instant, Arc<Versions>)>>,
    /// One copy or fetch at a time: they saturate the disk anyway, and the second asker finds the layer.
    providing: Mutex<()>,
}

/// A chosen toolchain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resolved {
    pub(crate) name: String,
    pub(crate) version: Version,
    pub(crate) layer: Digest,
    /// Where it is fetched from when the layer is not there.
    package: Option<Package>,
    /// For the log.
    pub(crate) origin: String,
    /// What runs does without it.
    pub(crate) only_builds: bool,
}

impl Toolchains {
    pub(crate) fn new(
        store: Store,
        registries: Registries,
        proxy: Option<&str>,
        places: Vec<PathBuf>,
    ) -> Self {
        let registries = Client::new(registries, proxy).map_err(|error| error.to_string());
        Self {
            store,
            registries,
            places,
            versions: Mutex::default(),
            providing: Mutex::default(),
        }
    }

    /// Chooses a version for every toolchain that is asked for. May copy what lies on the machine, and ask the registry
    /// for versions; fetches no package.
    pub(crate) async fn resolve(&self, wanted: &[model::plan::Toolchain]) -> Result<Vec<Resolved>, Failure> {
        let mut all: Vec<Resolved> = Vec::new();
        for toolchain in wanted {
            let range: Range = toolchain.version.parse().map_err(|error| {
                let message = format!(
                    "the version of {} that is asked for cannot be read: {error}",
                    toolchain.name
                );
                Failure::new(Code::ToolchainUnavailable, message)
            })?;
            let node = all
                .iter()
                .find(|resolved| resolved.name == "node")
                .map(|resolved| resolved.version);
            let fits = |version: Version| {
                toolchain.name != "npm" || node.is_none_or(|node| npm_runs_on(version, node))
            };
            let kind = kind::named(&toolchain.name).ok_or_else(|| {
                let message = format!(
                    "{} {range} is asked for, and there is no {0} here",
                    toolchain.name
                );
                Failure::new(Code::ToolchainUnavailable, message)
            })?;
            let mut chosen = self.choose(kind, &range, &fits).await?;
            chosen.only_builds = toolchain.only_builds;
            all.push(chosen);
        }
        Ok(all)
    }

    /// Whether nothing has to be fetched for it.
    pub(crate) fn is_here(&self, resolved: &Resolved) -> bool {
        self.store.layer(&resolved.layer).is_some()
    }

    /// The layer of a chosen toolchain, fetched where it is not there.
    pub(crate) async fn provide(&self, resolved: &Resolved) -> Result<PathBuf, Failure> {
        if let Some(path) = self.store.layer(&resolved.layer) {
            return Ok(path);
        }
        let _one = self.providing.lock().await;
        if let Some(path) = self.store.layer(&resolved.layer) {
            return Ok(path);
        }
        let failed = |why: String| {
            let message = format!("{} {} could not be had: {why}", resolved.name, resolved.version);
            Failure::new(Code::ToolchainFetchFailed, message)
        };
        let package = resolved
            .package
            .as_ref()
            .ok_or_else(|| failed("its layer is gone".to_owned()))?;
        let download = self.store.stage().map_err(|error| failed(error.to_string()))?;
        let archive = download.path().join("package");
        let client = self.registries.as_ref().map_err(|why| failed(why.clone()))?;
        client
            .fetch(package, &archive)
            .await
            .map_err(|error| failed(error.to_string()))?;
        let (store, resolved) = (self.store.clone(), resolved.clone());
        let made = tokio::task::spawn_blocking(move || {
            let _keep = &download;
            unpack_layer(&store, &resolved, &archive)
        });
        made.await
            .map_err(|error| failed(error.to_string()))?
            .map_err(|error| failed(error.to_string()))
    }

    async fn choose(
        &self,
        kind: &'static dyn Kind,
        range: &Range,
        fits: &(dyn Fn(Version) -> bool + Sync),
    ) -> Result<Resolved, Failure> {
        let (store, places) = (self.store.clone(), self.places.clone());
        let looked = tokio::task::spawn_blocking(move || {
            (
                index::list(&store, kind.name()),
                machine::find_kind(kind, &places),
            )
        });
        let (entries, installations) = looked.await.map_err(|error| platform(&error.to_string()))?;
        let suits = |version: &Version| range.contains(*version) && fits(*version);
        let here = entries.iter().filter_map(Entry::version);
        let there = installations.iter().map(|found| found.version);
        let mut local: Vec<Version> = here.chain(there).collect();
        let offered = local.clone();
        local.retain(suits);
        // An installation that cannot be used makes way for the next best.
        while let Some(version) = best(kind, local.clone()) {
            if let Some(entry) = entries.iter().find(|entry| entry.version() == Some(version)) {
                return Ok(Resolved::of(kind, version, entry));
            }
            let found = installations.iter().find(|found| found.version == version);
            if let Some(found) = found
                && let Some(resolved) = self.copy(kind, found).await?
            {
                return Ok(resolved);
            }
            local.retain(|other| *other != version);
        }
        match kind.offer() {
            Some(offer) => self.choose_from_registry((kind, offer), range, &suits).await,
            None => Err(nothing_suits(kind.name(), range, offered.into_iter())),
        }
    }

    /// Makes an installation a layer. `None` when it cannot stand alone, which the log of the server tells.
    async fn copy(&self, kind: &'static dyn Kind, found: &Installation) -> Result<Option<Resolved>, Failure> {
        let _one = self.providing.lock().await;
        let (store, found) = (self.store.clone(), found.clone());
        let made = tokio::task::spawn_blocking(move || {
            let known = index::list(&store, kind.name())
                .into_iter()
                .find(|entry| entry.version() == Some(found.version));
            let made = known.map_or_else(|| copy_layer(&store, kind, &found), Ok);
            match made {
                Ok(entry) => Ok(Some(Resolved::of(kind, found.version, &entry))),
                Err(NotCopied::Unusable(error)) => {
                    let (prefix, name) = (found.prefix.display(), kind.name());
                    tracing::warn!(%prefix, %error, "an installation of {name} cannot be used");
                    Ok(None)
                }
                Err(NotCopied::Store(error)) => {
                    Err(platform(&format!("{} cannot be kept: {error}", kind.name())))
                }
            }
        });
        made.await.map_err(|error| platform(&error.to_string()))?
    }

    async fn choose_from_registry(
        &self,
        (kind, offer): (&'static dyn Kind, Offer),
        range: &Range,
        suits: &(dyn Fn(&Version) -> bool + Sync),
    ) -> Result<Resolved, Failure> {
        let name = kind.name();
        let versions = self.versions(name, offer).await.map_err(|error| {
            let message = format!("no {name} that suits `{range}` is on this machine, and {error}");
            Failure::new(Code::ToolchainFetchFailed, message)
        })?;
        let suitable = versions.keys().copied().filter(|version| suits(version));
        let version = best(kind, suitable.collect());
        let Some((version, package)) = version.and_then(|version| Some((version, versions.get(&version)?)))
        else {
            return Err(none_suits(name, range, versions.keys().copied()));
        };
        Ok(Resolved {
            name: name.to_owned(),
            version,
            layer: layer_key(name, version, package.integrity.as_str()),
            package: Some(package.clone()),
            origin: shown(&package.url),
            only_builds: false,
        })
    }

    async fn versions(&self, name: &'static str, offer: Offer) -> Result<Arc<Versions>, String> {
        let mut known = self.versions.lock().await;
        if let Some((at, versions)) = known.get(name)
            && at.elapsed() < VERSIONS_LIFETIME
        {
            return Ok(versions.clone());
        }
        let client = self.registries.as_ref().map_err(String::clone)?;
        let versions = client.versions(offer).await.map_err(|error| error.to_string())?;
        let versions = Arc::new(versions);
        known.insert(name, (Instant::now(), versions.clone()));
        Ok(versions)
    }
}

impl Resolved {
    fn of(kind: &dyn Kind, version: Version, entry: &Entry) -> Self {
        Self {
            name: kind.name().to_owned(),
            version,
            layer: entry.layer,
            package: None,
            origin: entry.origin.clone(),
            only_builds: false,
        }
    }
}

/// Why an installation became no layer: its own state, or ours, in which the next one would not be kept either.
enum NotCopied {
    Unusable(std::io::Error),
    Store(std::io::Error),
}

fn copy_layer(store: &Store, kind: &dyn Kind, found: &Installation) -> Result<Entry, NotCopied> {
    let staging = store
        .stage()
        .map_err(|error| NotCopied::Store(std::io::Error::other(error)))?;
    let mut copy = Copy::new();
    kind.copy(&mut copy, &found.prefix, staging.path())
        .map_err(NotCopied::Unusable)?;
    let entry = Entry {
        name: kind.name().to_owned(),
        version: found.version.to_string(),
        layer: layer_key(kind.name(), found.version, &copy.digest().to_string()),
        origin: found.prefix.display().to_string(),
    };
    commit(store, staging, entry).map_err(NotCopied::Store)
}

fn unpack_layer(store: &Store, resolved: &Resolved, archive: &Path) -> std::io::Result<PathBuf> {
    let staging = store.stage().map_err(std::io::Error::other)?;
    let kind = kind::named(&resolved.name).ok_or(std::io::ErrorKind::NotFound)?;
    kind.unpack(std::fs::File::open(archive)?, staging.path())?;
    let entry = Entry {
        name: resolved.name.clone(),
        version: resolved.version.to_string(),
        layer: resolved.layer,
        origin: resolved.origin.clone(),
    };
    let layer = commit(store, staging, entry)?.layer;
    store
        .layer(&layer)
        .ok_or_else(|| std::io::Error::other("the layer went at once"))
}

fn commit(store: &Store, staging: Staging, entry: Entry) -> std::io::Result<Entry> {
    staging.commit(&entry.layer).map_err(std::io::Error::other)?;
    index::add(store, &entry)?;
    Ok(entry)
}

fn layer_key(name: &str, version: Version, content: &str) -> Digest {
    let key = serde_json::json!([
        "toolchain",
        1,
        name,
        version.to_string(),
        content,
        std::env::consts::ARCH
    ]);
    Digest::of(key.to_string().as_bytes())
}

fn platform(why: &str) -> Failure {
    Failure::new(
        Code::PlatformError,
        format!("looking for toolchains failed: {why}"),
    )
}
