//! What was built, by the digest of everything that went in.

use model::trust::Trust;
use model::{Artifact, DeploymentId, Digest, ProjectId};
use sqlx::{SqliteExecutor, SqlitePool};

use super::{json, parsed, to_json};

/// A build that can be used again.
#[derive(Debug)]
pub(crate) struct Build {
    pub(crate) artifact: Artifact,
    pub(crate) deployment: DeploymentId,
}

/// Builds of the project with this key whose cache `reader` may read, most trusted first.
pub(crate) async fn find(
    db: &SqlitePool,
    project: &ProjectId,
    key: &Digest,
    reader: Trust,
) -> Result<Vec<Build>, sqlx::Error> {
    let mut found = Vec::new();
    for writer in [Trust::Owner, Trust::Member, Trust::Fork] {
        if !reader.reads_cache_of(writer) {
            continue;
        }
        let sql =
            "SELECT artifact, deployment_id FROM builds WHERE project_id = $1 AND key = $2 AND trust = $3";
        let row = sqlx::query(sql)
            .bind(project.as_str())
            .bind(key.to_string())
            .bind(writer.as_str());
        if let Some(row) = row.fetch_optional(db).await? {
            found.push(Build {
                artifact: json(&row, "artifact")?,
                deployment: parsed(&row, "deployment_id")?,
            });
        }
    }
    Ok(found)
}

/// A finished build, to be recorded.
#[derive(Debug)]
pub(crate) struct NewBuild<'a> {
    pub(crate) project: &'a ProjectId,
    pub(crate) key: &'a Digest,
    pub(crate) trust: Trust,
    pub(crate) artifact: &'a Artifact,
    pub(crate) deployment: &'a DeploymentId,
    pub(crate) now: i64,
}

pub(crate) async fn record(db: impl SqliteExecutor<'_>, build: NewBuild<'_>) -> Result<(), sqlx::Error> {
    let sql = "INSERT INTO builds (project_id, key, trust, artifact, deployment_id, created_at_ms) \
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (project_id, key, trust) DO UPDATE SET \
        artifact = excluded.artifact, deployment_id = excluded.deployment_id, created_at_ms = excluded.created_at_ms";
    sqlx::query(sql)
        .bind(build.project.as_str())
        .bind(build.key.to_string())
        .bind(build.trust.as_str())
        .bind(to_json(build.artifact)?)
        .bind(build.deployment.as_str())
        .bind(build.now)
        .execute(db)
        .await
        .map(drop)
}
