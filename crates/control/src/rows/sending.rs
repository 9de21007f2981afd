//! Sendings: which event is to be sent to which subscriber, and what came of it.

use model::SubscriberId;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, Sqlite, SqliteExecutor, Transaction};

use crate::view::{self, SendingState};

#[derive(Clone, Debug)]
pub(crate) struct Sending {
    pub(crate) subscriber: SubscriberId,
    /// The event's.
    pub(crate) sequence: i64,
    pub(crate) at_ms: i64,
    pub(crate) body: String,
    /// Since when it is to be sent.
    pub(crate) wanted_at_ms: i64,
}

/// An event to be sent.
#[derive(Debug)]
pub(crate) struct NewSending<'a> {
    pub(crate) event: &'a view::Event,
    pub(crate) body: &'a str,
    pub(crate) now: i64,
}

fn read(row: &SqliteRow) -> Result<Sending, sqlx::Error> {
    Ok(Sending {
        subscriber: super::parsed(row, "subscriber_id")?,
        sequence: row.try_get("sequence")?,
        at_ms: row.try_get("at_ms")?,
        body: row.try_get("body")?,
        wanted_at_ms: row.try_get("wanted_at_ms")?,
    })
}

/// Writes the sending; one that was done is to be done again, with the body it had.
pub(crate) async fn want(
    tx: &mut Transaction<'_, Sqlite>,
    subscriber: &SubscriberId,
    new: NewSending<'_>,
) -> Result<(), sqlx::Error> {
    let sql = "INSERT INTO sendings (subscriber_id, sequence, kind, at_ms, body, state, wanted_at_ms) \
        VALUES ($1, $2, $3, $4, $5, 'waiting', $6) ON CONFLICT (subscriber_id, sequence) DO UPDATE SET \
        state = 'waiting', wanted_at_ms = excluded.wanted_at_ms, attempts = 0, done_at_ms = NULL";
    sqlx::query(sql)
        .bind(subscriber.as_str())
        .bind(new.event.sequence)
        .bind(&new.event.kind)
        .bind(new.event.at_ms)
        .bind(new.body)
        .bind(new.now)
        .execute(&mut **tx)
        .await
        .map(drop)
}

/// The oldest that is to be sent.
pub(crate) async fn next(
    db: impl SqliteExecutor<'_>,
    subscriber: &SubscriberId,
) -> Result<Option<Sending>, sqlx::Error> {
    let sql =
        "SELECT * FROM sendings WHERE subscriber_id = $1 AND state = 'waiting' ORDER BY sequence LIMIT 1";
    let query = sqlx::query(sql).bind(subscriber.as_str());
    query.fetch_optional(db).await?.as_ref().map(read).transpose()
}

/// How many are to be sent.
pub(crate) async fn waiting(
    db: impl SqliteExecutor<'_>,
    subscriber: &SubscriberId,
) -> Result<i64, sqlx::Error> {
    let sql = "SELECT COUNT(*) FROM sendings WHERE subscriber_id = $1 AND state = 'waiting'";
    sqlx::query_scalar(sql)
        .bind(subscriber.as_str())
        .fetch_one(db)
        .await
}

/// The newest, `most` at the most.
pub(crate) async fn newest(
    db: impl SqliteExecutor<'_>,
    subscriber: &SubscriberId,
    most: i64,
) -> Result<Vec<view::Sending>, sqlx::Error> {
    let sql = "SELECT * FROM sendings WHERE subscriber_id = $1 ORDER BY sequence DESC LIMIT $2";
    let query = sqlx::query(sql).bind(subscriber.as_str()).bind(most);
    query.fetch_all(db).await?.iter().map(shown).collect()
}

fn shown(row: &SqliteRow) -> Result<view::Sending, sqlx::Error> {
    let state: String = row.try_get("state")?;
    Ok(view::Sending {
        sequence: row.try_get("sequence")?,
        kind: row.try_get("kind")?,
        at_ms: row.try_get("at_ms")?,
        state: match state.as_str() {
            "sent" => SendingState::Sent,
            "given_up" => SendingState::GivenUp,
            _ => SendingState::Waiting,
        },
        attempts: row.try_get::<i64, _>("attempts")? as u32,
        status: row
            .try_get::<Option<i64>, _>("status")?
            .map(|status| status as u16),
        trouble: row.try_get("trouble")?,
        done_at_ms: row.try_get("done_at_ms")?,
    })
}

/// It was taken.
pub(crate) async fn set_sent(
    tx: &mut Transaction<'_, Sqlite>,
    row: &Sending,
    status: u16,
    now: i64,
) -> Result<(), sqlx::Error> {
    let sql = "UPDATE sendings SET state = 'sent', attempts = attempts + 1, status = $3, trouble = NULL, \
        done_at_ms = $4 WHERE subscriber_id = $1 AND sequence = $2";
    let query = sqlx::query(sql).bind(row.subscriber.as_str()).bind(row.sequence);
    query
        .bind(i64::from(status))
        .bind(now)
        .execute(&mut **tx)
        .await
        .map(drop)
}

/// It was not taken.
pub(crate) async fn set_failed(
    tx: &mut Transaction<'_, Sqlite>,
    row: &Sending,
    (status, trouble): (Option<u16>, &str),
) -> Result<(), sqlx::Error> {
    let sql = "UPDATE sendings SET attempts = attempts + 1, status = $3, trouble = $4 \
        WHERE subscriber_id = $1 AND sequence = $2";
    let query = sqlx::query(sql).bind(row.subscriber.as_str()).bind(row.sequence);
    query
        .bind(status.map(i64::from))
        .bind(trouble)
        .execute(&mut **tx)
        .await
        .map(drop)
}

/// Those that have been waiting since before then are not tried any more.
pub(crate) async fn give_up(
    tx: &mut Transaction<'_, Sqlite>,
    subscriber: &SubscriberId,
    before_ms: i64,
    now: i64,
) -> Result<u64, sqlx::Error> {
    let sql = "UPDATE sendings SET state = 'given_up', done_at_ms = $3 \
        WHERE subscriber_id = $1 AND state = 'waiting' AND wanted_at_ms < $2";
    let query = sqlx::query(sql)
        .bind(subscriber.as_str())
        .bind(before_ms)
        .bind(now);
    Ok(query.execute(&mut **tx).await?.rows_affected())
}

/// Those of which no event is left are to be sent again too: of this event, or of what happened since then.
pub(crate) async fn want_again(
    tx: &mut Transaction<'_, Sqlite>,
    subscriber: &SubscriberId,
    (event, since_ms): (Option<i64>, Option<i64>),
    now: i64,
) -> Result<u64, sqlx::Error> {
    let sql = "UPDATE sendings SET state = 'waiting', wanted_at_ms = $4, attempts = 0, done_at_ms = NULL \
        WHERE subscriber_id = $1 AND state <> 'waiting' AND (sequence = $2 OR at_ms >= $3)";
    let query = sqlx::query(sql)
        .bind(subscriber.as_str())
        .bind(event)
        .bind(since_ms)
        .bind(now);
    Ok(query.execute(&mut **tx).await?.rows_affected())
}

/// Forgets what was done before then, and all but the newest `most` of each subscriber.
pub(crate) async fn forget(
    db: impl SqliteExecutor<'_>,
    before_ms: i64,
    most: i64,
) -> Result<(), sqlx::Error> {
    let sql = "DELETE FROM sendings WHERE state <> 'waiting' AND (done_at_ms < $1 OR (SELECT COUNT(*) FROM sendings n \
        WHERE n.subscriber_id = sendings.subscriber_id AND n.sequence > sendings.sequence) >= $2)";
    sqlx::query(sql)
        .bind(before_ms)
        .bind(most)
        .execute(db)
        .await
        .map(drop)
}
