//! Previews.

use model::preview::{Origin, TimeToLive};
use model::{DeploymentId, EnvironmentName, NamespaceName, PreviewId, ProjectId, ProjectName};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, Sqlite, SqliteExecutor, Transaction};

use super::{json, parsed, parsed_opt, to_json};

#[derive(Clone, Debug)]
pub(crate) struct Preview {
    pub(crate) id: PreviewId,
    pub(crate) project_id: ProjectId,
    pub(crate) project: ProjectName,
    pub(crate) namespace: NamespaceName,
    pub(crate) environment: EnvironmentName,
    pub(crate) origin: Origin,
    pub(crate) current: Option<DeploymentId>,
    pub(crate) keep: u32,
    /// How long it lives after its newest deployment.
    pub(crate) ttl: TimeToLive,
    pub(crate) created_at_ms: i64,
    pub(crate) expires_at_ms: Option<i64>,
    /// Until when somebody works on it.
    pub(crate) watched_until_ms: Option<i64>,
    /// The label of its alias.
    pub(crate) label: String,
}

const SELECT: &str = "SELECT v.*, p.name AS project, h.label AS label FROM previews v \
    JOIN projects p ON p.id = v.project_id JOIN hosts h ON h.preview_id = v.id AND h.kind = 'alias'";

fn read(row: &SqliteRow) -> Result<Preview, sqlx::Error> {
    Ok(Preview {
        id: parsed(row, "id")?,
        project_id: parsed(row, "project_id")?,
        project: parsed(row, "project")?,
        namespace: parsed(row, "namespace")?,
        environment: parsed(row, "environment")?,
        origin: json(row, "origin")?,
        current: parsed_opt(row, "current_deployment")?,
        keep: row.try_get::<i64, _>("keep")? as u32,
        ttl: row
            .try_get::<Option<i64>, _>("ttl_seconds")?
            .map(|seconds| seconds as u64)
            .into(),
        created_at_ms: row.try_get("created_at_ms")?,
        expires_at_ms: row.try_get("expires_at_ms")?,
        watched_until_ms: row.try_get("watched_until_ms")?,
        label: row.try_get("label")?,
    })
}

pub(crate) async fn all(db: impl SqliteExecutor<'_>) -> Result<Vec<Preview>, sqlx::Error> {
    let sql = sqlx::AssertSqlSafe(format!("{SELECT} ORDER BY v.created_at_ms DESC, v.id"));
    sqlx::query(sql).fetch_all(db).await?.iter().map(read).collect()
}

pub(crate) async fn by_id(
    db: impl SqliteExecutor<'_>,
    id: &PreviewId,
) -> Result<Option<Preview>, sqlx::Error> {
    let sql = sqlx::AssertSqlSafe(format!("{SELECT} WHERE v.id = $1"));
    sqlx::query(sql)
        .bind(id.as_str())
        .fetch_optional(db)
        .await?
        .as_ref()
        .map(read)
        .transpose()
}

pub(crate) async fn by_name(
    db: impl SqliteExecutor<'_>,
    project: &ProjectName,
    namespace: &NamespaceName,
) -> Result<Option<Preview>, sqlx::Error> {
    let sql = sqlx::AssertSqlSafe(format!("{SELECT} WHERE p.name = $1 AND v.namespace = $2"));
    let query = sqlx::query(sql).bind(project.as_str()).bind(namespace.as_str());
    query.fetch_optional(db).await?.as_ref().map(read).transpose()
}

/// A preview to be written, before its host.
#[derive(Debug)]
pub(crate) struct NewPreview<'a> {
    pub(crate) id: &'a PreviewId,
    pub(crate) project: &'a ProjectId,
    pub(crate) namespace: &'a NamespaceName,
    pub(crate) environment: EnvironmentName,
    pub(crate) origin: &'a Origin,
    pub(crate) keep: u32,
    pub(crate) now: i64,
}

pub(crate) async fn insert(tx: &mut Transaction<'_, Sqlite>, new: NewPreview<'_>) -> Result<(), sqlx::Error> {
    let sql = "INSERT INTO previews (id, project_id, namespace, environment, origin, keep, created_at_ms) \
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    sqlx::query(sql)
        .bind(new.id.as_str())
        .bind(new.project.as_str())
        .bind(new.namespace.as_str())
        .bind(new.environment.as_str())
        .bind(to_json(new.origin)?)
        .bind(i64::from(new.keep))
        .bind(new.now)
        .execute(&mut **tx)
        .await
        .map(drop)
}

/// What the newest change says about the preview.
pub(crate) async fn touch(
    tx: &mut Transaction<'_, Sqlite>,
    id: &PreviewId,
    environment: EnvironmentName,
    origin: &Origin,
) -> Result<(), sqlx::Error> {
    let sql = "UPDATE previews SET environment = $2, origin = $3 WHERE id = $1";
    let query = sqlx::query(sql)
        .bind(id.as_str())
        .bind(environment.as_str())
        .bind(to_json(origin)?);
    query.execute(&mut **tx).await.map(drop)
}

/// Moves the alias. The one statement that decides what visitors see.
pub(crate) async fn set_current(
    tx: &mut Transaction<'_, Sqlite>,
    id: &PreviewId,
    deployment: &DeploymentId,
) -> Result<bool, sqlx::Error> {
    let sql = "UPDATE previews SET current_deployment = $2 WHERE id = $1";
    let done = sqlx::query(sql)
        .bind(id.as_str())
        .bind(deployment.as_str())
        .execute(&mut **tx)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Its time begins `now`, and lasts for `ttl`.
pub(crate) async fn begin_life(
    db: impl SqliteExecutor<'_>,
    id: &PreviewId,
    ttl: TimeToLive,
    now: i64,
) -> Result<(), sqlx::Error> {
    let seconds = ttl
        .seconds()
        .map(|seconds| i64::try_from(seconds).unwrap_or(i64::MAX));
    let at = seconds.map(|seconds| now.saturating_add(seconds.saturating_mul(1_000)));
    let sql = "UPDATE previews SET ttl_seconds = $2, expires_at_ms = $3 WHERE id = $1";
    let query = sqlx::query(sql).bind(id.as_str()).bind(seconds).bind(at);
    query.execute(db).await.map(drop)
}

pub(crate) async fn set_keep(
    db: impl SqliteExecutor<'_>,
    id: &PreviewId,
    keep: u32,
) -> Result<(), sqlx::Error> {
    let sql = "UPDATE previews SET keep = $2 WHERE id = $1";
    sqlx::query(sql)
        .bind(id.as_str())
        .bind(i64::from(keep))
        .execute(db)
        .await
        .map(drop)
}

pub(crate) async fn set_watched(
    db: impl SqliteExecutor<'_>,
    id: &PreviewId,
    until_ms: Option<i64>,
) -> Result<(), sqlx::Error> {
    let sql = "UPDATE previews SET watched_until_ms = $2 WHERE id = $1";
    let query = sqlx::query(sql).bind(id.as_str()).bind(until_ms);
    query.execute(db).await.map(drop)
}

/// Ends the watching of whom nobody has heard again; whether there was any.
pub(crate) async fn end_lapsed_watching(
    db: impl SqliteExecutor<'_>,
    now_ms: i64,
) -> Result<bool, sqlx::Error> {
    let sql = "UPDATE previews SET watched_until_ms = NULL WHERE watched_until_ms <= $1";
    let done = sqlx::query(sql).bind(now_ms).execute(db).await?;
    Ok(done.rows_affected() > 0)
}

/// Removes the preview and everything that hangs on it.
pub(crate) async fn delete(tx: &mut Transaction<'_, Sqlite>, id: &PreviewId) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM previews WHERE id = $1")
        .bind(id.as_str())
        .execute(&mut **tx)
        .await
        .map(drop)
}
