//! The step from a revision to a source: the commit is fetched by git, in a sandbox of its own.
//!
//! How git reaches the repository is asked from the forge each time, so that no credentials are kept. A redeployment has
//! its source already, and so has what was uploaded.

use std::time::Duration;

use builder::{BuildError, FetchRequest, Remote};
use forge::ForgeError;
use model::Digest;
use model::commit::Revision;
use model::failure::{Code, Failure};

use super::advance::{Held, Stop};
use crate::control::Control;
use crate::rows::deployment::Deployment;
use crate::rows::repository::Repository;
use crate::rows::{self};

/// The builder keeps a fetch within less; one that does not come back even so is dropped.
const FETCH_MAX: Duration = Duration::from_secs(30 * 60);

impl Control {
    /// The tree that the deployment is made of.
    pub(super) async fn source(&self, deployment: &Deployment, held: &Held) -> Result<Digest, Stop> {
        if let Some(source) = deployment.source {
            return Ok(source);
        }
        let missing = || {
            Failure::new(
                Code::SourceMissing,
                "the source of the deployment is not in the store",
            )
        };
        let revision = deployment.revision.as_ref().ok_or_else(missing)?;
        self.room_to_build()?;
        // A fetch is as heavy as a build, and as many may run at a time.
        let _slots = self.wait_for_slots(deployment, held).await?;
        let fetched = self.fetch(deployment, revision, held).await?;
        rows::deployment::set_source(self.db().write(), &held.lease, &fetched).await?;
        Ok(fetched)
    }

    async fn fetch(&self, deployment: &Deployment, revision: &Revision, held: &Held) -> Result<Digest, Stop> {
        let request = FetchRequest {
            name: format!("{}-source", deployment.id.short()),
            project: deployment.project_id.clone(),
            trust: deployment.trust,
            remote: self.remote(deployment, revision).await?,
            reference: revision.reference.clone(),
            commit: revision.commit.clone(),
            lfs: true,
        };
        let fetched = self.inner.builder.fetch(&request, &held.journal, &held.cancel);
        let fetched = self.inner.clock.within(FETCH_MAX, fetched).await;
        match fetched {
            Some(Ok(fetched)) => Ok(fetched.tree),
            Some(Err(BuildError::Cancelled)) => Err(Stop::Lost),
            Some(Err(BuildError::Failed(failure))) => Err(failure.into()),
            None => {
                let message = "fetching the source did not come to an end in time";
                Err(Failure::new(Code::SourceUnreachable, message).into())
            }
        }
    }

    /// How git reaches the repository now. It may have another name by now.
    async fn remote(&self, deployment: &Deployment, revision: &Revision) -> Result<Remote, Stop> {
        let unreachable = |message: String| Failure::new(Code::SourceUnreachable, message);
        let open = self.forge(&revision.forge).await;
        let open = open.map_err(|error| unreachable(error.message))?;
        let repository = self.repository_of(deployment, revision).await?;
        let reference = repository.reference();
        let access = open
            .forge
            .git_access(&reference)
            .await
            .map_err(|error| match error {
                ForgeError::Denied { .. } | ForgeError::NotFound { .. } => {
                    Failure::new(Code::SourceDenied, error.to_string())
                }
                _ => unreachable(error.to_string()),
            })?;
        Ok(Remote {
            url: access.url,
            scope: access.scope,
            authorization: access.authorization,
        })
    }

    async fn repository_of(&self, deployment: &Deployment, revision: &Revision) -> Result<Repository, Stop> {
        let db = self.db().read();
        let connection = rows::project_repository::of_project(db, &deployment.project_id).await?;
        let repository = match connection {
            Some(connection) => rows::repository::by_id(db, &connection.repository_id).await?,
            None => None,
        };
        let message = format!(
            "`{}` is not the repository of {} any more",
            revision.repository, deployment.project
        );
        let found = repository.filter(|row| row.forge == revision.forge);
        Ok(found.ok_or_else(|| Failure::new(Code::SourceDenied, message))?)
    }
}
