//! The builder: from a request to an artifact.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use model::artifact::{Content, Part};
use model::failure::Code;
use model::plan::{Serve, Service};
use model::project_file::ProjectFile;
use model::{Artifact, Digest, Failure, Plan};
use sandbox::log::Level;
use store::{ScratchError, Store};
use tokio_util::sync::CancellationToken;

use super::artifact::{self, put};
use super::cache::Caches;
use super::flight::Flights;
use super::key::Place;
use super::request::{BuildError, BuildRequest, Observer};
use super::runner::Runner;
use super::work::{Work, blocking};
use crate::plan;
use crate::source::StoredSource;
use crate::toolchain::{Registries, Toolchains};

/// Artifacts that are remembered for whoever waited for an equal build.
const FINISHED_MAX: usize = 256;

/// What a builder works with.
pub struct BuilderOptions {
    pub store: Store,
    pub runner: Arc<dyn Runner>,
    /// Where toolchains and installs come from.
    pub registries: Registries,
    /// The proxy for fetching toolchains, such as `http://proxy:3128`.
    pub proxy: Option<String>,
    /// Prefixes under which toolchains may be installed; see [`crate::toolchain::places`].
    pub toolchain_search: Vec<PathBuf>,
    /// Keys the HMAC of variables.
    pub installation_key: [u8; 32],
    /// Names the base system and the sandbox: raised when either changes what a build can see.
    pub base_id: String,
}

/// Turns sources into artifacts. Clones are cheap and share everything.
#[derive(Clone)]
pub struct Builder {
    inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) store: Store,
    pub(super) runner: Arc<dyn Runner>,
    pub(super) registries: Registries,
    pub(super) toolchains: Toolchains,
    pub(super) place: Place,
    pub(super) flights: Flights,
    pub(super) caches: Caches,
    finished: Mutex<HashMap<Digest, Artifact>>,
}

impl Builder {
    pub fn new(options: BuilderOptions) -> Self {
        let BuilderOptions {
            store,
            runner,
            registries,
            proxy,
            toolchain_search,
            installation_key,
            base_id,
        } = options;
        let toolchains = Toolchains::new(
            store.clone(),
            registries.clone(),
            proxy.as_deref(),
            toolchain_search,
        );
        let inner = Inner {
            store,
            runner,
            registries,
            toolchains,
            caches: Caches::default(),
            place: Place {
                installation_key,
                base_id,
            },
            flights: Flights::default(),
            finished: Mutex::default(),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Works out how to build and serve the source `tree`. Blocks while it reads files.
    pub fn detect(&self, tree: &Digest) -> Result<Plan, Failure> {
        plan::detect(&self.source(tree)?)
    }

    /// The same for the project in `directory` of the source; empty is all of it. Blocks.
    pub fn detect_in(&self, tree: &Digest, directory: &str) -> Result<Plan, Failure> {
        plan::detect_in(&self.source(tree)?, directory)
    }

    /// How to run the development server of the source `tree` over a directory that changes. Blocks.
    pub fn detect_dev(&self, tree: &Digest) -> Result<Plan, Failure> {
        plan::detect_dev(&self.source(tree)?)
    }

    /// What the cx.toml of the source `tree` says; a source without one says nothing. Blocks.
    pub fn project_file(&self, tree: &Digest) -> Result<ProjectFile, Failure> {
        plan::project_file(&self.source(tree)?)
    }

    /// The name of what `request` gives: equal keys give equal artifacts. The trust of the author is not in it: whoever
    /// remembers builds by key says whose builds may be used by whom. May ask the registry which versions there are.
    pub async fn key(&self, request: &BuildRequest) -> Result<Digest, Failure> {
        let toolchains = self.inner.toolchains.resolve(&request.plan.toolchains).await?;
        Ok(self.inner.place.build(request, &toolchains))
    }

    /// Builds, and tells `observer` on the way. Of equal builds at one time one runs and the others wait for it.
    ///
    /// Dropping the future ends the build as well, and leaves nothing.
    pub async fn build(
        &self,
        request: &BuildRequest,
        observer: &dyn Observer,
        cancel: &CancellationToken,
    ) -> Result<Artifact, BuildError> {
        if is_only_files(&request.plan) {
            return Ok(self.files(request).await?);
        }
        let toolchains = tokio::select! {
            resolved = self.inner.toolchains.resolve(&request.plan.toolchains) => resolved?,
            () = cancel.cancelled() => return Err(BuildError::Cancelled),
        };
        let key = self.inner.place.build(request, &toolchains);
        let own = Place::build_layer(&key, request.trust);
        let turn = self
            .inner
            .flights
            .enter(own, cancel)
            .await
            .ok_or(BuildError::Cancelled)?;
        if turn.waited
            && let Some(artifact) = self.finished(&own).await
        {
            observer.line(Level::Info, "Using the equal build that has just finished");
            return Ok(artifact);
        }
        let work = Work::prepare(&self.inner, request, (observer, cancel), &toolchains).await?;
        let artifact = artifact::make(&work, &key).await;
        work.finish().await;
        let artifact = artifact?;
        self.remember(own, &artifact);
        drop(turn);
        // Layers become durable in the background: nobody waits for the disk, and a power cut costs a build at most.
        let store = self.inner.store.clone();
        drop(tokio::task::spawn_blocking(move || {
            if let Err(error) = store.sync() {
                tracing::warn!(%error, "what was built is not on disk yet");
            }
        }));
        Ok(artifact)
    }

    /// Removes what the builds of an earlier platform left. For the start, before anything is built. Blocks.
    pub fn remove_leftovers(&self) -> Result<(), ScratchError> {
        let left = self.build_scratches()?;
        left.iter().try_for_each(|name| self.remove_build_scratch(name))
    }

    pub(super) fn store(&self) -> &Store {
        &self.inner.store
    }

    pub(super) fn runner(&self) -> &dyn Runner {
        &*self.inner.runner
    }

    pub(super) fn caches(&self) -> &Caches {
        &self.inner.caches
    }

    /// Whether everything that the artifact consists of is still in the store.
    pub fn is_present(&self, artifact: &Artifact) -> bool {
        let store = &self.inner.store;
        artifact.services.iter().all(|part| match &part.content {
            Content::Static { tree, .. } => store.has_tree(tree),
            Content::Server(server) => {
                let toolchains = server.toolchains.iter().map(|toolchain| &toolchain.layer);
                let mut layers = server.layers.iter().chain(toolchains);
                store.has_tree(&server.source) && layers.all(|layer| store.layer(layer).is_some())
            }
        })
    }

    fn source(&self, tree: &Digest) -> Result<StoredSource, Failure> {
        let store = &self.inner.store;
        let read = store
            .tree(tree)
            .map_err(|error| Failure::new(Code::SourceMissing, error.to_string()))?;
        Ok(StoredSource::new(store.clone(), read))
    }

    /// The artifact of a plan that runs nothing: parts of the source.
    async fn files(&self, request: &BuildRequest) -> Result<Artifact, Failure> {
        let (store, source, plan) = (self.inner.store.clone(), request.tree, request.plan.clone());
        blocking(move || {
            let tree = store
                .tree(&source)
                .map_err(|error| Failure::new(Code::SourceMissing, error.to_string()))?;
            let part = |service: &Service| {
                let Serve::Static { output, spa } = &service.serve else {
                    return Ok(None);
                };
                let path = join(&plan.root, output);
                let files = tree.subtree(&path);
                if files.entries().is_empty() {
                    let message = format!("there are no files in `{path}` of the source");
                    return Err(Failure::new(Code::OutputMissing, message));
                }
                let content = Content::Static {
                    tree: put(&store, &files)?,
                    spa: *spa,
                };
                Ok(Some(Part {
                    service: service.name.clone(),
                    content,
                }))
            };
            let parts: Result<Vec<_>, Failure> = plan.services.iter().map(part).collect();
            Ok(Artifact {
                services: parts?.into_iter().flatten().collect(),
            })
        })
        .await
    }

    async fn finished(&self, key: &Digest) -> Option<Artifact> {
        let artifact = self
            .inner
            .finished
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
            .get(key)
            .cloned()?;
        let (builder, looked) = (self.clone(), artifact.clone());
        let present = tokio::task::spawn_blocking(move || builder.is_present(&looked)).await;
        present.unwrap_or(false).then_some(artifact)
    }

    fn remember(&self, key: Digest, artifact: &Artifact) {
        let mut finished = self
            .inner
            .finished
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        if finished.len() >= FINISHED_MAX {
            finished.clear();
        }
        finished.insert(key, artifact.clone());
    }
}

fn is_only_files(plan: &Plan) -> bool {
    !plan.needs_build()
        && plan
            .services
            .iter()
            .all(|service| matches!(service.serve, Serve::Static { .. }))
}

fn join(root: &str, path: &str) -> String {
    [root, path]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join("/")
}
