//! Deployments: the rows, and the only statements that change their state.

use model::commit::Revision;
use model::deployment::{Event, State, next};
use model::trust::Trust;
use model::{
    Artifact, DeploymentId, Digest, EnvironmentName, Failure, NamespaceName, Plan, PreviewId, ProjectId,
    ProjectName,
};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, Sqlite, SqliteExecutor, SqlitePool, Transaction};

use super::{json_opt, parsed, parsed_opt, to_json};
use crate::lease::Lease;

#[derive(Clone, Debug)]
pub(crate) struct Deployment {
    pub(crate) id: DeploymentId,
    pub(crate) preview: PreviewId,
    pub(crate) project_id: ProjectId,
    pub(crate) project: ProjectName,
    pub(crate) namespace: NamespaceName,
    pub(crate) environment: EnvironmentName,
    pub(crate) sequence: i64,
    pub(crate) state: State,
    pub(crate) trust: Trust,
    /// `None` until it has been fetched.
    pub(crate) source: Option<Digest>,
    /// Where it is fetched from, when nobody sent it.
    pub(crate) revision: Option<Revision>,
    pub(crate) rebuild: bool,
    /// Where its development server runs, instead of over its source.
    pub(crate) live_directory: Option<String>,
    pub(crate) plan: Option<Plan>,
    pub(crate) artifact: Option<Artifact>,
    pub(crate) reused_build_of: Option<DeploymentId>,
    pub(crate) failure: Option<Failure>,
    pub(crate) attempts: u32,
    pub(crate) not_before_ms: i64,
    pub(crate) lease_boot: Option<String>,
    /// What it waits for, when that is not its turn alone.
    pub(crate) waiting: Option<String>,
    pub(crate) created_at_ms: i64,
    pub(crate) finished_at_ms: Option<i64>,
    /// Whether the edge has acknowledged the routes that make it reachable, so that others may be told.
    pub(crate) announced: bool,
    /// The label of its pinned host; none once it is retired or was never deployed.
    pub(crate) label: Option<String>,
    /// Whether the alias of its preview follows it.
    pub(crate) current: bool,
}

impl Deployment {
    /// The directory of the source that the project is; empty is all of it.
    pub(crate) fn root(&self) -> &str {
        self.revision.as_ref().map_or("", |revision| &revision.root)
    }
}

const SELECT: &str = "SELECT d.*, p.id AS project_id, p.name AS project, v.namespace AS namespace, h.label AS label, \
    (v.current_deployment = d.id) AS current FROM deployments d JOIN previews v ON v.id = d.preview_id \
    JOIN projects p ON p.id = v.project_id LEFT JOIN hosts h ON h.deployment_id = d.id";

fn read(row: &SqliteRow) -> Result<Deployment, sqlx::Error> {
    let trust: String = row.try_get("trust")?;
    Ok(Deployment {
        id: parsed(row, "id")?,
        preview: parsed(row, "preview_id")?,
        project_id: parsed(row, "project_id")?,
        project: parsed(row, "project")?,
        namespace: parsed(row, "namespace")?,
        environment: parsed(row, "environment")?,
        sequence: row.try_get("sequence")?,
        state: parsed(row, "state")?,
        // What is not known for sure is not trusted.
        trust: [Trust::Owner, Trust::Member]
            .into_iter()
            .find(|t| t.as_str() == trust)
            .unwrap_or(Trust::Fork),
        source: parsed_opt(row, "source")?,
        revision: json_opt(row, "revision")?,
        rebuild: row.try_get::<i64, _>("rebuild")? != 0,
        live_directory: row.try_get("live_directory")?,
        plan: json_opt(row, "plan")?,
        artifact: json_opt(row, "artifact")?,
        reused_build_of: parsed_opt(row, "reused_build_of")?,
        failure: json_opt(row, "failure")?,
        attempts: row.try_get::<i64, _>("attempts")? as u32,
        not_before_ms: row.try_get("not_before_ms")?,
        lease_boot: row.try_get("lease_boot")?,
        waiting: row.try_get("waiting")?,
        created_at_ms: row.try_get("created_at_ms")?,
        finished_at_ms: row.try_get("finished_at_ms")?,
        announced: row.try_get::<i64, _>("announced")? != 0,
        label: row.try_get("label")?,
        current: row.try_get::<Option<i64>, _>("current")?.unwrap_or(0) != 0,
    })
}

async fn select(
    db: impl SqliteExecutor<'_>,
    condition: &str,
    bind: &[&str],
) -> Result<Vec<Deployment>, sqlx::Error> {
    let sql = sqlx::AssertSqlSafe(format!("{SELECT} {condition}"));
    let query = bind
        .iter()
        .fold(sqlx::query(sql), |query, value| query.bind((*value).to_owned()));
    query.fetch_all(db).await?.iter().map(read).collect()
}

pub(crate) async fn by_id(
    db: impl SqliteExecutor<'_>,
    id: &DeploymentId,
) -> Result<Option<Deployment>, sqlx::Error> {
    Ok(select(db, "WHERE d.id = $1", &[id.as_str()]).await?.pop())
}

/// Those whose id begins with `prefix`, two at the most: enough to know whether it is unique.
pub(crate) async fn by_prefix(db: &SqlitePool, prefix: &str) -> Result<Vec<Deployment>, sqlx::Error> {
    select(db, "WHERE substr(d.id, 1, length($1)) = $1 LIMIT 2", &[prefix]).await
}

/// All of a preview, newest first.
pub(crate) async fn of(
    db: impl SqliteExecutor<'_>,
    preview: &PreviewId,
) -> Result<Vec<Deployment>, sqlx::Error> {
    select(
        db,
        "WHERE d.preview_id = $1 ORDER BY d.sequence DESC",
        &[preview.as_str()],
    )
    .await
}

/// The newest of every preview, and every one that may have a route.
pub(crate) async fn for_routes(db: &SqlitePool) -> Result<Vec<Deployment>, sqlx::Error> {
    let condition = "WHERE d.state IN ('deploying', 'ready') OR d.sequence = \
        (SELECT MAX(sequence) FROM deployments n WHERE n.preview_id = d.preview_id)";
    select(db, condition, &[]).await
}

/// All unfinished ones, oldest first.
pub(crate) async fn unfinished(db: &SqlitePool) -> Result<Vec<Deployment>, sqlx::Error> {
    let condition =
        "WHERE d.state IN ('queued', 'building', 'deploying') ORDER BY d.created_at_ms, d.sequence, d.id";
    select(db, condition, &[]).await
}

/// Ready ones of which nobody has been told and that nobody of this boot is still at work on.
pub(crate) async fn unannounced(db: &SqlitePool, boot: &str) -> Result<Vec<Deployment>, sqlx::Error> {
    let condition = "WHERE d.state = 'ready' AND d.announced = 0 AND (d.lease_boot IS NULL OR d.lease_boot <> $1) \
        ORDER BY d.created_at_ms";
    select(db, condition, &[boot]).await
}

pub(crate) async fn set_announced(
    tx: &mut Transaction<'_, Sqlite>,
    id: &DeploymentId,
) -> Result<bool, sqlx::Error> {
    let sql = "UPDATE deployments SET announced = 1 WHERE id = $1 AND announced = 0";
    Ok(sqlx::query(sql)
        .bind(id.as_str())
        .execute(&mut **tx)
        .await?
        .rows_affected()
        == 1)
}

/// A deployment to be written.
#[derive(Debug)]
pub(crate) struct NewDeployment<'a> {
    pub(crate) id: &'a DeploymentId,
    pub(crate) preview: &'a PreviewId,
    pub(crate) environment: EnvironmentName,
    pub(crate) trust: Trust,
    pub(crate) source: Option<&'a Digest>,
    pub(crate) revision: Option<&'a Revision>,
    pub(crate) rebuild: bool,
    /// Taken over from an earlier deployment: nothing has to be built.
    pub(crate) prepared: Option<(&'a Plan, &'a Artifact, &'a DeploymentId)>,
    pub(crate) live_directory: Option<&'a str>,
    pub(crate) now: i64,
}

pub(crate) async fn insert(
    tx: &mut Transaction<'_, Sqlite>,
    new: NewDeployment<'_>,
) -> Result<(), sqlx::Error> {
    let sql = "INSERT INTO deployments (id, preview_id, sequence, state, environment, trust, source, rebuild, plan, \
        artifact, reused_build_of, created_at_ms, live_directory, revision) SELECT $1, $2, COALESCE(MAX(sequence), 0) + 1, 'queued', \
        $3, $4, $5, $6, $7, $8, $9, $10, $11, $12 FROM deployments WHERE preview_id = $2";
    sqlx::query(sql)
        .bind(new.id.as_str())
        .bind(new.preview.as_str())
        .bind(new.environment.as_str())
        .bind(new.trust.as_str())
        .bind(new.source.map(Digest::to_string))
        .bind(i64::from(new.rebuild))
        .bind(new.prepared.map(|(plan, _, _)| to_json(plan)).transpose()?)
        .bind(
            new.prepared
                .map(|(_, artifact, _)| to_json(artifact))
                .transpose()?,
        )
        .bind(new.prepared.map(|(_, _, of)| of.as_str()))
        .bind(new.now)
        .bind(new.live_directory)
        .bind(new.revision.map(to_json).transpose()?)
        .execute(&mut **tx)
        .await
        .map(drop)
}

/// Takes the deployment for this boot unless this boot has it already. A lease of an earlier boot is void.
pub(crate) async fn take_lease(db: &SqlitePool, id: &DeploymentId, boot: &str) -> Result<bool, sqlx::Error> {
    let sql = "UPDATE deployments SET lease_boot = $2 WHERE id = $1 AND (lease_boot IS NULL OR lease_boot <> $2) \
        AND state IN ('queued', 'building', 'deploying')";
    Ok(sqlx::query(sql)
        .bind(id.as_str())
        .bind(boot)
        .execute(db)
        .await?
        .rows_affected()
        == 1)
}

/// All that somebody holds, or held when they died.
pub(crate) async fn leased(db: &SqlitePool) -> Result<Vec<DeploymentId>, sqlx::Error> {
    let rows = sqlx::query("SELECT id FROM deployments WHERE lease_boot IS NOT NULL")
        .fetch_all(db)
        .await?;
    rows.iter().map(|row| parsed(row, "id")).collect()
}

/// Nobody holds it any more.
pub(crate) async fn drop_lease(
    tx: &mut Transaction<'_, Sqlite>,
    id: &DeploymentId,
) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE deployments SET lease_boot = NULL WHERE id = $1")
        .bind(id.as_str())
        .execute(&mut **tx)
        .await
        .map(drop)
}

/// Moves the state by `event` if the lease still holds and the state is still `from`. `false`: somebody else decided.
pub(crate) async fn step(
    tx: &mut Transaction<'_, Sqlite>,
    lease: &Lease,
    from: State,
    event: Event,
    now: i64,
) -> Result<bool, sqlx::Error> {
    let Some(to) = next(from, event) else {
        return Ok(false);
    };
    let finished = (!to.is_unfinished()).then_some(now);
    let sql = "UPDATE deployments SET state = $4, finished_at_ms = COALESCE($5, finished_at_ms), attempts = 0, \
        waiting = NULL \
        WHERE id = $1 AND state = $2 AND lease_boot = $3";
    let query = sqlx::query(sql)
        .bind(lease.deployment().as_str())
        .bind(from.as_str())
        .bind(lease.boot());
    let done = query.bind(to.as_str()).bind(finished).execute(&mut **tx).await?;
    Ok(done.rows_affected() == 1)
}

/// Cancels or retires by decision of a person or of a newer change; needs no lease, only the state that it was seen in.
/// Whoever holds it lets go when they notice.
pub(crate) async fn overrule(
    tx: &mut Transaction<'_, Sqlite>,
    id: &DeploymentId,
    from: State,
    event: Event,
    now: i64,
) -> Result<bool, sqlx::Error> {
    let Some(to) = next(from, event) else {
        return Ok(false);
    };
    let sql = "UPDATE deployments SET state = $3, finished_at_ms = $4, waiting = NULL \
        WHERE id = $1 AND state = $2";
    let query = sqlx::query(sql)
        .bind(id.as_str())
        .bind(from.as_str())
        .bind(to.as_str())
        .bind(now);
    Ok(query.execute(&mut **tx).await?.rows_affected() == 1)
}

pub(crate) async fn set_plan(db: &SqlitePool, lease: &Lease, plan: &Plan) -> Result<(), sqlx::Error> {
    let sql = "UPDATE deployments SET plan = $3 WHERE id = $1 AND lease_boot = $2";
    let query = sqlx::query(sql)
        .bind(lease.deployment().as_str())
        .bind(lease.boot());
    query.bind(to_json(plan)?).execute(db).await.map(drop)
}

/// What its revision holds, now that it has been fetched.
pub(crate) async fn set_source(db: &SqlitePool, lease: &Lease, source: &Digest) -> Result<(), sqlx::Error> {
    let sql = "UPDATE deployments SET source = $3 WHERE id = $1 AND lease_boot = $2";
    let query = sqlx::query(sql)
        .bind(lease.deployment().as_str())
        .bind(lease.boot());
    query.bind(source.to_string()).execute(db).await.map(drop)
}

pub(crate) async fn set_artifact(
    tx: &mut Transaction<'_, Sqlite>,
    lease: &Lease,
    artifact: &Artifact,
    reused: Option<&DeploymentId>,
) -> Result<(), sqlx::Error> {
    let sql = "UPDATE deployments SET artifact = $3, reused_build_of = $4 WHERE id = $1 AND lease_boot = $2";
    let query = sqlx::query(sql)
        .bind(lease.deployment().as_str())
        .bind(lease.boot());
    query
        .bind(to_json(artifact)?)
        .bind(reused.map(DeploymentId::as_str))
        .execute(&mut **tx)
        .await
        .map(drop)
}

pub(crate) async fn set_failure(
    tx: &mut Transaction<'_, Sqlite>,
    id: &DeploymentId,
    failure: &Failure,
) -> Result<(), sqlx::Error> {
    let sql = "UPDATE deployments SET failure = $2 WHERE id = $1";
    sqlx::query(sql)
        .bind(id.as_str())
        .bind(to_json(failure)?)
        .execute(&mut **tx)
        .await
        .map(drop)
}

/// A failure of the platform: try again at `not_before_ms`.
pub(crate) async fn postpone(
    db: &SqlitePool,
    lease: &Lease,
    attempts: u32,
    not_before_ms: i64,
) -> Result<(), sqlx::Error> {
    let sql = "UPDATE deployments SET attempts = $3, not_before_ms = $4 WHERE id = $1 AND lease_boot = $2";
    let query = sqlx::query(sql)
        .bind(lease.deployment().as_str())
        .bind(lease.boot());
    query
        .bind(i64::from(attempts))
        .bind(not_before_ms)
        .execute(db)
        .await
        .map(drop)
}

/// It waits for `reason` and is looked at again at `not_before_ms`. Whether that is news.
pub(crate) async fn set_waiting(
    tx: &mut Transaction<'_, Sqlite>,
    lease: &Lease,
    reason: &str,
    not_before_ms: i64,
) -> Result<bool, sqlx::Error> {
    let (id, boot) = (lease.deployment().as_str(), lease.boot());
    let sql = "UPDATE deployments SET not_before_ms = $3 WHERE id = $1 AND lease_boot = $2";
    let query = sqlx::query(sql).bind(id).bind(boot).bind(not_before_ms);
    query.execute(&mut **tx).await?;
    let sql = "UPDATE deployments SET waiting = $3 WHERE id = $1 AND lease_boot = $2 AND waiting IS NULL";
    let query = sqlx::query(sql).bind(id).bind(boot).bind(reason);
    Ok(query.execute(&mut **tx).await?.rows_affected() == 1)
}

/// What a deployment names in the store.
#[derive(Debug)]
pub(crate) struct Named {
    pub(crate) id: DeploymentId,
    pub(crate) state: State,
    pub(crate) source: Option<Digest>,
    pub(crate) artifact: Option<Artifact>,
    pub(crate) finished_at_ms: Option<i64>,
    /// Whether it is the newest of its preview, which `redeploy` takes.
    pub(crate) newest: bool,
}

/// What all deployments name in the store.
pub(crate) async fn named(db: impl SqliteExecutor<'_>) -> Result<Vec<Named>, sqlx::Error> {
    let sql = "SELECT id, state, source, artifact, finished_at_ms, sequence = (SELECT MAX(sequence) FROM deployments n \
        WHERE n.preview_id = d.preview_id) AS newest FROM deployments d";
    let read = |row: &SqliteRow| {
        Ok(Named {
            id: parsed(row, "id")?,
            state: parsed(row, "state")?,
            source: parsed_opt(row, "source")?,
            artifact: json_opt(row, "artifact")?,
            finished_at_ms: row.try_get("finished_at_ms")?,
            newest: row.try_get::<i64, _>("newest")? != 0,
        })
    };
    sqlx::query(sql).fetch_all(db).await?.iter().map(read).collect()
}

/// Forgets deployments that ended before then, or before `most` newer ones of their preview. Never the newest.
pub(crate) async fn forget_ended(
    db: impl SqliteExecutor<'_>,
    before_ms: i64,
    most: i64,
) -> Result<u64, sqlx::Error> {
    let sql = "DELETE FROM deployments WHERE state IN ('failed', 'cancelled', 'retired') AND \
        (SELECT COUNT(*) FROM deployments n WHERE n.preview_id = deployments.preview_id \
            AND n.sequence > deployments.sequence) >= CASE WHEN finished_at_ms < $1 THEN 1 ELSE $2 END";
    Ok(sqlx::query(sql)
        .bind(before_ms)
        .bind(most)
        .execute(db)
        .await?
        .rows_affected())
}

/// The ids of all deployments.
pub(crate) async fn ids(db: &SqlitePool) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar("SELECT id FROM deployments")
        .fetch_all(db)
        .await
}
