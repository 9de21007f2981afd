//! Events: what happened, in order. Written in the transaction of what they tell.

use std::collections::BTreeMap;

use model::{DeploymentId, NamespaceName, ProjectName};
use sqlx::{Row, SqliteExecutor, SqlitePool};

use super::deployment::Deployment;
use super::{json, parsed_opt, to_json};
use crate::view;

/// Something that happened to a preview or a deployment.
#[derive(Debug)]
pub(crate) struct NewEvent<'a> {
    pub(crate) kind: &'static str,
    pub(crate) project: Option<&'a ProjectName>,
    pub(crate) namespace: Option<&'a NamespaceName>,
    pub(crate) deployment: Option<&'a DeploymentId>,
    pub(crate) detail: Vec<(&'static str, String)>,
}

impl<'a> NewEvent<'a> {
    /// Something that happened to `deployment`.
    pub(crate) fn about(kind: &'static str, deployment: &'a Deployment) -> Self {
        Self {
            kind,
            project: Some(&deployment.project),
            namespace: Some(&deployment.namespace),
            deployment: Some(&deployment.id),
            detail: Vec::new(),
        }
    }

    #[must_use]
    pub(crate) fn detail(self, detail: Vec<(&'static str, String)>) -> Self {
        Self { detail, ..self }
    }
}

pub(crate) async fn add(
    db: impl SqliteExecutor<'_>,
    now: i64,
    event: NewEvent<'_>,
) -> Result<(), sqlx::Error> {
    debug_assert!(view::EVENT_KINDS.contains(&event.kind), "{}", event.kind);
    let detail: BTreeMap<_, _> = event.detail.iter().map(|(name, value)| (*name, value)).collect();
    let sql = "INSERT INTO events (sequence, at_ms, kind, project, namespace, deployment, detail) \
        SELECT COALESCE(MAX(sequence), 0) + 1, $1, $2, $3, $4, $5, $6 FROM events";
    sqlx::query(sql)
        .bind(now)
        .bind(event.kind)
        .bind(event.project.map(ProjectName::as_str))
        .bind(event.namespace.map(NamespaceName::as_str))
        .bind(event.deployment.map(DeploymentId::as_str))
        .bind(to_json(&detail)?)
        .execute(db)
        .await
        .map(drop)
}

/// Up to `most` events after the sequence `after`, oldest first.
pub(crate) async fn after(db: &SqlitePool, after: i64, most: i64) -> Result<Vec<view::Event>, sqlx::Error> {
    let sql = "SELECT * FROM events WHERE sequence > $1 ORDER BY sequence LIMIT $2";
    let rows = sqlx::query(sql).bind(after).bind(most).fetch_all(db).await?;
    let read = |row: &sqlx::sqlite::SqliteRow| {
        Ok(view::Event {
            sequence: row.try_get("sequence")?,
            at_ms: row.try_get("at_ms")?,
            kind: row.try_get("kind")?,
            project: parsed_opt(row, "project")?,
            namespace: parsed_opt(row, "namespace")?,
            deployment: parsed_opt(row, "deployment")?,
            detail: json(row, "detail")?,
        })
    };
    rows.iter().map(read).collect()
}

/// The newest sequence; 0 when nothing happened yet.
pub(crate) async fn newest(db: &SqlitePool) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("SELECT COALESCE(MAX(sequence), 0) FROM events")
        .fetch_one(db)
        .await
}

/// Forgets what happened before then, but for the newest, which says where to count on.
pub(crate) async fn forget(db: impl SqliteExecutor<'_>, before_ms: i64) -> Result<(), sqlx::Error> {
    let sql = "DELETE FROM events WHERE at_ms < $1 AND sequence < (SELECT MAX(sequence) FROM events)";
    sqlx::query(sql).bind(before_ms).execute(db).await.map(drop)
}

/// Keeps the newest `most`.
pub(crate) async fn trim(db: &SqlitePool, most: i64) -> Result<u64, sqlx::Error> {
    let sql = "DELETE FROM events WHERE sequence <= (SELECT MAX(sequence) FROM events) - $1";
    Ok(sqlx::query(sql).bind(most).execute(db).await?.rows_affected())
}
