//! What a forge is to show, and what it has been told.

use forge::Message;
use model::{Digest, RepositoryId};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteExecutor};

use super::{json, parsed, to_json};
use crate::changes::Head;

#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) repository: RepositoryId,
    /// The message's.
    pub(crate) key: String,
    /// What it is about.
    pub(crate) head: Head,
    /// What the forge is to show.
    pub(crate) message: Message,
    /// The forge's id of what shows it.
    pub(crate) outside_id: Option<String>,
    /// Of the message that it shows.
    pub(crate) digest: Option<String>,
    /// Of the message that the forge refused; not told again as it is.
    pub(crate) refused: Option<String>,
    /// It was begun to be told: it may be there although its id is not known.
    pub(crate) begun: bool,
    /// How often in a row telling it failed.
    pub(crate) attempts: u32,
    pub(crate) told_at_ms: i64,
    pub(crate) not_before_ms: i64,
    /// Why it could not be told, for people.
    pub(crate) trouble: Option<String>,
}

impl Told {
    /// One of which the forge knows nothing yet.
    pub(crate) fn new(repository: &RepositoryId, head: &Head, message: Message) -> Self {
        Self {
            repository: repository.clone(),
            key: message.key(),
            head: head.clone(),
            message,
            outside_id: None,
            digest: None,
            refused: None,
            begun: false,
            attempts: 0,
            told_at_ms: 0,
            not_before_ms: 0,
            trouble: None,
        }
    }

    /// Whether the forge shows what it is to show.
    pub(crate) fn is_told(&self) -> bool {
        self.digest.as_deref() == Some(&digest(&self.message))
    }

    /// Whether the forge will not hear of it as it is.
    pub(crate) fn is_refused(&self) -> bool {
        self.refused.as_deref() == Some(&digest(&self.message))
    }
}

/// Tells contents apart.
pub(crate) fn digest(message: &Message) -> String {
    // A message is plain data, which can always be written.
    let text = serde_json::to_string(message).unwrap_or_default();
    Digest::of(text.as_bytes()).hex()
}

fn read(row: &SqliteRow) -> Result<Told, sqlx::Error> {
    Ok(Told {
        repository: parsed(row, "repository_id")?,
        key: row.try_get("key")?,
        head: parsed(row, "head")?,
        message: json(row, "message")?,
        outside_id: row.try_get("outside_id")?,
        digest: row.try_get("digest")?,
        refused: row.try_get("refused")?,
        begun: row.try_get::<i64, _>("begun")? != 0,
        attempts: row.try_get::<i64, _>("attempts")? as u32,
        told_at_ms: row.try_get("told_at_ms")?,
        not_before_ms: row.try_get("not_before_ms")?,
        trouble: row.try_get("trouble")?,
    })
}

/// All of a repository, the oldest first.
pub(crate) async fn of(
    db: impl SqliteExecutor<'_>,
    repository: &RepositoryId,
) -> Result<Vec<Told>, sqlx::Error> {
    let query = sqlx::query("SELECT * FROM told WHERE repository_id = $1 ORDER BY told_at_ms, key");
    let query = query.bind(repository.as_str());
    query.fetch_all(db).await?.iter().map(read).collect()
}

/// Writes the row whole.
pub(crate) async fn set(db: impl SqliteExecutor<'_>, row: &Told) -> Result<(), sqlx::Error> {
    let sql = "INSERT INTO told (repository_id, key, head, message, outside_id, digest, refused, begun, attempts, \
        told_at_ms, not_before_ms, trouble) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) \
        ON CONFLICT (repository_id, key) DO UPDATE SET head = excluded.head, message = excluded.message, \
        outside_id = excluded.outside_id, digest = excluded.digest, refused = excluded.refused, begun = excluded.begun, \
        attempts = excluded.attempts, told_at_ms = excluded.told_at_ms, not_before_ms = excluded.not_before_ms, \
        trouble = excluded.trouble";
    sqlx::query(sql)
        .bind(row.repository.as_str())
        .bind(&row.key)
        .bind(row.head.to_string())
        .bind(to_json(&row.message)?)
        .bind(&row.outside_id)
        .bind(&row.digest)
        .bind(&row.refused)
        .bind(i64::from(row.begun))
        .bind(i64::from(row.attempts))
        .bind(row.told_at_ms)
        .bind(row.not_before_ms)
        .bind(&row.trouble)
        .execute(db)
        .await
        .map(drop)
}

pub(crate) async fn delete(db: impl SqliteExecutor<'_>, row: &Told) -> Result<(), sqlx::Error> {
    let query = sqlx::query("DELETE FROM told WHERE repository_id = $1 AND key = $2");
    let query = query.bind(row.repository.as_str()).bind(&row.key);
    query.execute(db).await.map(drop)
}

/// Names the state of the rows that the forge is told of.
pub(crate) async fn state(
    db: impl SqliteExecutor<'_> + Copy,
    repository: &RepositoryId,
) -> Result<String, sqlx::Error> {
    let sql = "SELECT \
        (SELECT COALESCE(SUM(looked + over), 0) FROM heads WHERE repository_id = $1), \
        (SELECT COUNT(*) FROM heads WHERE repository_id = $1), \
        (SELECT COALESCE(MAX(done_at_ms), 0) FROM commands WHERE repository_id = $1), \
        (SELECT COUNT(done_at_ms) FROM commands WHERE repository_id = $1), \
        (SELECT COUNT(*) FROM project_repositories WHERE repository_id = $1), \
        (SELECT COALESCE(MAX((SELECT MAX(sequence) FROM events e WHERE e.project = p.name)), 0) \
            FROM project_repositories r JOIN projects p ON p.id = r.project_id WHERE r.repository_id = $1)";
    let query = sqlx::query_as::<_, (i64, i64, i64, i64, i64, i64)>(sql).bind(repository.as_str());
    let counts = query.fetch_one(db).await?;
    let sql = "SELECT COALESCE(verdict, '') || basis FROM verdicts WHERE repository_id = $1 ORDER BY head, project_id";
    let verdicts: Vec<String> = sqlx::query_scalar(sql)
        .bind(repository.as_str())
        .fetch_all(db)
        .await?;
    Ok(format!(
        "{counts:?} {}",
        Digest::of(verdicts.join("\n").as_bytes()).hex()
    ))
}
