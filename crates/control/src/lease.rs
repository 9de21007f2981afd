//! A lease: the right to move one deployment forward. It carries the boot id of its holder, so a lease that a crash left
//! behind is void at the next start and nobody has to wait for it.

use model::DeploymentId;

use crate::db::Db;
use crate::rows;

/// Proof that this process holds the deployment. Only [`take`] makes one.
#[derive(Debug)]
pub(crate) struct Lease {
    deployment: DeploymentId,
    boot: String,
}

impl Lease {
    pub(crate) fn deployment(&self) -> &DeploymentId {
        &self.deployment
    }

    pub(crate) fn boot(&self) -> &str {
        &self.boot
    }
}

/// Takes the deployment, or `None` where it is held already or no longer unfinished.
pub(crate) async fn take(
    db: &Db,
    deployment: &DeploymentId,
    boot: &str,
) -> Result<Option<Lease>, sqlx::Error> {
    let taken = rows::deployment::take_lease(db.write(), deployment, boot).await?;
    Ok(taken.then(|| Lease {
        deployment: deployment.clone(),
        boot: boot.to_owned(),
    }))
}
