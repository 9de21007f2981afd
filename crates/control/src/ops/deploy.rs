//! Deploying: a change becomes a row. The newest change wins; what an older one has not finished is cancelled.

use std::collections::BTreeMap;

use model::commit::Revision;
use model::deployment::Event;
use model::limits::{VARIABLE_BYTES_MAX, VARIABLES_MAX};
use model::preview::{Origin, TimeToLive};
use model::project_file::check_variable_name;
use model::trust::Trust;
use model::{
    Artifact, DeploymentId, Digest, EnvironmentName, NamespaceName, Plan, PreviewId, ProjectName, Tree,
};
use sqlx::{Sqlite, Transaction};

use super::previews::WantedPreview;
use super::{Kind, LiveDirectory, OpError};
use crate::control::Control;
use crate::rows::deployment::{Deployment, NewDeployment};
use crate::rows::event::NewEvent;
use crate::rows::instance::Wanted;
use crate::rows::preview::Preview;
use crate::rows::{self};
use crate::secret::random;
use crate::variables::{place_of, read_project_file};
use crate::view;

/// A change that is to become live.
#[derive(Clone, Debug)]
pub struct DeployRequest {
    pub project: ProjectName,
    pub namespace: NamespaceName,
    pub environment: EnvironmentName,
    pub tree: Tree,
    pub origin: Origin,
    /// How long the preview lives; what cx.toml says where it is `None`, then what it was given before, then the server's.
    pub ttl: Option<TimeToLive>,
    /// Given to this deployment alone, over all others.
    pub variables: BTreeMap<String, String>,
    /// Pass by what was built before.
    pub rebuild: bool,
    /// How long the upload took, as measured by whoever sent it.
    pub uploaded: Option<view::Phase>,
    /// Run the development server over this directory, instead of building and serving the tree.
    pub live: Option<LiveDirectory>,
}

/// What a new deployment of a preview is made of.
pub(crate) struct Making<'a> {
    pub(crate) environment: EnvironmentName,
    pub(crate) trust: Trust,
    /// `None` where the revision has to be fetched first.
    pub(crate) source: Option<&'a Digest>,
    pub(crate) revision: Option<&'a Revision>,
    pub(crate) rebuild: bool,
    pub(crate) prepared: Option<Prepared<'a>>,
    /// In clear; sealed for the new deployment before they are written.
    pub(crate) variables: &'a BTreeMap<String, String>,
    pub(crate) uploaded: Option<&'a view::Phase>,
    pub(crate) live_directory: Option<&'a str>,
}

/// What an earlier deployment has built already, and which one.
pub(crate) type Prepared<'a> = (&'a Plan, &'a Artifact, &'a DeploymentId);

/// What `before` has built, as far as it has.
pub(crate) fn prepared_by(before: &Deployment) -> Option<Prepared<'_>> {
    let built = before.plan.as_ref().zip(before.artifact.as_ref());
    built.map(|(plan, artifact)| (plan, artifact, &before.id))
}

impl Control {
    /// Queues a deployment of `request`.
    pub async fn deploy(&self, request: DeployRequest) -> Result<view::Deployment, OpError> {
        check_variables(&request.variables)?;
        let live_directory = match request.live {
            Some(live) => Some(self.check_live(live).await?),
            None => None,
        };
        let project = self.create_project(&request.project).await?;
        let source = self.put_tree(&project.id, &request.tree).await?;
        let file = read_project_file(&self.inner.store, &source, "").unwrap_or_default();
        let mut tx = self.db().begin().await?;
        let wanted = WantedPreview {
            project: &request.project,
            namespace: &request.namespace,
            environment: request.environment,
            origin: &request.origin,
            keep: file.preview.keep,
            ttl: request.ttl.or(file.preview.ttl),
        };
        let preview = self.ensure_preview(&mut tx, wanted).await?;
        let making = Making {
            environment: request.environment,
            trust: Trust::Owner,
            source: Some(&source),
            revision: None,
            rebuild: request.rebuild,
            prepared: None,
            variables: &request.variables,
            uploaded: request.uploaded.as_ref(),
            live_directory: live_directory.as_deref(),
        };
        let (id, superseded) = self.make(&mut tx, &preview, making).await?;
        tx.commit().await?;
        self.after_change(&superseded).await;
        self.deployment(&id).await
    }

    /// Queues a new deployment of the same source: from the same artifact, or built anew.
    pub async fn redeploy(&self, id: &DeploymentId, rebuild: bool) -> Result<view::Deployment, OpError> {
        let before = self.deployment_row(id).await?;
        let sealed = rows::variable::of_deployment(self.db().read(), id).await?;
        let mut variables = BTreeMap::new();
        for (name, value) in sealed {
            let value = self.inner.sealer.open(&place_of(id, &name), &value)?;
            variables.insert(name, String::from_utf8_lossy(&value).into_owned());
        }
        let mut tx = self.db().begin().await?;
        let preview = rows::preview::by_id(&mut *tx, &before.preview).await?;
        let preview = preview.ok_or_else(|| OpError::not_found("preview", &before.preview))?;
        rows::preview::begin_life(&mut *tx, &preview.id, preview.ttl, self.now()).await?;
        let making = Making {
            environment: before.environment,
            // A stranger's source stays a stranger's, whoever asks for it again.
            trust: before.trust,
            source: before.source.as_ref(),
            revision: before.revision.as_ref(),
            rebuild,
            prepared: prepared_by(&before).filter(|_| !rebuild),
            variables: &variables,
            uploaded: None,
            live_directory: before.live_directory.as_deref(),
        };
        let (id, superseded) = self.make(&mut tx, &preview, making).await?;
        tx.commit().await?;
        self.after_change(&superseded).await;
        self.deployment(&id).await
    }

    /// Stops a deployment that is not finished; one that serves goes on serving.
    pub async fn cancel(&self, id: &DeploymentId) -> Result<view::Deployment, OpError> {
        let row = self.deployment_row(id).await?;
        let mut tx = self.db().begin().await?;
        let cancelled = self.cancel_row(&mut tx, &row).await?;
        if !cancelled {
            let message = format!("{id} is {} and can no longer be cancelled", row.state);
            return Err(OpError::new(Kind::Conflict, "already_finished", message)
                .hint("Delete the preview, or roll it back."));
        }
        tx.commit().await?;
        self.after_change(&[row]).await;
        self.deployment(id).await
    }

    /// Cancels what is unfinished and writes the new row; gives its id and what it superseded.
    pub(crate) async fn make(
        &self,
        tx: &mut Transaction<'_, Sqlite>,
        preview: &Preview,
        making: Making<'_>,
    ) -> Result<(DeploymentId, Vec<Deployment>), OpError> {
        let mut superseded = Vec::new();
        for older in rows::deployment::of(&mut **tx, &preview.id).await? {
            if older.state.is_unfinished() && self.cancel_row(tx, &older).await? {
                superseded.push(older);
            }
        }
        let id = DeploymentId::from_random(random()?);
        let new = NewDeployment {
            id: &id,
            preview: &preview.id,
            environment: making.environment,
            trust: making.trust,
            source: making.source,
            revision: making.revision,
            rebuild: making.rebuild,
            prepared: making.prepared,
            live_directory: making.live_directory,
            now: self.now(),
        };
        rows::deployment::insert(tx, new).await?;
        for (name, value) in making.variables {
            let sealed = self.inner.sealer.seal(&place_of(&id, name), value.as_bytes())?;
            rows::variable::set_of_deployment(tx, &id, name, &sealed).await?;
        }
        if let Some(phase) = making.uploaded {
            rows::phase::add(&mut **tx, &id, phase).await?;
        }
        let event = NewEvent {
            kind: "deployment.queued",
            project: Some(&preview.project),
            namespace: Some(&preview.namespace),
            deployment: Some(&id),
            detail: Vec::new(),
        };
        rows::event::add(&mut **tx, self.now(), event).await?;
        Ok((id, superseded))
    }

    /// Cancels the row if it is still as it was read; its instances and its host go with it.
    async fn cancel_row(&self, tx: &mut Transaction<'_, Sqlite>, row: &Deployment) -> Result<bool, OpError> {
        let Some(now_row) = rows::deployment::by_id(&mut **tx, &row.id).await? else {
            return Ok(false);
        };
        if !rows::deployment::overrule(tx, &row.id, now_row.state, Event::Cancelled, self.now()).await? {
            return Ok(false);
        }
        rows::instance::want_all(&mut **tx, &row.id, Wanted::Gone, None).await?;
        rows::phase::end_running(&mut **tx, &row.id, self.now()).await?;
        rows::host::bury(tx, &row.preview, Some(&row.id), self.now()).await?;
        let event = NewEvent::about("deployment.cancelled", row);
        rows::event::add(&mut **tx, self.now(), event).await?;
        Ok(true)
    }

    /// After a commit: stop whoever works on what is no longer wanted, show it, and ring.
    pub(crate) async fn after_change(&self, unwanted: &[Deployment]) {
        for deployment in unwanted {
            self.stop_work(&deployment.id);
        }
        if let Err(error) = self.put_out_table().await {
            tracing::error!(%error, "the routes could not be rendered; the next pass does it");
        }
        self.inner.work.ring();
        self.inner.news.ring();
    }

    pub(super) async fn deployment_row(&self, id: &DeploymentId) -> Result<Deployment, OpError> {
        let row = rows::deployment::by_id(self.db().read(), id).await?;
        row.ok_or_else(|| OpError::not_found("deployment", id))
    }

    /// One deployment.
    pub async fn deployment(&self, id: &DeploymentId) -> Result<view::Deployment, OpError> {
        let row = self.deployment_row(id).await?;
        Ok(self.view_deployment(row).await?)
    }

    /// One deployment by its id, or by a beginning of it that no other shares, with or without the prefix.
    pub async fn find_deployment(&self, text: &str) -> Result<view::Deployment, OpError> {
        let prefix = if text.starts_with("dpl_") {
            text.to_owned()
        } else {
            format!("dpl_{text}")
        };
        let mut found = rows::deployment::by_prefix(self.db().read(), &prefix).await?;
        match (found.pop(), found.is_empty()) {
            (Some(row), true) => Ok(self.view_deployment(row).await?),
            (None, _) => Err(OpError::not_found("deployment", text)),
            (Some(_), false) => {
                let message = format!("`{text}` is the beginning of several deployments");
                Err(OpError::invalid("ambiguous", message).hint("Give more of the id."))
            }
        }
    }

    /// All deployments of a preview, newest first.
    pub async fn deployments(&self, preview: &PreviewId) -> Result<Vec<view::Deployment>, OpError> {
        let mut views = Vec::new();
        for row in rows::deployment::of(self.db().read(), preview).await? {
            views.push(self.view_deployment(row).await?);
        }
        Ok(views)
    }
}

fn check_variables(variables: &BTreeMap<String, String>) -> Result<(), OpError> {
    if variables.len() > VARIABLES_MAX {
        let message = format!(
            "{} variables were given and {VARIABLES_MAX} are taken",
            variables.len()
        );
        return Err(OpError::new(Kind::TooLarge, "too_many_variables", message));
    }
    variables
        .iter()
        .try_for_each(|(name, value)| check_variable(name, value))
}

/// Whether a variable can be stored and given to a process.
pub(super) fn check_variable(name: &str, value: &str) -> Result<(), OpError> {
    check_variable_name(name).map_err(|message| OpError::invalid("invalid_variable", message))?;
    if value.len() > VARIABLE_BYTES_MAX {
        let message = format!(
            "the value of `{name}` has {} bytes and {VARIABLE_BYTES_MAX} are taken",
            value.len()
        );
        return Err(OpError::new(Kind::TooLarge, "variable_too_large", message));
    }
    if value.contains('\0') {
        return Err(OpError::invalid(
            "invalid_variable",
            format!("the value of `{name}` holds a NUL character"),
        ));
    }
    Ok(())
}
