//! Forges: where they are, with credentials that are sealed before they come here, and when they may be asked again.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteExecutor};

#[derive(Clone, Debug)]
pub(crate) struct Forge {
    pub(crate) name: String,
    pub(crate) kind: String,
    /// Its settings, sealed; empty for one whose settings the server is given at every start.
    pub(crate) sealed: String,
    /// Up to when deliveries that failed have been asked for again.
    pub(crate) redelivered_at_ms: i64,
    /// Not to be asked before.
    pub(crate) not_before_ms: i64,
    /// What is wrong with it, for people.
    pub(crate) trouble: Option<String>,
    pub(crate) created_at_ms: i64,
}

impl Forge {
    /// What its sealed settings are bound to.
    pub(crate) fn place(name: &str) -> String {
        format!("forge/{name}")
    }
}

fn read(row: &SqliteRow) -> Result<Forge, sqlx::Error> {
    Ok(Forge {
        name: row.try_get("name")?,
        kind: row.try_get("kind")?,
        sealed: row.try_get("sealed")?,
        redelivered_at_ms: row.try_get("redelivered_at_ms")?,
        not_before_ms: row.try_get("not_before_ms")?,
        trouble: row.try_get("trouble")?,
        created_at_ms: row.try_get("created_at_ms")?,
    })
}

pub(crate) async fn all(db: impl SqliteExecutor<'_>) -> Result<Vec<Forge>, sqlx::Error> {
    let query = sqlx::query("SELECT * FROM forges ORDER BY created_at_ms, name");
    query.fetch_all(db).await?.iter().map(read).collect()
}

pub(crate) async fn by_name(db: impl SqliteExecutor<'_>, name: &str) -> Result<Option<Forge>, sqlx::Error> {
    let query = sqlx::query("SELECT * FROM forges WHERE name = $1").bind(name);
    query.fetch_optional(db).await?.as_ref().map(read).transpose()
}

/// Writes the forge, or gives the one of that name other settings; what was wrong with it is forgotten.
pub(crate) async fn set(
    db: impl SqliteExecutor<'_>,
    (name, kind): (&str, &str),
    sealed: &str,
    now: i64,
) -> Result<(), sqlx::Error> {
    let sql = "INSERT INTO forges (name, kind, sealed, created_at_ms) VALUES ($1, $2, $3, $4) \
        ON CONFLICT (name) DO UPDATE SET kind = excluded.kind, sealed = excluded.sealed, trouble = NULL, not_before_ms = 0";
    let query = sqlx::query(sql).bind(name).bind(kind).bind(sealed).bind(now);
    query.execute(db).await.map(drop)
}

/// What came of asking it: what is wrong, and when it may be asked again.
pub(crate) async fn note(
    db: impl SqliteExecutor<'_>,
    name: &str,
    trouble: Option<&str>,
    not_before_ms: i64,
) -> Result<(), sqlx::Error> {
    let sql = "UPDATE forges SET trouble = $2, not_before_ms = $3 WHERE name = $1";
    let query = sqlx::query(sql).bind(name).bind(trouble).bind(not_before_ms);
    query.execute(db).await.map(drop)
}

/// Deliveries that failed before `at_ms` have been asked for again.
pub(crate) async fn set_redelivered(
    db: impl SqliteExecutor<'_>,
    name: &str,
    at_ms: i64,
) -> Result<(), sqlx::Error> {
    let query = sqlx::query("UPDATE forges SET redelivered_at_ms = $2 WHERE name = $1");
    query.bind(name).bind(at_ms).execute(db).await.map(drop)
}

/// Removes it; no repository may be left. Whether it was there.
pub(crate) async fn delete(db: impl SqliteExecutor<'_>, name: &str) -> Result<bool, sqlx::Error> {
    let query = sqlx::query("DELETE FROM forges WHERE name = $1").bind(name);
    Ok(query.execute(db).await?.rows_affected() == 1)
}
