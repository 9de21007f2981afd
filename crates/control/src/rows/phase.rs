//! The phases of a deployment, with their times.

use model::DeploymentId;
use sqlx::{Row, SqliteExecutor, SqlitePool};

use crate::view;

pub(crate) async fn of(db: &SqlitePool, deployment: &DeploymentId) -> Result<Vec<view::Phase>, sqlx::Error> {
    let sql = "SELECT name, started_at_ms, millis FROM phases WHERE deployment_id = $1 ORDER BY position";
    let rows = sqlx::query(sql).bind(deployment.as_str()).fetch_all(db).await?;
    let read = |row: &sqlx::sqlite::SqliteRow| {
        Ok(view::Phase {
            name: row.try_get("name")?,
            started_at_ms: row.try_get("started_at_ms")?,
            millis: row
                .try_get::<Option<i64>, _>("millis")?
                .map(|millis| millis as u64),
        })
    };
    rows.iter().map(read).collect()
}

/// Adds a phase; `millis` is `None` while it runs.
pub(crate) async fn add(
    db: impl SqliteExecutor<'_>,
    deployment: &DeploymentId,
    phase: &view::Phase,
) -> Result<(), sqlx::Error> {
    let sql = "INSERT INTO phases (deployment_id, position, name, started_at_ms, millis) SELECT id, \
        (SELECT COUNT(*) FROM phases WHERE deployment_id = $1), $2, $3, $4 FROM deployments WHERE id = $1";
    sqlx::query(sql)
        .bind(deployment.as_str())
        .bind(&phase.name)
        .bind(phase.started_at_ms)
        .bind(phase.millis.map(|millis| millis as i64))
        .execute(db)
        .await
        .map(drop)
}

/// Ends the phase of that name that still runs.
pub(crate) async fn end(
    db: impl SqliteExecutor<'_>,
    deployment: &DeploymentId,
    name: &str,
    now: i64,
) -> Result<(), sqlx::Error> {
    let sql = "UPDATE phases SET millis = MAX($3 - started_at_ms, 0) \
        WHERE deployment_id = $1 AND name = $2 AND millis IS NULL";
    sqlx::query(sql)
        .bind(deployment.as_str())
        .bind(name)
        .bind(now)
        .execute(db)
        .await
        .map(drop)
}

/// Forgets what a run that broke off has noted, because it is done again: all but the upload where the build begins
/// anew, and else what never ended.
pub(crate) async fn forget_undone(
    db: impl SqliteExecutor<'_>,
    deployment: &DeploymentId,
    from_the_start: bool,
) -> Result<(), sqlx::Error> {
    let sql =
        "DELETE FROM phases WHERE deployment_id = $1 AND (millis IS NULL OR ($2 = 1 AND name <> 'upload'))";
    sqlx::query(sql)
        .bind(deployment.as_str())
        .bind(i64::from(from_the_start))
        .execute(db)
        .await
        .map(drop)
}

/// Ends whatever phase still runs: the deployment got no further.
pub(crate) async fn end_running(
    db: impl SqliteExecutor<'_>,
    deployment: &DeploymentId,
    now: i64,
) -> Result<(), sqlx::Error> {
    let sql =
        "UPDATE phases SET millis = MAX($2 - started_at_ms, 0) WHERE deployment_id = $1 AND millis IS NULL";
    sqlx::query(sql)
        .bind(deployment.as_str())
        .bind(now)
        .execute(db)
        .await
        .map(drop)
}
