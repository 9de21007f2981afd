//! Which blobs each project has sent.

use std::collections::HashSet;

use model::{Digest, ProjectId};
use sqlx::{Sqlite, SqliteExecutor, SqlitePool, Transaction};

/// Digests asked for in one statement.
const CHUNK: usize = 500;

/// The ones of `digests` that the project has sent.
pub(crate) async fn sent(
    db: &SqlitePool,
    project: &ProjectId,
    digests: &[Digest],
) -> Result<HashSet<Digest>, sqlx::Error> {
    let mut found = HashSet::new();
    for chunk in digests.chunks(CHUNK) {
        let list: Vec<String> = chunk.iter().map(Digest::to_string).collect();
        let list = super::to_json(&list)?;
        let sql = "SELECT digest FROM blobs_sent WHERE project_id = $1 AND digest IN (SELECT value FROM json_each($2))";
        let rows: Vec<String> = sqlx::query_scalar(sql)
            .bind(project.as_str())
            .bind(list)
            .fetch_all(db)
            .await?;
        found.extend(rows.iter().filter_map(|text| text.parse::<Digest>().ok()));
    }
    Ok(found)
}

pub(crate) async fn record(
    db: impl SqliteExecutor<'_>,
    project: &ProjectId,
    digest: &Digest,
) -> Result<(), sqlx::Error> {
    let sql = "INSERT INTO blobs_sent (project_id, digest) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    sqlx::query(sql)
        .bind(project.as_str())
        .bind(digest.to_string())
        .execute(db)
        .await
        .map(drop)
}

pub(crate) async fn record_all(
    tx: &mut Transaction<'_, Sqlite>,
    project: &ProjectId,
    digests: &[Digest],
) -> Result<(), sqlx::Error> {
    for digest in digests {
        record(&mut **tx, project, digest).await?;
    }
    Ok(())
}
