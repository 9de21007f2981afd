//! Verdicts: what each project makes of a head, and the commit that was deployed for it last.

use model::commit::CommitSha;
use model::{ProjectId, RepositoryId};
use sqlx::sqlite::SqliteRow;
use sqlx::{Sqlite, SqliteExecutor, Transaction};

use super::{json, json_opt, parsed, parsed_opt, to_json};
use crate::changes::{Basis, Head, Verdict};

#[derive(Clone, Debug)]
pub(crate) struct VerdictRow {
    pub(crate) repository: RepositoryId,
    pub(crate) head: Head,
    pub(crate) project: ProjectId,
    pub(crate) basis: Basis,
    /// `None` until it has been decided.
    pub(crate) verdict: Option<Verdict>,
    /// `None` where nothing is deployed for it, and nothing was since it was last wanted.
    pub(crate) deployed: Option<CommitSha>,
}

fn read(row: &SqliteRow) -> Result<VerdictRow, sqlx::Error> {
    Ok(VerdictRow {
        repository: parsed(row, "repository_id")?,
        head: parsed(row, "head")?,
        project: parsed(row, "project_id")?,
        basis: json(row, "basis")?,
        verdict: json_opt(row, "verdict")?,
        deployed: parsed_opt(row, "deployed")?,
    })
}

/// All of a repository.
pub(crate) async fn of(
    db: impl SqliteExecutor<'_>,
    repository: &RepositoryId,
) -> Result<Vec<VerdictRow>, sqlx::Error> {
    let query = sqlx::query("SELECT * FROM verdicts WHERE repository_id = $1 ORDER BY head, project_id");
    let query = query.bind(repository.as_str());
    query.fetch_all(db).await?.iter().map(read).collect()
}

/// What a verdict is about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    pub(crate) repository: &'a RepositoryId,
    pub(crate) head: &'a Head,
    pub(crate) project: &'a ProjectId,
}

impl VerdictRow {
    pub(crate) fn place(&self) -> Place<'_> {
        Place {
            repository: &self.repository,
            head: &self.head,
            project: &self.project,
        }
    }
}

pub(crate) async fn find(
    db: impl SqliteExecutor<'_>,
    place: Place<'_>,
) -> Result<Option<VerdictRow>, sqlx::Error> {
    let sql = "SELECT * FROM verdicts WHERE repository_id = $1 AND head = $2 AND project_id = $3";
    let query = bound(sql, place);
    query.fetch_optional(db).await?.as_ref().map(read).transpose()
}

/// What the look found out about the project.
pub(crate) async fn set_basis(
    tx: &mut Transaction<'_, Sqlite>,
    place: Place<'_>,
    basis: &Basis,
) -> Result<(), sqlx::Error> {
    let sql = "INSERT INTO verdicts (repository_id, head, project_id, basis) VALUES ($1, $2, $3, $4) \
        ON CONFLICT (repository_id, head, project_id) DO UPDATE SET basis = excluded.basis";
    let query = bound(sql, place).bind(to_json(basis)?);
    query.execute(&mut **tx).await.map(drop)
}

pub(crate) async fn set_verdict(
    tx: &mut Transaction<'_, Sqlite>,
    place: Place<'_>,
    verdict: &Verdict,
) -> Result<(), sqlx::Error> {
    let sql = "UPDATE verdicts SET verdict = $4 WHERE repository_id = $1 AND head = $2 AND project_id = $3";
    let query = bound(sql, place).bind(to_json(verdict)?);
    query.execute(&mut **tx).await.map(drop)
}

pub(crate) async fn set_deployed(
    tx: &mut Transaction<'_, Sqlite>,
    place: Place<'_>,
    commit: Option<&CommitSha>,
) -> Result<(), sqlx::Error> {
    let sql = "UPDATE verdicts SET deployed = $4 WHERE repository_id = $1 AND head = $2 AND project_id = $3";
    let query = bound(sql, place).bind(commit.map(CommitSha::as_str));
    query.execute(&mut **tx).await.map(drop)
}

pub(crate) async fn delete(tx: &mut Transaction<'_, Sqlite>, place: Place<'_>) -> Result<(), sqlx::Error> {
    let sql = "DELETE FROM verdicts WHERE repository_id = $1 AND head = $2 AND project_id = $3";
    bound(sql, place).execute(&mut **tx).await.map(drop)
}

/// Numbers that change whenever something changes that verdicts of the repository rest upon.
pub(crate) async fn counts(
    db: impl SqliteExecutor<'_>,
    repository: &RepositoryId,
) -> Result<[i64; 6], sqlx::Error> {
    let sql = "SELECT (SELECT COUNT(*) FROM heads WHERE repository_id = $1), \
        (SELECT COALESCE(SUM(looked), 0) FROM heads WHERE repository_id = $1), \
        (SELECT COALESCE(SUM(over), 0) FROM heads WHERE repository_id = $1), \
        (SELECT COUNT(*) FROM approvals WHERE repository_id = $1), \
        (SELECT COUNT(*) FROM verdicts WHERE repository_id = $1), \
        (SELECT COUNT(deployed) FROM verdicts WHERE repository_id = $1)";
    let query = sqlx::query_as::<_, (i64, i64, i64, i64, i64, i64)>(sql).bind(repository.as_str());
    let (heads, looked, over, approvals, verdicts, deployed) = query.fetch_one(db).await?;
    Ok([heads, looked, over, approvals, verdicts, deployed])
}

type Query<'q> = sqlx::query::Query<'q, Sqlite, sqlx::sqlite::SqliteArguments>;

fn bound<'q>(sql: &'static str, place: Place<'_>) -> Query<'q> {
    sqlx::query(sql)
        .bind(place.repository.to_string())
        .bind(place.head.to_string())
        .bind(place.project.to_string())
}
