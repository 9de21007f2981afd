//! Instances: rows that call for something to run, written before it is made.

use std::fmt;
use std::str::FromStr;

use model::{DeploymentId, InstanceId, ServiceName};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteExecutor, SqlitePool};

use super::parsed;
use crate::view::InstanceState;

/// What the row calls for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Running.
    Awake,
    /// Frozen with its memory; thawed by a request.
    Asleep,
    /// Not there; started afresh by a request.
    Stopped,
    /// Not there, and never again; only its log is left.
    Gone,
}

/// What was read is none of the four.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not what an instance can be wanted to be")]
pub(crate) struct ParseWantedError(String);

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Awake => "awake",
            Self::Asleep => "asleep",
            Self::Stopped => "stopped",
            Self::Gone => "gone",
        })
    }
}

impl FromStr for Wanted {
    type Err = ParseWantedError;
    fn from_str(text: &str) -> Result<Self, ParseWantedError> {
        let all = [Self::Awake, Self::Asleep, Self::Stopped, Self::Gone];
        all.into_iter()
            .find(|wanted| wanted.to_string() == text)
            .ok_or_else(|| ParseWantedError(text.to_owned()))
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Instance {
    pub(crate) id: InstanceId,
    pub(crate) deployment: DeploymentId,
    pub(crate) service: ServiceName,
    /// Which of the service's instances it is, from 1.
    pub(crate) replica: u32,
    pub(crate) wanted: Wanted,
    /// Whether it was last seen asleep or stopped: the edge holds requests and asks for a wake.
    pub(crate) asleep: bool,
    pub(crate) port: Option<u16>,
    pub(crate) restarts: u32,
    pub(crate) started_at_ms: Option<i64>,
    /// Not restarted before; 0 as long as it runs.
    pub(crate) not_before_ms: i64,
    /// When it may go to rest unless it is used: the end of a drain or of a visit to an old deployment.
    pub(crate) rest_at_ms: Option<i64>,
}

impl Instance {
    /// How it is, as far as the row tells.
    pub(crate) fn state(&self) -> InstanceState {
        if self.asleep || self.wanted != Wanted::Awake {
            InstanceState::Asleep
        } else if self.port.is_none() {
            InstanceState::Starting
        } else if self.not_before_ms != 0 {
            InstanceState::Restarting
        } else {
            InstanceState::Running
        }
    }
}

const SELECT: &str = "SELECT i.* FROM instances i";
const ORDER: &str = "ORDER BY i.deployment_id, i.service, i.replica";

fn read(row: &SqliteRow) -> Result<Instance, sqlx::Error> {
    Ok(Instance {
        id: parsed(row, "id")?,
        deployment: parsed(row, "deployment_id")?,
        service: parsed(row, "service")?,
        replica: row.try_get::<i64, _>("replica")? as u32,
        wanted: parsed(row, "wanted")?,
        asleep: row.try_get::<i64, _>("asleep")? != 0,
        port: row
            .try_get::<Option<i64>, _>("port")?
            .and_then(|port| u16::try_from(port).ok()),
        restarts: row.try_get::<i64, _>("restarts")? as u32,
        started_at_ms: row.try_get("started_at_ms")?,
        not_before_ms: row.try_get("not_before_ms")?,
        rest_at_ms: row.try_get("rest_at_ms")?,
    })
}

/// All of them, those of one service side by side.
pub(crate) async fn all(db: &SqlitePool) -> Result<Vec<Instance>, sqlx::Error> {
    let sql = sqlx::AssertSqlSafe(format!("{SELECT} {ORDER}"));
    sqlx::query(sql).fetch_all(db).await?.iter().map(read).collect()
}

pub(crate) async fn of(
    db: impl SqliteExecutor<'_>,
    deployment: &DeploymentId,
) -> Result<Vec<Instance>, sqlx::Error> {
    let sql = sqlx::AssertSqlSafe(format!("{SELECT} WHERE i.deployment_id = $1 {ORDER}"));
    sqlx::query(sql)
        .bind(deployment.as_str())
        .fetch_all(db)
        .await?
        .iter()
        .map(read)
        .collect()
}

pub(crate) async fn by_id(db: &SqlitePool, id: &InstanceId) -> Result<Option<Instance>, sqlx::Error> {
    let sql = sqlx::AssertSqlSafe(format!("{SELECT} WHERE i.id = $1"));
    sqlx::query(sql)
        .bind(id.as_str())
        .fetch_optional(db)
        .await?
        .as_ref()
        .map(read)
        .transpose()
}

/// Writes the row of the service's `replica` unless the deployment has one already.
pub(crate) async fn ensure(
    db: impl SqliteExecutor<'_>,
    id: &InstanceId,
    (deployment, service, replica): (&DeploymentId, &ServiceName, u32),
    now: i64,
) -> Result<(), sqlx::Error> {
    let sql = "INSERT INTO instances (id, deployment_id, service, replica, wanted, created_at_ms) \
        SELECT $1, id, $3, $4, 'awake', $5 FROM deployments WHERE id = $2 \
        ON CONFLICT (deployment_id, service, replica) DO NOTHING";
    let query = sqlx::query(sql)
        .bind(id.as_str())
        .bind(deployment.as_str())
        .bind(service.as_str())
        .bind(i64::from(replica))
        .bind(now);
    query.execute(db).await.map(drop)
}

/// It runs and listens on `port`.
pub(crate) async fn set_running(
    db: impl SqliteExecutor<'_>,
    id: &InstanceId,
    port: u16,
    now: i64,
) -> Result<(), sqlx::Error> {
    let sql =
        "UPDATE instances SET port = $2, asleep = 0, not_before_ms = 0, started_at_ms = $3 WHERE id = $1";
    sqlx::query(sql)
        .bind(id.as_str())
        .bind(i64::from(port))
        .bind(now)
        .execute(db)
        .await
        .map(drop)
}

pub(crate) async fn set_asleep(
    db: impl SqliteExecutor<'_>,
    id: &InstanceId,
    asleep: bool,
) -> Result<(), sqlx::Error> {
    let sql = "UPDATE instances SET asleep = $2 WHERE id = $1";
    sqlx::query(sql)
        .bind(id.as_str())
        .bind(i64::from(asleep))
        .execute(db)
        .await
        .map(drop)
}

/// Says what the rows of a service call for; `rest_at_ms` is when that may change by itself.
pub(crate) async fn want(
    db: impl SqliteExecutor<'_>,
    (deployment, service): (&DeploymentId, &ServiceName),
    wanted: Wanted,
    rest_at_ms: Option<i64>,
) -> Result<(), sqlx::Error> {
    let sql = "UPDATE instances SET wanted = $3, rest_at_ms = $4 \
        WHERE deployment_id = $1 AND service = $2 AND wanted <> 'gone'";
    let query = sqlx::query(sql)
        .bind(deployment.as_str())
        .bind(service.as_str())
        .bind(wanted.to_string())
        .bind(rest_at_ms);
    query.execute(db).await.map(drop)
}

/// The same for all instances of a deployment.
pub(crate) async fn want_all(
    db: impl SqliteExecutor<'_>,
    deployment: &DeploymentId,
    wanted: Wanted,
    rest_at_ms: Option<i64>,
) -> Result<(), sqlx::Error> {
    let sql =
        "UPDATE instances SET wanted = $2, rest_at_ms = $3 WHERE deployment_id = $1 AND wanted <> 'gone'";
    let query = sqlx::query(sql)
        .bind(deployment.as_str())
        .bind(wanted.to_string())
        .bind(rest_at_ms);
    query.execute(db).await.map(drop)
}

/// It has ended by itself and may be started again at `not_before_ms`.
pub(crate) async fn back_off(
    db: impl SqliteExecutor<'_>,
    id: &InstanceId,
    restarts: u32,
    not_before_ms: i64,
) -> Result<(), sqlx::Error> {
    let sql = "UPDATE instances SET restarts = $2, not_before_ms = $3 WHERE id = $1";
    sqlx::query(sql)
        .bind(id.as_str())
        .bind(i64::from(restarts))
        .bind(not_before_ms)
        .execute(db)
        .await
        .map(drop)
}

/// The ids of all instances.
pub(crate) async fn ids(db: impl SqliteExecutor<'_>) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar("SELECT id FROM instances").fetch_all(db).await
}
