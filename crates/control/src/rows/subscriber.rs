//! Subscribers: who is told what happens.

use model::SubscriberId;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, Sqlite, SqliteExecutor, Transaction};

use super::{json, parsed, to_json};

#[derive(Clone, Debug)]
pub(crate) struct Subscriber {
    pub(crate) id: SubscriberId,
    pub(crate) url: String,
    /// Its secret, sealed.
    pub(crate) sealed: String,
    /// Empty is all.
    pub(crate) kinds: Vec<String>,
    /// Empty is all.
    pub(crate) project: String,
    pub(crate) paused: bool,
    /// The event up to which sendings have been written.
    pub(crate) cursor: i64,
    /// How often in a row sending failed.
    pub(crate) attempts: u32,
    pub(crate) not_before_ms: i64,
    pub(crate) trouble: Option<String>,
    pub(crate) created_at_ms: i64,
}

impl Subscriber {
    /// What its sealed secret is bound to.
    pub(crate) fn place(id: &SubscriberId) -> String {
        format!("subscriber/{id}")
    }
}

fn read(row: &SqliteRow) -> Result<Subscriber, sqlx::Error> {
    Ok(Subscriber {
        id: parsed(row, "id")?,
        url: row.try_get("url")?,
        sealed: row.try_get("sealed")?,
        kinds: json(row, "kinds")?,
        project: row.try_get("project")?,
        paused: row.try_get::<i64, _>("paused")? != 0,
        cursor: row.try_get("cursor")?,
        attempts: row.try_get::<i64, _>("attempts")? as u32,
        not_before_ms: row.try_get("not_before_ms")?,
        trouble: row.try_get("trouble")?,
        created_at_ms: row.try_get("created_at_ms")?,
    })
}

pub(crate) async fn all(db: impl SqliteExecutor<'_>) -> Result<Vec<Subscriber>, sqlx::Error> {
    let query = sqlx::query("SELECT * FROM subscribers ORDER BY created_at_ms, id");
    query.fetch_all(db).await?.iter().map(read).collect()
}

pub(crate) async fn by_id(
    db: impl SqliteExecutor<'_>,
    id: &SubscriberId,
) -> Result<Option<Subscriber>, sqlx::Error> {
    let query = sqlx::query("SELECT * FROM subscribers WHERE id = $1").bind(id.as_str());
    query.fetch_optional(db).await?.as_ref().map(read).transpose()
}

pub(crate) async fn insert(db: impl SqliteExecutor<'_>, row: &Subscriber) -> Result<(), sqlx::Error> {
    let sql = "INSERT INTO subscribers (id, url, sealed, kinds, project, cursor, created_at_ms) \
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    sqlx::query(sql)
        .bind(row.id.as_str())
        .bind(&row.url)
        .bind(&row.sealed)
        .bind(to_json(&row.kinds)?)
        .bind(&row.project)
        .bind(row.cursor)
        .bind(row.created_at_ms)
        .execute(db)
        .await
        .map(drop)
}

/// Moves the cursor on; `false` when somebody else did, or it is gone.
pub(crate) async fn move_on(
    tx: &mut Transaction<'_, Sqlite>,
    row: &Subscriber,
    cursor: i64,
) -> Result<bool, sqlx::Error> {
    let query = sqlx::query("UPDATE subscribers SET cursor = $3 WHERE id = $1 AND cursor = $2");
    let query = query.bind(row.id.as_str()).bind(row.cursor).bind(cursor);
    Ok(query.execute(&mut **tx).await?.rows_affected() == 1)
}

/// It took what it was sent, or may be tried at once.
pub(crate) async fn set_well(db: impl SqliteExecutor<'_>, id: &SubscriberId) -> Result<(), sqlx::Error> {
    let sql = "UPDATE subscribers SET attempts = 0, not_before_ms = 0, trouble = NULL WHERE id = $1";
    sqlx::query(sql).bind(id.as_str()).execute(db).await.map(drop)
}

/// It did not take what it was sent.
pub(crate) async fn set_trouble(
    db: impl SqliteExecutor<'_>,
    id: &SubscriberId,
    (attempts, not_before_ms): (u32, i64),
    trouble: &str,
) -> Result<(), sqlx::Error> {
    let sql = "UPDATE subscribers SET attempts = $2, not_before_ms = $3, trouble = $4 WHERE id = $1";
    let query = sqlx::query(sql)
        .bind(id.as_str())
        .bind(i64::from(attempts))
        .bind(not_before_ms);
    query.bind(trouble).execute(db).await.map(drop)
}

pub(crate) async fn set_paused(
    db: impl SqliteExecutor<'_>,
    id: &SubscriberId,
    paused: bool,
) -> Result<(), sqlx::Error> {
    let query = sqlx::query("UPDATE subscribers SET paused = $2 WHERE id = $1");
    let query = query.bind(id.as_str()).bind(i64::from(paused));
    query.execute(db).await.map(drop)
}

/// Removes it with its sendings.
pub(crate) async fn delete(db: impl SqliteExecutor<'_>, id: &SubscriberId) -> Result<(), sqlx::Error> {
    let query = sqlx::query("DELETE FROM subscribers WHERE id = $1");
    query.bind(id.as_str()).execute(db).await.map(drop)
}
