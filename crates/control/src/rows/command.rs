//! Commands: what people asked for at a forge, each done once.

use forge::change::Command;
use forge::report::Reaction;
use model::RepositoryId;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, Sqlite, SqliteExecutor, Transaction};

use super::{json, json_opt, parsed, to_json};
use crate::changes::Head;

#[derive(Clone, Debug)]
pub(crate) struct CommandRow {
    pub(crate) repository: RepositoryId,
    /// The forge's number of the comment, or the delivery of a button or label.
    pub(crate) id: String,
    pub(crate) head: Head,
    /// Empty for all of them.
    pub(crate) project: String,
    pub(crate) word: Command,
    /// Who asked for it.
    pub(crate) author: String,
    /// The comment to react to.
    pub(crate) comment: Option<String>,
    pub(crate) received_at_ms: i64,
    pub(crate) not_before_ms: i64,
    pub(crate) attempts: u32,
    /// What the forge is still to be told.
    pub(crate) reaction: Option<Reaction>,
}

fn read(row: &SqliteRow) -> Result<CommandRow, sqlx::Error> {
    Ok(CommandRow {
        repository: parsed(row, "repository_id")?,
        id: row.try_get("id")?,
        head: parsed(row, "head")?,
        project: row.try_get("project")?,
        word: json(row, "word")?,
        author: row.try_get("author")?,
        comment: row.try_get("comment")?,
        received_at_ms: row.try_get("received_at_ms")?,
        not_before_ms: row.try_get("not_before_ms")?,
        attempts: row.try_get::<i64, _>("attempts")? as u32,
        reaction: json_opt(row, "reaction")?,
    })
}

/// Notes what was asked for; `false` when it was noted before.
pub(crate) async fn insert(tx: &mut Transaction<'_, Sqlite>, row: &CommandRow) -> Result<bool, sqlx::Error> {
    let sql = "INSERT INTO commands (repository_id, id, head, project, word, author, comment, received_at_ms) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING";
    let query = sqlx::query(sql)
        .bind(row.repository.as_str())
        .bind(&row.id)
        .bind(row.head.to_string())
        .bind(&row.project)
        .bind(to_json(&row.word)?)
        .bind(&row.author)
        .bind(&row.comment)
        .bind(row.received_at_ms);
    Ok(query.execute(&mut **tx).await?.rows_affected() == 1)
}

/// Those that are to be done, or whose answer is to be given, in the order in which they came.
pub(crate) async fn undone(
    db: impl SqliteExecutor<'_>,
    repository: &RepositoryId,
) -> Result<Vec<CommandRow>, sqlx::Error> {
    let sql = "SELECT * FROM commands WHERE repository_id = $1 AND (done_at_ms IS NULL OR reaction IS NOT NULL) \
        ORDER BY received_at_ms, length(id), id";
    let query = sqlx::query(sql).bind(repository.as_str());
    query.fetch_all(db).await?.iter().map(read).collect()
}

/// It is done, with what is to be answered; in the transaction of its effect. `false` when it was done before.
pub(crate) async fn set_done(
    tx: &mut Transaction<'_, Sqlite>,
    row: &CommandRow,
    (reaction, notice): (Option<Reaction>, Option<&str>),
    now: i64,
) -> Result<bool, sqlx::Error> {
    let sql = "UPDATE commands SET done_at_ms = $3, reaction = $4, notice = $5, attempts = 0, not_before_ms = 0 \
        WHERE repository_id = $1 AND id = $2 AND done_at_ms IS NULL";
    let query = sqlx::query(sql)
        .bind(row.repository.as_str())
        .bind(&row.id)
        .bind(now)
        .bind(reaction.map(|reaction| to_json(&reaction)).transpose()?)
        .bind(notice);
    Ok(query.execute(&mut **tx).await?.rows_affected() == 1)
}

/// The forge knows how it was taken, or will not hear of it.
pub(crate) async fn set_answered(db: impl SqliteExecutor<'_>, row: &CommandRow) -> Result<(), sqlx::Error> {
    let query = sqlx::query("UPDATE commands SET reaction = NULL WHERE repository_id = $1 AND id = $2");
    let query = query.bind(row.repository.as_str()).bind(&row.id);
    query.execute(db).await.map(drop)
}

pub(crate) async fn postpone(
    db: impl SqliteExecutor<'_>,
    row: &CommandRow,
    attempts: u32,
    not_before_ms: i64,
) -> Result<(), sqlx::Error> {
    let sql = "UPDATE commands SET attempts = $3, not_before_ms = $4 WHERE repository_id = $1 AND id = $2";
    let query = sqlx::query(sql)
        .bind(row.repository.as_str())
        .bind(&row.id)
        .bind(i64::from(attempts))
        .bind(not_before_ms);
    query.execute(db).await.map(drop)
}

/// The newest answer to a command about the head that is shown to people.
pub(crate) async fn notice(
    db: impl SqliteExecutor<'_>,
    repository: &RepositoryId,
    head: &Head,
) -> Result<Option<String>, sqlx::Error> {
    let sql = "SELECT notice FROM commands WHERE repository_id = $1 AND head = $2 AND done_at_ms IS NOT NULL \
        ORDER BY received_at_ms DESC, length(id) DESC, id DESC LIMIT 1";
    let query = sqlx::query_scalar(sql)
        .bind(repository.as_str())
        .bind(head.to_string());
    Ok(query.fetch_optional(db).await?.flatten())
}

/// Forgets those that were done before then.
pub(crate) async fn forget(db: impl SqliteExecutor<'_>, before_ms: i64) -> Result<(), sqlx::Error> {
    let query = sqlx::query("DELETE FROM commands WHERE done_at_ms < $1");
    query.bind(before_ms).execute(db).await.map(drop)
}
