//! Approvals: a stranger's commits that somebody who may write wants to see.

use model::RepositoryId;
use model::commit::CommitSha;
use sqlx::{Row, Sqlite, SqliteExecutor, Transaction};

/// The approved commits of a repository, by pull request.
pub(crate) async fn of(
    db: impl SqliteExecutor<'_>,
    repository: &RepositoryId,
) -> Result<Vec<(u64, CommitSha)>, sqlx::Error> {
    let query = sqlx::query("SELECT number, commit_sha FROM approvals WHERE repository_id = $1");
    let rows = query.bind(repository.as_str()).fetch_all(db).await?;
    let read = |row: &sqlx::sqlite::SqliteRow| {
        Ok((
            row.try_get::<i64, _>("number")? as u64,
            super::parsed(row, "commit_sha")?,
        ))
    };
    rows.iter().map(read).collect()
}

/// Notes the approval; again is fine.
pub(crate) async fn add(
    tx: &mut Transaction<'_, Sqlite>,
    repository: &RepositoryId,
    (number, commit, by): (u64, &CommitSha, &str),
    now: i64,
) -> Result<(), sqlx::Error> {
    let sql = "INSERT INTO approvals (repository_id, number, commit_sha, by_login, at_ms) VALUES ($1, $2, $3, $4, $5) \
        ON CONFLICT DO NOTHING";
    let query = sqlx::query(sql)
        .bind(repository.as_str())
        .bind(number as i64)
        .bind(commit.as_str())
        .bind(by)
        .bind(now);
    query.execute(&mut **tx).await.map(drop)
}

/// Forgets those of a pull request that is over.
pub(crate) async fn forget(
    tx: &mut Transaction<'_, Sqlite>,
    repository: &RepositoryId,
    number: u64,
) -> Result<(), sqlx::Error> {
    let query = sqlx::query("DELETE FROM approvals WHERE repository_id = $1 AND number = $2");
    let query = query.bind(repository.as_str()).bind(number as i64);
    query.execute(&mut **tx).await.map(drop)
}
