//! Heads: the pull requests and branches that are followed, what is true of them, and whether to look again.

use model::{NamespaceName, RepositoryId};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, Sqlite, SqliteExecutor, Transaction};

use super::{json_opt, parsed, to_json};
use crate::changes::{Head, Truth};

#[derive(Clone, Debug)]
pub(crate) struct HeadRow {
    pub(crate) repository: RepositoryId,
    pub(crate) head: Head,
    /// Where its previews are.
    pub(crate) namespace: NamespaceName,
    /// `None` before the first look.
    pub(crate) truth: Option<Truth>,
    /// Closed, merged or deleted, as far as is known.
    pub(crate) over: bool,
    /// To be looked at while `looked` is less.
    pub(crate) wanted_look: i64,
    pub(crate) looked: i64,
    pub(crate) looked_at_ms: Option<i64>,
    /// How often in a row it was not found although its repository was.
    pub(crate) missed: u32,
    /// How often in a row a look failed.
    pub(crate) attempts: u32,
    /// Why the newest look failed, for people.
    pub(crate) trouble: Option<String>,
}

impl HeadRow {
    pub(crate) fn is_to_be_looked_at(&self) -> bool {
        self.looked < self.wanted_look
    }
}

fn read(row: &SqliteRow) -> Result<HeadRow, sqlx::Error> {
    Ok(HeadRow {
        repository: parsed(row, "repository_id")?,
        head: parsed(row, "head")?,
        namespace: parsed(row, "namespace")?,
        truth: json_opt(row, "truth")?,
        over: row.try_get::<i64, _>("over")? != 0,
        wanted_look: row.try_get("wanted_look")?,
        looked: row.try_get("looked")?,
        looked_at_ms: row.try_get("looked_at_ms")?,
        missed: row.try_get::<i64, _>("missed")? as u32,
        attempts: row.try_get::<i64, _>("attempts")? as u32,
        trouble: row.try_get("trouble")?,
    })
}

/// All of a repository.
pub(crate) async fn of(
    db: impl SqliteExecutor<'_>,
    repository: &RepositoryId,
) -> Result<Vec<HeadRow>, sqlx::Error> {
    let query = sqlx::query("SELECT * FROM heads WHERE repository_id = $1 ORDER BY head");
    let query = query.bind(repository.as_str());
    query.fetch_all(db).await?.iter().map(read).collect()
}

pub(crate) async fn by_head(
    db: impl SqliteExecutor<'_>,
    repository: &RepositoryId,
    head: &Head,
) -> Result<Option<HeadRow>, sqlx::Error> {
    let query = sqlx::query("SELECT * FROM heads WHERE repository_id = $1 AND head = $2");
    let query = query.bind(repository.as_str()).bind(head.to_string());
    query.fetch_optional(db).await?.as_ref().map(read).transpose()
}

/// The one whose previews are in the namespace.
pub(crate) async fn by_namespace(
    db: impl SqliteExecutor<'_>,
    repository: &RepositoryId,
    namespace: &NamespaceName,
) -> Result<Option<HeadRow>, sqlx::Error> {
    let query = sqlx::query("SELECT * FROM heads WHERE repository_id = $1 AND namespace = $2");
    let query = query.bind(repository.as_str()).bind(namespace.as_str());
    query.fetch_optional(db).await?.as_ref().map(read).transpose()
}

/// Something was heard of the head: it is to be looked at, and followed from now on.
pub(crate) async fn want_look(
    tx: &mut Transaction<'_, Sqlite>,
    repository: &RepositoryId,
    (head, default_branch): (&Head, &str),
) -> Result<(), sqlx::Error> {
    let sql = "UPDATE heads SET wanted_look = wanted_look + 1 WHERE repository_id = $1 AND head = $2";
    let query = sqlx::query(sql).bind(repository.as_str()).bind(head.to_string());
    if query.execute(&mut **tx).await?.rows_affected() == 1 {
        return Ok(());
    }
    for namespace in head.namespaces(default_branch) {
        let sql =
            "INSERT INTO heads (repository_id, head, namespace) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
        let query = sqlx::query(sql)
            .bind(repository.as_str())
            .bind(head.to_string())
            .bind(namespace.as_str());
        if query.execute(&mut **tx).await?.rows_affected() == 1 {
            return Ok(());
        }
    }
    Ok(())
}

/// What is true of it, as it was wanted when `mark` was read.
pub(crate) async fn set_truth(
    tx: &mut Transaction<'_, Sqlite>,
    row: &HeadRow,
    truth: &Truth,
    now: i64,
) -> Result<(), sqlx::Error> {
    let sql = "UPDATE heads SET truth = $3, over = $4, looked = $5, looked_at_ms = $6, missed = 0, attempts = 0, \
        not_before_ms = 0, trouble = NULL WHERE repository_id = $1 AND head = $2";
    let query = sqlx::query(sql)
        .bind(row.repository.as_str())
        .bind(row.head.to_string())
        .bind(to_json(truth)?)
        .bind(i64::from(truth.is_over()))
        .bind(row.wanted_look)
        .bind(now);
    query.execute(&mut **tx).await.map(drop)
}

/// A look that told nothing, and when to try again.
#[derive(Debug)]
pub(crate) struct FailedLook<'a> {
    pub(crate) trouble: &'a str,
    pub(crate) missed: u32,
    pub(crate) attempts: u32,
    pub(crate) not_before_ms: i64,
}

pub(crate) async fn set_failed(
    db: impl SqliteExecutor<'_>,
    row: &HeadRow,
    failed: FailedLook<'_>,
) -> Result<(), sqlx::Error> {
    let sql = "UPDATE heads SET trouble = $3, missed = $4, attempts = $5, not_before_ms = $6 \
        WHERE repository_id = $1 AND head = $2";
    let query = sqlx::query(sql)
        .bind(row.repository.as_str())
        .bind(row.head.to_string())
        .bind(failed.trouble)
        .bind(i64::from(failed.missed))
        .bind(i64::from(failed.attempts))
        .bind(failed.not_before_ms);
    query.execute(db).await.map(drop)
}

/// Those that are to be looked at now, `most` at the most.
pub(crate) async fn due(
    db: impl SqliteExecutor<'_>,
    repository: &RepositoryId,
    now: i64,
    most: i64,
) -> Result<Vec<HeadRow>, sqlx::Error> {
    let sql = "SELECT * FROM heads WHERE repository_id = $1 AND looked < wanted_look AND not_before_ms <= $2 \
        ORDER BY attempts, head LIMIT $3";
    let query = sqlx::query(sql).bind(repository.as_str()).bind(now).bind(most);
    query.fetch_all(db).await?.iter().map(read).collect()
}

/// Nothing of it is left to be removed.
const NOTHING_LEFT: &str = "looked = wanted_look AND NOT EXISTS (SELECT 1 FROM verdicts v \
    WHERE v.repository_id = heads.repository_id AND v.head = heads.head AND v.deployed IS NOT NULL)";

/// Forgets those that have been over since before then and of which nothing is left.
pub(crate) async fn forget_over(db: impl SqliteExecutor<'_>, before_ms: i64) -> Result<(), sqlx::Error> {
    let sql = format!("DELETE FROM heads WHERE over = 1 AND looked_at_ms < $1 AND {NOTHING_LEFT}");
    let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(before_ms);
    query.execute(db).await.map(drop)
}

/// Forgets a head that no project wants.
pub(crate) async fn forget(tx: &mut Transaction<'_, Sqlite>, row: &HeadRow) -> Result<(), sqlx::Error> {
    let sql = format!("DELETE FROM heads WHERE repository_id = $1 AND head = $2 AND {NOTHING_LEFT}");
    let query = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(row.repository.as_str())
        .bind(row.head.to_string());
    query.execute(&mut **tx).await.map(drop)
}
