//! Which project is which part of which repository.

use model::git::GitBounds;
use model::{ProjectId, ProjectName, RepositoryId};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteExecutor};

use super::{json, parsed, to_json};

#[derive(Clone, Debug)]
pub(crate) struct ProjectRepository {
    pub(crate) project_id: ProjectId,
    pub(crate) project: ProjectName,
    pub(crate) paused: bool,
    pub(crate) repository_id: RepositoryId,
    /// The project's directory in the repository; empty for all of it.
    pub(crate) root: String,
    /// What the operator says above the project's own settings.
    pub(crate) bounds: GitBounds,
}

const SELECT: &str = "SELECT r.*, p.name AS project, p.paused AS paused FROM project_repositories r \
    JOIN projects p ON p.id = r.project_id";

fn read(row: &SqliteRow) -> Result<ProjectRepository, sqlx::Error> {
    Ok(ProjectRepository {
        project_id: parsed(row, "project_id")?,
        project: parsed(row, "project")?,
        paused: row.try_get::<i64, _>("paused")? != 0,
        repository_id: parsed(row, "repository_id")?,
        root: row.try_get("root")?,
        bounds: json(row, "settings")?,
    })
}

pub(crate) async fn of_project(
    db: impl SqliteExecutor<'_>,
    project: &ProjectId,
) -> Result<Option<ProjectRepository>, sqlx::Error> {
    let sql = sqlx::AssertSqlSafe(format!("{SELECT} WHERE r.project_id = $1"));
    let query = sqlx::query(sql).bind(project.as_str());
    query.fetch_optional(db).await?.as_ref().map(read).transpose()
}

/// The projects of a repository, by name.
pub(crate) async fn of_repository(
    db: impl SqliteExecutor<'_>,
    repository: &RepositoryId,
) -> Result<Vec<ProjectRepository>, sqlx::Error> {
    let sql = sqlx::AssertSqlSafe(format!("{SELECT} WHERE r.repository_id = $1 ORDER BY p.name"));
    let query = sqlx::query(sql).bind(repository.as_str());
    query.fetch_all(db).await?.iter().map(read).collect()
}

/// Says which part of which repository the project is, in place of what was said before.
pub(crate) async fn set(
    db: impl SqliteExecutor<'_>,
    project: &ProjectId,
    repository: &RepositoryId,
    (root, bounds): (&str, &GitBounds),
) -> Result<(), sqlx::Error> {
    let sql = "INSERT INTO project_repositories (project_id, repository_id, root, settings) VALUES ($1, $2, $3, $4) \
        ON CONFLICT (project_id) DO UPDATE SET repository_id = excluded.repository_id, root = excluded.root, \
        settings = excluded.settings";
    sqlx::query(sql)
        .bind(project.as_str())
        .bind(repository.as_str())
        .bind(root)
        .bind(to_json(bounds)?)
        .execute(db)
        .await
        .map(drop)
}

/// Whether it was there.
pub(crate) async fn delete(db: impl SqliteExecutor<'_>, project: &ProjectId) -> Result<bool, sqlx::Error> {
    let query = sqlx::query("DELETE FROM project_repositories WHERE project_id = $1");
    Ok(query.bind(project.as_str()).execute(db).await?.rows_affected() == 1)
}
