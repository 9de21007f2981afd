//! The install step of a build: from an earlier install, or run now.

use std::path::PathBuf;

use model::Failure;
use model::failure::Code;
use model::plan::Step;
use sandbox::log::Level;
use store::Staging;

use super::dependencies;
use super::environment::Phase;
use super::request::BuildError;
use super::step::Unsuccessful;
use super::work::{Layer, Work, blocking};
use crate::source::StoredSource;

impl Work<'_> {
    /// The layer of dependencies, from an earlier install where there is one. `None` where nothing is installed.
    pub(super) async fn install(&self) -> Result<Option<Layer>, BuildError> {
        let Some(step) = &self.request.plan.install else {
            return Ok(None);
        };
        self.observer.phase_started(Phase::Install.name());
        let layer = self.find_or_install(step).await;
        self.observer.phase_ended(Phase::Install.name());
        layer.map(Some)
    }

    async fn find_or_install(&self, step: &Step) -> Result<Layer, BuildError> {
        let (store, plan, tree) = (
            self.inner.store.clone(),
            self.request.plan.clone(),
            self.tree.clone(),
        );
        let (digest, read) = (self.request.tree, step.clone());
        let (over, path, part) = blocking(move || {
            let source = StoredSource::new(store.clone(), tree.clone());
            let Some(part) = dependencies::scope(&plan, &read, &tree, &source)? else {
                return Ok((digest, None, None));
            };
            let failed = |why: &dyn std::fmt::Display| Failure::new(Code::PlatformError, why.to_string());
            // What only has to be there stands in the tree as an empty file.
            store.put_blob(&b""[..], 0).map_err(|error| failed(&error))?;
            let over = store.put_tree(&part).map_err(|error| failed(&error))?;
            let path = store.materialise(&over).map_err(|error| failed(&error))?;
            Ok((over, Some(path), Some(part)))
        })
        .await?;
        let key = |trust| {
            self.inner
                .place
                .install(self.request, over, self.toolchains, trust)
        };
        let own = key(self.request.trust);
        let turn = self
            .inner
            .flights
            .enter(own, self.cancel)
            .await
            .ok_or(BuildError::Cancelled)?;
        if let Some(layer) = self.find_layer(self.readable().map(key).collect()).await? {
            let text = format!(
                "Using the dependencies of an earlier install (layer {})",
                &layer.0.hex()[..12]
            );
            self.say(Level::Info, &text);
            return Ok(layer);
        }
        let lower = path.unwrap_or_else(|| self.source.clone());
        let staging = self.run_install(step, lower).await?;
        let staging = blocking(move || {
            if let Some(part) = part {
                dependencies::unhide(staging.path(), &part).map_err(|error| {
                    Failure::new(
                        Code::PlatformError,
                        format!("a layer could not be completed: {error}"),
                    )
                })?;
            }
            Ok(staging)
        })
        .await?;
        let layer = self.commit(staging, own).await?;
        drop(turn);
        Ok(layer)
    }

    async fn run_install(&self, step: &Step, lower: PathBuf) -> Result<Staging, BuildError> {
        let ceiling = self.request.trust.network_ceiling().install;
        let egress = self.request.plan.network.install.within(&ceiling);
        let first = self
            .run_over(
                Phase::Install,
                &step.command,
                (vec![lower.clone()], egress.clone()),
            )
            .await?;
        let failed = match first {
            Ok(staging) => return Ok(staging),
            Err(failed) => failed,
        };
        let Some(fallback) = step
            .fallback
            .as_ref()
            .filter(|_| worth_another_try(&step.command, &failed))
        else {
            return Err(failed.failure.into());
        };
        let text = format!(
            "`{}` failed; trying `{fallback}`. Commit an up-to-date lock to avoid this",
            step.command
        );
        self.say(Level::Warn, &text);
        let second = self
            .run_over(Phase::Install, fallback, (vec![lower], egress))
            .await?;
        second.map_err(|failed| failed.failure.into())
    }
}

/// Commands that insist on a lock that fits the manifest, and what they say when it does not. What fails for another
/// reason would fail again.
const INSISTENT: [(&str, &[&str]); 4] = [
    (
        "npm ci",
        &[
            "EUSAGE",
            "are in sync",
            "can only install with an existing package-lock",
        ],
    ),
    (
        "uv sync --locked",
        &["needs to be updated", "Failed to parse `uv.lock`"],
    ),
    (
        "uv tool run poetry install",
        &[
            "changed significantly since poetry.lock",
            "not compatible with the current version of Poetry",
        ],
    ),
    (
        "cargo fetch --locked",
        &["--locked was passed", "needs to be updated"],
    ),
];

fn worth_another_try(command: &str, failed: &Unsuccessful) -> bool {
    let signs = INSISTENT.iter().find(|(start, _)| command.starts_with(start));
    signs.is_none_or(|(_, signs)| {
        let says = |line: &String| signs.iter().any(|sign| line.contains(sign));
        failed.lines.iter().any(says)
    })
}
