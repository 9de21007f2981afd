//! Hosts: one label, one owner. Unique by constraint, looked up and never parsed.

use model::host::{alias_label, alias_label_taken, is_reserved, pinned_label, with_suffix};
use model::{DeploymentId, NamespaceName, PreviewId, ProjectName};
use sqlx::{Row, Sqlite, SqlitePool, Transaction};

use super::parsed;

/// A label whose owner is gone.
#[derive(Debug)]
pub(crate) struct Gone {
    pub(crate) label: String,
    pub(crate) project: ProjectName,
    pub(crate) namespace: NamespaceName,
}

async fn claim(
    tx: &mut Transaction<'_, Sqlite>,
    label: &str,
    preview: &PreviewId,
    deployment: Option<&DeploymentId>,
) -> Result<bool, sqlx::Error> {
    let kind = if deployment.is_some() { "pinned" } else { "alias" };
    let sql = "INSERT INTO hosts (label, kind, preview_id, deployment_id) VALUES ($1, $2, $3, $4) \
        ON CONFLICT (label) DO NOTHING";
    let query = sqlx::query(sql).bind(label).bind(kind).bind(preview.as_str());
    let done = query
        .bind(deployment.map(DeploymentId::as_str))
        .execute(&mut **tx)
        .await?;
    if done.rows_affected() == 1 {
        sqlx::query("DELETE FROM hosts_gone WHERE label = $1")
            .bind(label)
            .execute(&mut **tx)
            .await?;
    }
    Ok(done.rows_affected() == 1)
}

/// Gives a preview its alias: the plain label, or one with a suffix where that is taken or reserved.
pub(crate) async fn claim_alias(
    tx: &mut Transaction<'_, Sqlite>,
    preview: &PreviewId,
    project: &ProjectName,
    namespace: &NamespaceName,
) -> Result<String, sqlx::Error> {
    let plain = alias_label(namespace, project);
    let candidates = [
        alias_label_taken(&plain, preview),
        with_suffix(&plain, preview.short()),
    ];
    for label in std::iter::once(plain)
        .filter(|label| !is_reserved(label))
        .chain(candidates)
    {
        if claim(tx, &label, preview, None).await? {
            return Ok(label);
        }
    }
    Err(sqlx::Error::Protocol(format!(
        "no free host label for {namespace} of {project}"
    )))
}

/// Gives a deployment the label that is its own for ever.
pub(crate) async fn claim_pinned(
    tx: &mut Transaction<'_, Sqlite>,
    preview: &PreviewId,
    deployment: &DeploymentId,
    project: &ProjectName,
) -> Result<String, sqlx::Error> {
    let plain = pinned_label(project, deployment);
    let whole = with_suffix(
        project.as_str(),
        deployment.as_str().rsplit('_').next().unwrap_or_default(),
    );
    for label in [plain, whole] {
        if claim(tx, &label, preview, Some(deployment)).await? {
            return Ok(label);
        }
    }
    Err(sqlx::Error::Protocol(format!(
        "no free host label for {deployment}"
    )))
}

/// Leaves a tombstone for every label of the preview, or of one deployment of it.
pub(crate) async fn bury(
    tx: &mut Transaction<'_, Sqlite>,
    preview: &PreviewId,
    deployment: Option<&DeploymentId>,
    now: i64,
) -> Result<(), sqlx::Error> {
    let sql = "INSERT INTO hosts_gone (label, project, namespace, at_ms) \
        SELECT h.label, p.name, v.namespace, $3 FROM hosts h JOIN previews v ON v.id = h.preview_id \
        JOIN projects p ON p.id = v.project_id WHERE h.preview_id = $1 AND ($2 IS NULL OR h.deployment_id = $2) \
        ON CONFLICT (label) DO UPDATE SET at_ms = excluded.at_ms";
    let one = deployment.map(DeploymentId::as_str);
    sqlx::query(sql)
        .bind(preview.as_str())
        .bind(one)
        .bind(now)
        .execute(&mut **tx)
        .await?;
    let sql = "DELETE FROM hosts WHERE preview_id = $1 AND ($2 IS NULL OR deployment_id = $2)";
    sqlx::query(sql)
        .bind(preview.as_str())
        .bind(one)
        .execute(&mut **tx)
        .await
        .map(drop)
}

/// All tombstones.
pub(crate) async fn gone(db: &SqlitePool) -> Result<Vec<Gone>, sqlx::Error> {
    let rows = sqlx::query("SELECT label, project, namespace FROM hosts_gone")
        .fetch_all(db)
        .await?;
    let read = |row: &sqlx::sqlite::SqliteRow| {
        Ok(Gone {
            label: row.try_get("label")?,
            project: parsed(row, "project")?,
            namespace: parsed(row, "namespace")?,
        })
    };
    rows.iter().map(read).collect()
}

/// Forgets tombstones older than `before_ms`, and all but the newest `most`.
pub(crate) async fn forget_gone(db: &SqlitePool, before_ms: i64, most: i64) -> Result<u64, sqlx::Error> {
    let sql = "DELETE FROM hosts_gone WHERE at_ms < $1 OR label NOT IN \
        (SELECT label FROM hosts_gone ORDER BY at_ms DESC LIMIT $2)";
    Ok(sqlx::query(sql)
        .bind(before_ms)
        .bind(most)
        .execute(db)
        .await?
        .rows_affected())
}
