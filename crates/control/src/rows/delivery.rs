//! Deliveries: what forges have told, written before it is acknowledged.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, Sqlite, SqliteExecutor, Transaction};

#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pub(crate) forge: String,
    pub(crate) delivery: String,
    pub(crate) event: String,
    pub(crate) received_at_ms: i64,
    pub(crate) done_at_ms: Option<i64>,
    /// What came of it, for people.
    pub(crate) outcome: String,
}

fn read(row: &SqliteRow) -> Result<Delivery, sqlx::Error> {
    Ok(Delivery {
        forge: row.try_get("forge")?,
        delivery: row.try_get("delivery")?,
        event: row.try_get("event")?,
        received_at_ms: row.try_get("received_at_ms")?,
        done_at_ms: row.try_get("done_at_ms")?,
        outcome: row.try_get("outcome")?,
    })
}

/// Writes the delivery; `false` when it was here before.
pub(crate) async fn insert(
    db: impl SqliteExecutor<'_>,
    (forge, envelope): (&str, &forge::Envelope),
    body: &str,
    now: i64,
) -> Result<bool, sqlx::Error> {
    let sql = "INSERT INTO deliveries (forge, delivery, event, body, received_at_ms) VALUES ($1, $2, $3, $4, $5) \
        ON CONFLICT (forge, delivery) DO NOTHING";
    let query = sqlx::query(sql)
        .bind(forge)
        .bind(&envelope.delivery)
        .bind(&envelope.event)
        .bind(body)
        .bind(now);
    Ok(query.execute(db).await?.rows_affected() == 1)
}

/// The oldest of a forge that nobody has worked on, `most` at the most, without what they said: a body can be large.
pub(crate) async fn undone(
    db: impl SqliteExecutor<'_>,
    forge: &str,
    most: i64,
) -> Result<Vec<Delivery>, sqlx::Error> {
    let sql = "SELECT forge, delivery, event, received_at_ms, done_at_ms, outcome FROM deliveries \
        WHERE done_at_ms IS NULL AND forge = $1 ORDER BY received_at_ms, delivery LIMIT $2";
    let query = sqlx::query(sql).bind(forge).bind(most);
    query.fetch_all(db).await?.iter().map(read).collect()
}

/// What it said.
pub(crate) async fn body(db: impl SqliteExecutor<'_>, row: &Delivery) -> Result<String, sqlx::Error> {
    let sql = "SELECT body FROM deliveries WHERE forge = $1 AND delivery = $2";
    let query = sqlx::query_scalar(sql).bind(&row.forge).bind(&row.delivery);
    query.fetch_one(db).await
}

/// The newest, without what they said.
pub(crate) async fn newest(db: impl SqliteExecutor<'_>, most: i64) -> Result<Vec<Delivery>, sqlx::Error> {
    let sql = "SELECT forge, delivery, event, received_at_ms, done_at_ms, outcome FROM deliveries \
        ORDER BY received_at_ms DESC, forge, delivery LIMIT $1";
    let query = sqlx::query(sql).bind(most);
    query.fetch_all(db).await?.iter().map(read).collect()
}

/// It has been worked on; what it said is not needed any more. `false` when somebody else did so before.
pub(crate) async fn set_done(
    tx: &mut Transaction<'_, Sqlite>,
    row: &Delivery,
    outcome: &str,
    now: i64,
) -> Result<bool, sqlx::Error> {
    let sql = "UPDATE deliveries SET done_at_ms = $3, outcome = $4, body = '' \
        WHERE forge = $1 AND delivery = $2 AND done_at_ms IS NULL";
    let query = sqlx::query(sql)
        .bind(&row.forge)
        .bind(&row.delivery)
        .bind(now)
        .bind(outcome);
    Ok(query.execute(&mut **tx).await?.rows_affected() == 1)
}

/// Forgets those that were done before then.
pub(crate) async fn forget(db: impl SqliteExecutor<'_>, before_ms: i64) -> Result<(), sqlx::Error> {
    let query = sqlx::query("DELETE FROM deliveries WHERE done_at_ms < $1");
    query.bind(before_ms).execute(db).await.map(drop)
}
