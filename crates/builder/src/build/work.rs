//! One build while it runs: its directories, its time, its steps.
//!
//! Guards against leaving anything behind: what it wrote lies in a scratch directory and in staging directories that go
//! with it, unless they become layers. Reads the caches of every trust level at or above its own and writes only its own.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::failure::Code;
use model::inside;
use model::limits::{BUILD_MEMORY_BYTES, FILE_BYTES_MAX};
use model::network::Egress;
use model::plan::Step;
use model::trust::Trust;
use model::{Digest, Failure, Tree};
use sandbox::Limits;
use sandbox::log::Level;
use store::Staging;
use tokio_util::sync::CancellationToken;

use super::builder::Inner;
use super::cache::Held;
use super::environment::{Phase, Surroundings};
use super::key::Place;
use super::layers;
use super::request::{BuildError, BuildRequest, Observer};
use super::runner::{StepSpec, ToolchainMount};
use super::scratch::{BUILD_PREFIX, Scratch};
use super::step::{Outcome, Unsuccessful, Watch};
use crate::toolchain::Resolved;

/// A committed layer: its name and where it lies.
pub(super) type Layer = (Digest, PathBuf);

/// A build that runs.
pub(super) struct Work<'a> {
    pub(super) inner: &'a Inner,
    pub(super) request: &'a BuildRequest,
    pub(super) observer: &'a dyn Observer,
    pub(super) cancel: &'a CancellationToken,
    pub(super) toolchains: &'a [Resolved],
    pub(super) tree: Arc<Tree>,
    /// The source as a directory.
    pub(super) source: PathBuf,
    mounts: Vec<ToolchainMount>,
    deadline: Instant,
    scratch: Scratch,
}

/// What a step runs over and writes to.
struct Ground<'a> {
    phase: Phase,
    command: &'a str,
    /// Topmost first.
    lowers: Vec<PathBuf>,
    upper: &'a Path,
    egress: Egress,
}

impl<'a> Work<'a> {
    /// Makes the source a directory and has the toolchains ready.
    pub(super) async fn prepare(
        inner: &'a Inner,
        request: &'a BuildRequest,
        (observer, cancel): (&'a dyn Observer, &'a CancellationToken),
        toolchains: &'a [Resolved],
    ) -> Result<Self, BuildError> {
        let deadline = Instant::now() + Duration::from_secs(request.plan.limits.build_seconds_max.into());
        let (store, digest, name) = (
            inner.store.clone(),
            request.tree,
            format!("{BUILD_PREFIX}{}", request.name),
        );
        let (tree, source, scratch) = blocking(move || {
            let missing = |why: &dyn std::fmt::Display| Failure::new(Code::SourceMissing, why.to_string());
            let tree = store.tree(&digest).map_err(|error| missing(&error))?;
            let source = store.materialise(&digest).map_err(|error| missing(&error))?;
            Ok((tree, source, Scratch::make(&store, name)?))
        })
        .await?;
        let mut work = Self {
            inner,
            request,
            observer,
            cancel,
            toolchains,
            tree,
            source,
            mounts: Vec::new(),
            deadline,
            scratch,
        };
        work.provide_toolchains().await?;
        Ok(work)
    }

    /// Runs the build step over the source and `dependencies`. What it wrote is in the directory given back.
    pub(super) async fn build(
        &self,
        step: &Step,
        dependencies: Option<&Layer>,
    ) -> Result<Staging, BuildError> {
        self.observer.phase_started(Phase::Build.name());
        let built = self.run_build(step, dependencies).await;
        self.observer.phase_ended(Phase::Build.name());
        built
    }

    /// The first layer that one of `keys` stands for, unless all caches are passed by.
    pub(super) async fn find_layer(&self, keys: Vec<Digest>) -> Result<Option<Layer>, BuildError> {
        if self.request.rebuild {
            return Ok(None);
        }
        let store = self.inner.store.clone();
        Ok(blocking(move || Ok(keys.iter().find_map(|key| layers::find(&store, key)))).await?)
    }

    /// Makes what was staged the layer of `key`.
    pub(super) async fn commit(&self, staging: Staging, key: Digest) -> Result<Layer, BuildError> {
        let (store, rebuild) = (self.inner.store.clone(), self.request.rebuild);
        Ok(blocking(move || layers::commit(&store, staging, &key, rebuild)).await?)
    }

    pub(super) fn say(&self, level: Level, text: &str) {
        self.observer.line(level, text);
    }

    /// The levels whose caches may be read, our own first.
    pub(super) fn readable(&self) -> impl Iterator<Item = Trust> {
        let own = self.request.trust;
        let others = [Trust::Member, Trust::Owner]
            .into_iter()
            .filter(move |level| *level != own);
        std::iter::once(own).chain(others.filter(move |level| own.reads_cache_of(*level)))
    }

    /// Removes what the build wrote and was not kept. Dropping does the same, but holds up whoever drops.
    pub(super) async fn finish(self) {
        let scratch = self.scratch;
        let _ = tokio::task::spawn_blocking(move || drop(scratch)).await;
    }

    async fn provide_toolchains(&mut self) -> Result<(), BuildError> {
        if self.toolchains.is_empty() {
            return Ok(());
        }
        let provided = self.provide_each().await;
        self.mounts = provided?;
        Ok(())
    }

    async fn provide_each(&self) -> Result<Vec<ToolchainMount>, BuildError> {
        let mut mounts = Vec::new();
        for resolved in self.toolchains {
            let (name, version, origin) = (&resolved.name, resolved.version, &resolved.origin);
            if !self.inner.toolchains.is_here(resolved) {
                self.say(Level::Info, &format!("Fetching {name} {version} from {origin}"));
            }
            let source = tokio::select! {
                provided = self.inner.toolchains.provide(resolved) => provided?,
                () = self.cancel.cancelled() => return Err(BuildError::Cancelled),
            };
            self.say(Level::Info, &format!("Using {name} {version} (from {origin})"));
            mounts.push(ToolchainMount {
                source,
                target: inside::toolchain(&resolved.name, resolved.version),
            });
        }
        Ok(mounts)
    }

    async fn run_build(&self, step: &Step, dependencies: Option<&Layer>) -> Result<Staging, BuildError> {
        let lowers = self.lowers(dependencies);
        let egress = self
            .request
            .plan
            .network
            .build
            .within(&self.request.trust.network_ceiling().build);
        let built = self
            .run_over(Phase::Build, &step.command, (lowers, egress))
            .await?;
        built.map_err(|failed| failed.failure.into())
    }

    /// What lies below a step after the install, topmost first.
    pub(super) fn lowers(&self, dependencies: Option<&Layer>) -> Vec<PathBuf> {
        dependencies
            .map(|(_, path)| path.clone())
            .into_iter()
            .chain([self.source.clone()])
            .collect()
    }

    /// Runs one command with a fresh upper directory, which is given back when the command succeeds.
    pub(super) async fn run_over(
        &self,
        phase: Phase,
        command: &str,
        (lowers, egress): (Vec<PathBuf>, Egress),
    ) -> Result<Result<Staging, Unsuccessful>, BuildError> {
        let store = self.inner.store.clone();
        let staging = blocking(move || {
            store
                .stage()
                .map_err(|error| Failure::new(Code::PlatformError, error.to_string()))
        })
        .await?;
        self.say(Level::Info, &format!("$ {command}"));
        let ground = Ground {
            phase,
            command,
            lowers,
            upper: staging.path(),
            egress,
        };
        let (_held, cache) = self.cache(phase).await?;
        let spec = self.spec(ground, cache)?;
        let plan = &self.request.plan;
        let watch = Watch {
            phase,
            title: command,
            deadline: self.deadline,
            seconds_max: plan.limits.build_seconds_max,
            disk_bytes_max: plan.limits.disk_bytes,
            measured: vec![staging.path().to_owned(), self.scratch.path.clone()],
            store: &self.inner.store,
            tree: &self.tree,
            root: &plan.root,
        };
        let outcome = watch
            .run(&*self.inner.runner, spec, self.observer, self.cancel)
            .await;
        match outcome {
            Ok(Outcome::Done) => Ok(Ok(staging)),
            other => {
                // Tens of thousands of files go with it.
                let _ = tokio::task::spawn_blocking(move || drop(staging)).await;
                match other? {
                    Outcome::Unsuccessful(failed) => Ok(Err(failed)),
                    Outcome::Done => unreachable!("handled above"),
                }
            }
        }
    }

    fn spec(&self, ground: Ground<'_>, cache: PathBuf) -> Result<StepSpec, Failure> {
        let (request, plan) = (self.request, &self.request.plan);
        let left = self.deadline.saturating_duration_since(Instant::now());
        let surroundings = Surroundings {
            plan,
            variables: &request.variables,
            toolchains: &self.mounts,
            npm_major: self
                .toolchains
                .iter()
                .find(|resolved| resolved.name == "npm")
                .map(|npm| npm.version.major),
            registries: &self.inner.registries,
        };
        let limits = Limits {
            memory_bytes: plan.limits.memory_bytes.max(BUILD_MEMORY_BYTES),
            cpu_millis: plan.limits.cpu_millis,
            pids_max: plan.limits.pids_max,
            file_bytes_max: FILE_BYTES_MAX.min(plan.limits.disk_bytes),
            wall_seconds: Some(
                u32::try_from(left.as_millis().div_ceil(1_000))
                    .unwrap_or(u32::MAX)
                    .max(1),
            ),
        };
        Ok(StepSpec {
            name: format!("{}-{}", request.name, ground.phase.name()),
            command: ground.command.to_owned(),
            directory: inside::directory(&plan.root),
            environment: surroundings.environment(ground.phase, &ground.egress),
            lowers: ground.lowers,
            upper: ground.upper.to_owned(),
            work: self.scratch.fresh("work")?,
            toolchains: self.mounts.clone(),
            home: self.scratch.kept("home")?,
            temporary: self.scratch.fresh("tmp")?,
            cache,
            limits,
            egress: ground.egress,
            opened: Vec::new(),
            secrets: [request.secrets.clone(), self.inner.registries.passwords()].concat(),
        })
    }

    /// The cache of a step, and what keeps others from it meanwhile.
    async fn cache(&self, phase: Phase) -> Result<(Option<Held>, PathBuf), BuildError> {
        let (store, caches, request) = (
            self.inner.store.clone(),
            self.inner.caches.clone(),
            self.request.clone(),
        );
        let held = blocking(move || {
            if phase == Phase::Build && request.rebuild {
                return Ok(None);
            }
            caches.take(&store, (&request.project, request.trust), phase)
        })
        .await?;
        let path = match &held {
            Some(held) => held.path().to_owned(),
            None => self.scratch.kept("cache")?,
        };
        Ok((held, path))
    }
}

/// Runs what blocks where it may.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| {
        Err(Failure::new(
            Code::PlatformError,
            format!("a step of the build broke off: {error}"),
        ))
    })
}

/// The layer key of a build's own writes at each level in `readable`.
pub(super) fn build_layer_keys(key: &Digest, readable: impl Iterator<Item = Trust>) -> Vec<Digest> {
    readable.map(|trust| Place::build_layer(key, trust)).collect()
}
