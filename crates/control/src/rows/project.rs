//! Projects.

use model::{ProjectId, ProjectName};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteExecutor};

use super::parsed;

#[derive(Clone, Debug)]
pub(crate) struct Project {
    pub(crate) id: ProjectId,
    pub(crate) name: ProjectName,
    pub(crate) created_at_ms: i64,
    pub(crate) previews: u64,
    /// Changes are noted and nothing is deployed.
    pub(crate) paused: bool,
}

const SELECT: &str = "SELECT p.id, p.name, p.created_at_ms, p.paused, \
    (SELECT COUNT(*) FROM previews v WHERE v.project_id = p.id) AS previews FROM projects p";

fn read(row: &SqliteRow) -> Result<Project, sqlx::Error> {
    Ok(Project {
        id: parsed(row, "id")?,
        name: parsed(row, "name")?,
        created_at_ms: row.try_get("created_at_ms")?,
        previews: row.try_get::<i64, _>("previews")? as u64,
        paused: row.try_get::<i64, _>("paused")? != 0,
    })
}

pub(crate) async fn all(db: impl SqliteExecutor<'_>) -> Result<Vec<Project>, sqlx::Error> {
    let sql = sqlx::AssertSqlSafe(format!("{SELECT} ORDER BY p.name"));
    sqlx::query(sql).fetch_all(db).await?.iter().map(read).collect()
}

pub(crate) async fn by_name(
    db: impl SqliteExecutor<'_>,
    name: &ProjectName,
) -> Result<Option<Project>, sqlx::Error> {
    let sql = sqlx::AssertSqlSafe(format!("{SELECT} WHERE p.name = $1"));
    sqlx::query(sql)
        .bind(name.as_str())
        .fetch_optional(db)
        .await?
        .as_ref()
        .map(read)
        .transpose()
}

/// Makes the project unless one of that name is there.
pub(crate) async fn ensure(
    db: impl SqliteExecutor<'_>,
    id: &ProjectId,
    name: &ProjectName,
    now: i64,
) -> Result<(), sqlx::Error> {
    let sql =
        "INSERT INTO projects (id, name, created_at_ms) VALUES ($1, $2, $3) ON CONFLICT (name) DO NOTHING";
    sqlx::query(sql)
        .bind(id.as_str())
        .bind(name.as_str())
        .bind(now)
        .execute(db)
        .await
        .map(drop)
}

/// Whether it was there.
pub(crate) async fn set_paused(
    db: impl SqliteExecutor<'_>,
    id: &ProjectId,
    paused: bool,
) -> Result<bool, sqlx::Error> {
    let query = sqlx::query("UPDATE projects SET paused = $2 WHERE id = $1");
    let query = query.bind(id.as_str()).bind(i64::from(paused));
    Ok(query.execute(db).await?.rows_affected() == 1)
}

/// Removes the project with what hangs on it; its previews must be gone.
pub(crate) async fn delete(db: impl SqliteExecutor<'_>, id: &ProjectId) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM projects WHERE id = $1")
        .bind(id.as_str())
        .execute(db)
        .await
        .map(drop)
}
