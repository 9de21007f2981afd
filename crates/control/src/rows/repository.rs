//! Repositories at a forge, with what is to be asked about each.

use std::fmt;
use std::str::FromStr;

use forge::change::{RepositoryName, RepositoryRef};
use model::RepositoryId;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, Sqlite, SqliteExecutor, Transaction};

use super::{parsed, parsed_opt};

/// Whether changes of a repository are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RepositoryState {
    Active,
    /// The forge says that it is not there any more, or not for us.
    Gone,
    /// Something about it is so strange that somebody has to look first; nothing is removed meanwhile.
    Held,
}

#[derive(Clone, Debug)]
pub(crate) struct Repository {
    pub(crate) id: RepositoryId,
    /// The forge's name here.
    pub(crate) forge: String,
    /// The forge's own number of it.
    pub(crate) outside_id: String,
    pub(crate) name: RepositoryName,
    pub(crate) installation: Option<String>,
    pub(crate) default_branch: String,
    pub(crate) web_url: String,
    pub(crate) state: RepositoryState,
    pub(crate) held_reason: Option<String>,
    /// What makes the next list of its open pull requests cheap.
    pub(crate) listed_tag: Option<String>,
    /// Its open pull requests are to be listed while `listed` is less.
    pub(crate) wanted_list: i64,
    pub(crate) listed: i64,
    pub(crate) listed_at_ms: Option<i64>,
    pub(crate) not_before_ms: i64,
    pub(crate) trouble: Option<String>,
    /// What a change called it, when that is another name; to be confirmed.
    pub(crate) said_name: Option<RepositoryName>,
    /// Whether a change said that it has been deleted; to be confirmed.
    pub(crate) said_gone: bool,
    /// How often in a row asking about it failed.
    pub(crate) attempts: u32,
    /// Whether somebody has said that its sudden loss of pull requests is right.
    pub(crate) drop_accepted: bool,
    pub(crate) hook: Hook,
}

/// The webhook that delivers what happens in one repository, where the forge has no other way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hook {
    pub(crate) wanted: bool,
    /// Where one delivers to, or may: written before it is made.
    pub(crate) url: Option<String>,
    /// Whether the one at `url` has been made.
    pub(crate) done: bool,
    /// Why it is not as it is wanted, for people.
    pub(crate) trouble: Option<String>,
    /// Not to be tried before.
    pub(crate) not_before_ms: i64,
}

impl Repository {
    /// How the forge is told which one is meant.
    pub(crate) fn reference(&self) -> RepositoryRef {
        RepositoryRef {
            id: self.outside_id.clone(),
            name: self.name.clone(),
            installation: self.installation.clone(),
        }
    }
}

fn read(row: &SqliteRow) -> Result<Repository, sqlx::Error> {
    Ok(Repository {
        id: parsed(row, "id")?,
        forge: row.try_get("forge")?,
        outside_id: row.try_get("outside_id")?,
        name: parsed(row, "name")?,
        installation: row.try_get("installation")?,
        default_branch: row.try_get("default_branch")?,
        web_url: row.try_get("web_url")?,
        state: parsed(row, "state")?,
        held_reason: row.try_get("held_reason")?,
        listed_tag: row.try_get("listed_tag")?,
        wanted_list: row.try_get("wanted_list")?,
        listed: row.try_get("listed")?,
        listed_at_ms: row.try_get("listed_at_ms")?,
        not_before_ms: row.try_get("not_before_ms")?,
        trouble: row.try_get("trouble")?,
        said_name: parsed_opt(row, "said_name")?,
        said_gone: row.try_get::<i64, _>("said_gone")? != 0,
        attempts: row.try_get::<i64, _>("attempts")? as u32,
        drop_accepted: row.try_get::<i64, _>("drop_accepted")? != 0,
        hook: Hook {
            wanted: row.try_get::<i64, _>("hook_wanted")? != 0,
            url: row.try_get("hook_url")?,
            done: row.try_get::<i64, _>("hooked")? != 0,
            trouble: row.try_get("hook_trouble")?,
            not_before_ms: row.try_get("hook_not_before_ms")?,
        },
    })
}

pub(crate) async fn all(db: impl SqliteExecutor<'_>) -> Result<Vec<Repository>, sqlx::Error> {
    let query = sqlx::query("SELECT * FROM repositories ORDER BY forge, name, id");
    query.fetch_all(db).await?.iter().map(read).collect()
}

pub(crate) async fn of_forge(
    db: impl SqliteExecutor<'_>,
    forge: &str,
) -> Result<Vec<Repository>, sqlx::Error> {
    let query = sqlx::query("SELECT * FROM repositories WHERE forge = $1 ORDER BY name, id").bind(forge);
    query.fetch_all(db).await?.iter().map(read).collect()
}

pub(crate) async fn by_id(
    db: impl SqliteExecutor<'_>,
    id: &RepositoryId,
) -> Result<Option<Repository>, sqlx::Error> {
    let query = sqlx::query("SELECT * FROM repositories WHERE id = $1").bind(id.as_str());
    query.fetch_optional(db).await?.as_ref().map(read).transpose()
}

/// The one that the forge has this number for.
pub(crate) async fn by_outside_id(
    db: impl SqliteExecutor<'_>,
    forge: &str,
    outside_id: &str,
) -> Result<Option<Repository>, sqlx::Error> {
    let query = sqlx::query("SELECT * FROM repositories WHERE forge = $1 AND outside_id = $2");
    let query = query.bind(forge).bind(outside_id);
    query.fetch_optional(db).await?.as_ref().map(read).transpose()
}

/// Writes what the forge says of it: a new row, or the newest truth about the one with that number, which is followed
/// from now on and looked at anew.
pub(crate) async fn set(
    tx: &mut Transaction<'_, Sqlite>,
    id: &RepositoryId,
    (forge, truth): (&str, &forge::source::Repository),
    now: i64,
) -> Result<(), sqlx::Error> {
    let sql = "INSERT INTO repositories \
        (id, forge, outside_id, name, installation, default_branch, web_url, state, created_at_ms) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, 'active', $8) \
        ON CONFLICT (forge, outside_id) DO UPDATE SET name = excluded.name, installation = excluded.installation, \
        default_branch = excluded.default_branch, web_url = excluded.web_url, trouble = NULL, not_before_ms = 0, \
        state = CASE state WHEN 'gone' THEN 'active' ELSE state END, wanted_list = wanted_list + 1, listed_tag = NULL";
    sqlx::query(sql)
        .bind(id.as_str())
        .bind(forge)
        .bind(&truth.reference.id)
        .bind(truth.reference.name.to_string())
        .bind(&truth.reference.installation)
        .bind(&truth.default_branch)
        .bind(&truth.web_url)
        .bind(now)
        .execute(&mut **tx)
        .await
        .map(drop)
}

pub(crate) async fn set_state(
    db: impl SqliteExecutor<'_>,
    id: &RepositoryId,
    state: RepositoryState,
    reason: Option<&str>,
) -> Result<(), sqlx::Error> {
    let query = sqlx::query("UPDATE repositories SET state = $2, held_reason = $3 WHERE id = $1");
    let query = query.bind(id.as_str()).bind(state.to_string()).bind(reason);
    query.execute(db).await.map(drop)
}

/// Its open pull requests are to be listed, all of them, whether anything has changed at the forge or not.
pub(crate) async fn want_list(db: impl SqliteExecutor<'_>, id: &RepositoryId) -> Result<(), sqlx::Error> {
    let query =
        sqlx::query("UPDATE repositories SET wanted_list = wanted_list + 1, listed_tag = NULL WHERE id = $1");
    query.bind(id.as_str()).execute(db).await.map(drop)
}

/// They have been listed, as they were wanted when `mark` was read.
pub(crate) async fn set_listed(
    db: impl SqliteExecutor<'_>,
    id: &RepositoryId,
    (mark, tag): (i64, Option<&str>),
    now: i64,
) -> Result<(), sqlx::Error> {
    let sql = "UPDATE repositories SET listed = $2, listed_tag = $3, listed_at_ms = $4, trouble = NULL WHERE id = $1";
    let query = sqlx::query(sql).bind(id.as_str()).bind(mark).bind(tag).bind(now);
    query.execute(db).await.map(drop)
}

/// How its webhook is, and what is wanted of it.
pub(crate) async fn set_hook(
    db: impl SqliteExecutor<'_>,
    id: &RepositoryId,
    hook: &Hook,
) -> Result<(), sqlx::Error> {
    let sql = "UPDATE repositories SET hook_wanted = $2, hook_url = $3, hooked = $4, hook_trouble = $5, \
        hook_not_before_ms = $6 WHERE id = $1";
    sqlx::query(sql)
        .bind(id.as_str())
        .bind(i64::from(hook.wanted))
        .bind(&hook.url)
        .bind(i64::from(hook.done))
        .bind(&hook.trouble)
        .bind(hook.not_before_ms)
        .execute(db)
        .await
        .map(drop)
}

/// A change spoke of another name, or of its end: it is to be asked about.
pub(crate) async fn set_said(
    tx: &mut Transaction<'_, Sqlite>,
    id: &RepositoryId,
    (name, gone): (Option<&RepositoryName>, bool),
) -> Result<(), sqlx::Error> {
    let sql = "UPDATE repositories SET said_name = COALESCE($2, said_name), said_gone = CASE WHEN $3 = 1 THEN 1 ELSE said_gone END, \
        wanted_list = wanted_list + 1, not_before_ms = 0 WHERE id = $1";
    let query = sqlx::query(sql)
        .bind(id.as_str())
        .bind(name.map(ToString::to_string))
        .bind(i64::from(gone));
    query.execute(&mut **tx).await.map(drop)
}

/// What may be seen at the forge has changed: all its repositories are to be asked about, whatever was wrong.
pub(crate) async fn want_lists_of(tx: &mut Transaction<'_, Sqlite>, forge: &str) -> Result<(), sqlx::Error> {
    let sql = "UPDATE repositories SET wanted_list = wanted_list + 1, not_before_ms = 0 WHERE forge = $1";
    let query = sqlx::query(sql).bind(forge);
    query.execute(&mut **tx).await.map(drop)
}

/// What the forge answers about it; what changes said of it is settled by that.
pub(crate) async fn set_truth(
    db: impl SqliteExecutor<'_>,
    id: &RepositoryId,
    truth: &forge::source::Repository,
) -> Result<(), sqlx::Error> {
    let sql = "UPDATE repositories SET name = $2, installation = $3, default_branch = $4, web_url = $5, \
        said_name = NULL, said_gone = 0, attempts = 0, \
        state = CASE state WHEN 'gone' THEN 'active' ELSE state END WHERE id = $1";
    let query = sqlx::query(sql)
        .bind(id.as_str())
        .bind(truth.reference.name.to_string())
        .bind(&truth.reference.installation)
        .bind(&truth.default_branch)
        .bind(&truth.web_url);
    query.execute(db).await.map(drop)
}

/// Asking about it failed once more; not again before then.
pub(crate) async fn set_failed(
    db: impl SqliteExecutor<'_>,
    id: &RepositoryId,
    (trouble, attempts): (&str, u32),
    not_before_ms: i64,
) -> Result<(), sqlx::Error> {
    let sql = "UPDATE repositories SET trouble = $2, attempts = $3, not_before_ms = $4 WHERE id = $1";
    let query = sqlx::query(sql)
        .bind(id.as_str())
        .bind(trouble)
        .bind(i64::from(attempts))
        .bind(not_before_ms);
    query.execute(db).await.map(drop)
}

/// The newest list is no longer what is known: the next one is to be a whole one.
pub(crate) async fn forget_tag(
    tx: &mut Transaction<'_, Sqlite>,
    id: &RepositoryId,
) -> Result<(), sqlx::Error> {
    let query = sqlx::query("UPDATE repositories SET listed_tag = NULL WHERE id = $1");
    query.bind(id.as_str()).execute(&mut **tx).await.map(drop)
}

/// It can be asked about again.
pub(crate) async fn set_well(db: impl SqliteExecutor<'_>, id: &RepositoryId) -> Result<(), sqlx::Error> {
    let sql = "UPDATE repositories SET trouble = NULL, attempts = 0, not_before_ms = 0 WHERE id = $1";
    sqlx::query(sql).bind(id.as_str()).execute(db).await.map(drop)
}

/// Whether a sudden loss of pull requests is right this time.
pub(crate) async fn set_drop_accepted(
    db: impl SqliteExecutor<'_>,
    id: &RepositoryId,
    accepted: bool,
) -> Result<(), sqlx::Error> {
    let query = sqlx::query("UPDATE repositories SET drop_accepted = $2 WHERE id = $1");
    let query = query.bind(id.as_str()).bind(i64::from(accepted));
    query.execute(db).await.map(drop)
}

/// Removes those of a forge that no project belongs to.
pub(crate) async fn delete_unused(tx: &mut Transaction<'_, Sqlite>, forge: &str) -> Result<(), sqlx::Error> {
    let sql = "DELETE FROM repositories WHERE forge = $1 AND NOT EXISTS \
        (SELECT 1 FROM project_repositories p WHERE p.repository_id = repositories.id)";
    sqlx::query(sql).bind(forge).execute(&mut **tx).await.map(drop)
}

/// The column says something else than a state.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not the state of a repository")]
pub(crate) struct ParseStateError(String);

impl FromStr for RepositoryState {
    type Err = ParseStateError;

    fn from_str(text: &str) -> Result<Self, ParseStateError> {
        match text {
            "active" => Ok(Self::Active),
            "gone" => Ok(Self::Gone),
            "held" => Ok(Self::Held),
            _ => Err(ParseStateError(text.to_owned())),
        }
    }
}

impl fmt::Display for RepositoryState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Active => "active",
            Self::Gone => "gone",
            Self::Held => "held",
        })
    }
}
