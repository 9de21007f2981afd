//! Which blobs each project has sent, and when it last spoke of them.

use std::collections::{BTreeSet, HashSet};

use model::{Digest, ProjectId};
use sqlx::{Row, Sqlite, SqliteExecutor, SqlitePool, Transaction};

/// Digests asked for in one statement.
const CHUNK: usize = 500;
/// A use is noted anew when the one before is this old: a question about a thousand files writes nothing most times.
pub(crate) const NOTED_MS: i64 = 10 * 60 * 1_000;

/// The ones of `digests` that the project has sent. Whoever is told so may rely on it: that counts as a use, and what was
/// used lately is not collected. A use and the end of a row exclude each other.
pub(crate) async fn sent(
    (read, write): (&SqlitePool, &SqlitePool),
    project: &ProjectId,
    digests: &[Digest],
    now: i64,
) -> Result<HashSet<Digest>, sqlx::Error> {
    let (mut found, mut stale) = (HashSet::new(), Vec::new());
    let sql = "SELECT digest, used_at_ms FROM blobs_sent WHERE project_id = $1 \
        AND digest IN (SELECT value FROM json_each($2))";
    for chunk in digests.chunks(CHUNK) {
        let query = sqlx::query(sql).bind(project.as_str()).bind(list(chunk)?);
        for row in query.fetch_all(read).await? {
            let digest: Digest = super::parsed(&row, "digest")?;
            match row.try_get::<i64, _>("used_at_ms")? > now - NOTED_MS {
                true => drop(found.insert(digest)),
                false => stale.push(digest),
            }
        }
    }
    let sql = "UPDATE blobs_sent SET used_at_ms = $3 WHERE project_id = $1 \
        AND digest IN (SELECT value FROM json_each($2)) RETURNING digest";
    for chunk in stale.chunks(CHUNK) {
        let query = sqlx::query(sql).bind(project.as_str()).bind(list(chunk)?);
        for row in query.bind(now).fetch_all(write).await? {
            found.insert(super::parsed(&row, "digest")?);
        }
    }
    Ok(found)
}

pub(crate) async fn record(
    db: impl SqliteExecutor<'_>,
    project: &ProjectId,
    digest: &Digest,
    now: i64,
) -> Result<(), sqlx::Error> {
    let sql = "INSERT INTO blobs_sent (project_id, digest, used_at_ms) VALUES ($1, $2, $3) \
        ON CONFLICT (project_id, digest) DO UPDATE SET used_at_ms = excluded.used_at_ms";
    sqlx::query(sql)
        .bind(project.as_str())
        .bind(digest.to_string())
        .bind(now)
        .execute(db)
        .await
        .map(drop)
}

pub(crate) async fn record_all(
    tx: &mut Transaction<'_, Sqlite>,
    project: &ProjectId,
    digests: &[Digest],
    now: i64,
) -> Result<(), sqlx::Error> {
    for digest in digests {
        record(&mut **tx, project, digest, now).await?;
    }
    Ok(())
}

/// Takes these blobs from the lists of what was sent, wherever they were last used before then. Gives those that some
/// project goes on relying on: they must stay in the store.
pub(crate) async fn forget(
    tx: &mut Transaction<'_, Sqlite>,
    digests: &BTreeSet<Digest>,
    before_ms: i64,
) -> Result<HashSet<Digest>, sqlx::Error> {
    let digests: Vec<Digest> = digests.iter().copied().collect();
    let mut relied_on = HashSet::new();
    // Naming the projects lets the primary key find the rows.
    let forget = "DELETE FROM blobs_sent WHERE used_at_ms < $2 AND project_id IN (SELECT id FROM projects) \
        AND digest IN (SELECT value FROM json_each($1))";
    let left = "SELECT DISTINCT digest FROM blobs_sent WHERE project_id IN (SELECT id FROM projects) \
        AND digest IN (SELECT value FROM json_each($1))";
    for chunk in digests.chunks(CHUNK) {
        let list = list(chunk)?;
        let query = sqlx::query(forget).bind(&list).bind(before_ms);
        query.execute(&mut **tx).await?;
        for row in sqlx::query(left).bind(&list).fetch_all(&mut **tx).await? {
            relied_on.insert(super::parsed(&row, "digest")?);
        }
    }
    Ok(relied_on)
}

/// Forgets what was sent, but for these blobs.
pub(crate) async fn keep_only(
    db: impl SqliteExecutor<'_>,
    digests: &BTreeSet<Digest>,
) -> Result<(), sqlx::Error> {
    let digests: Vec<Digest> = digests.iter().copied().collect();
    let sql = "DELETE FROM blobs_sent WHERE digest NOT IN (SELECT value FROM json_each($1))";
    sqlx::query(sql).bind(list(&digests)?).execute(db).await.map(drop)
}

fn list(digests: &[Digest]) -> Result<String, sqlx::Error> {
    super::to_json(&digests.iter().map(Digest::to_string).collect::<Vec<_>>())
}
