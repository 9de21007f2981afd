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
    let sql = "INSERT INTO builds (project_id, key, trust, artifact, deployment_id, created_at_ms, used_at_ms) \
        VALUES ($1, $2, $3, $4, $5, $6, $6) ON CONFLICT (project_id, key, trust) DO UPDATE SET \
        artifact = excluded.artifact, deployment_id = excluded.deployment_id, created_at_ms = excluded.created_at_ms, \
        used_at_ms = excluded.used_at_ms";
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

/// Notes that the build was used again.
pub(crate) async fn note_use(
    db: impl SqliteExecutor<'_>,
    project: &ProjectId,
    key: &Digest,
    now: i64,
) -> Result<(), sqlx::Error> {
    let sql = "UPDATE builds SET used_at_ms = $3 WHERE project_id = $1 AND key = $2";
    sqlx::query(sql)
        .bind(project.as_str())
        .bind(key.to_string())
        .bind(now)
        .execute(db)
        .await
        .map(drop)
}

/// Forgets builds that were last used before then, unless a deployment serves from what they gave or is about to.
pub(crate) async fn forget_unused(db: impl SqliteExecutor<'_>, before_ms: i64) -> Result<u64, sqlx::Error> {
    let sql = "DELETE FROM builds WHERE used_at_ms < $1 AND artifact NOT IN (SELECT artifact FROM deployments \
        WHERE artifact IS NOT NULL AND state IN ('queued', 'building', 'deploying', 'ready'))";
    Ok(sqlx::query(sql)
        .bind(before_ms)
        .execute(db)
        .await?
        .rows_affected())
}

/// What all builds gave that can be used again.
pub(crate) async fn artifacts(db: &SqlitePool) -> Result<Vec<Artifact>, sqlx::Error> {
    let rows = sqlx::query("SELECT DISTINCT artifact FROM builds")
        .fetch_all(db)
        .await?;
    rows.iter().map(|row| json(row, "artifact")).collect()
}
