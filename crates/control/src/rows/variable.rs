//! Variables of a scope and of single deployments. Values are sealed before they come here.

use std::collections::BTreeMap;

use model::DeploymentId;
use sqlx::{Row, Sqlite, SqliteExecutor, SqlitePool, Transaction};

/// A stored variable; `""` in the scope means "any".
#[derive(Clone, Debug)]
pub(crate) struct Variable {
    pub(crate) project: String,
    pub(crate) namespace: String,
    pub(crate) environment: String,
    pub(crate) name: String,
    pub(crate) secret: bool,
    pub(crate) sealed: String,
}

impl Variable {
    /// Where it stands: what its sealed value is bound to.
    pub(crate) fn place(&self) -> String {
        format!(
            "{}/{}/{}/{}",
            self.project, self.namespace, self.environment, self.name
        )
    }
}

fn read(row: &sqlx::sqlite::SqliteRow) -> Result<Variable, sqlx::Error> {
    Ok(Variable {
        project: row.try_get("project")?,
        namespace: row.try_get("namespace")?,
        environment: row.try_get("environment")?,
        name: row.try_get("name")?,
        secret: row.try_get::<i64, _>("secret")? != 0,
        sealed: row.try_get("sealed")?,
    })
}

/// All variables that apply, the more special ones later: by project, then namespace, then environment.
pub(crate) async fn applying(
    db: &SqlitePool,
    project: &str,
    namespace: &str,
    environment: &str,
) -> Result<Vec<Variable>, sqlx::Error> {
    let sql = "SELECT * FROM variables WHERE project IN ('', $1) AND namespace IN ('', $2) \
        AND environment IN ('', $3) ORDER BY project, namespace, environment, name";
    let query = sqlx::query(sql).bind(project).bind(namespace).bind(environment);
    query.fetch_all(db).await?.iter().map(read).collect()
}

/// The variables of exactly this scope.
pub(crate) async fn of_scope(
    db: &SqlitePool,
    project: &str,
    namespace: &str,
    environment: &str,
) -> Result<Vec<Variable>, sqlx::Error> {
    let sql =
        "SELECT * FROM variables WHERE project = $1 AND namespace = $2 AND environment = $3 ORDER BY name";
    let query = sqlx::query(sql).bind(project).bind(namespace).bind(environment);
    query.fetch_all(db).await?.iter().map(read).collect()
}

pub(crate) async fn set(db: impl SqliteExecutor<'_>, variable: &Variable) -> Result<(), sqlx::Error> {
    let sql = "INSERT INTO variables (project, namespace, environment, name, secret, sealed) \
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (project, namespace, environment, name) \
        DO UPDATE SET secret = excluded.secret, sealed = excluded.sealed";
    sqlx::query(sql)
        .bind(&variable.project)
        .bind(&variable.namespace)
        .bind(&variable.environment)
        .bind(&variable.name)
        .bind(i64::from(variable.secret))
        .bind(&variable.sealed)
        .execute(db)
        .await
        .map(drop)
}

/// Removes one; whether it was there.
pub(crate) async fn unset(db: &SqlitePool, scope: [&str; 3], name: &str) -> Result<bool, sqlx::Error> {
    let sql =
        "DELETE FROM variables WHERE project = $1 AND namespace = $2 AND environment = $3 AND name = $4";
    let query = sqlx::query(sql)
        .bind(scope[0])
        .bind(scope[1])
        .bind(scope[2])
        .bind(name);
    Ok(query.execute(db).await?.rows_affected() == 1)
}

/// Removes all of a project, or of a project in a namespace.
pub(crate) async fn delete_of(
    tx: &mut Transaction<'_, Sqlite>,
    project: &str,
    namespace: Option<&str>,
) -> Result<(), sqlx::Error> {
    let sql = "DELETE FROM variables WHERE project = $1 AND ($2 IS NULL OR namespace = $2)";
    sqlx::query(sql)
        .bind(project)
        .bind(namespace)
        .execute(&mut **tx)
        .await
        .map(drop)
}

/// The sealed values that one deployment was given by whoever made it.
pub(crate) async fn of_deployment(
    db: &SqlitePool,
    deployment: &DeploymentId,
) -> Result<BTreeMap<String, String>, sqlx::Error> {
    let sql = "SELECT name, sealed FROM deployment_variables WHERE deployment_id = $1";
    let rows = sqlx::query(sql).bind(deployment.as_str()).fetch_all(db).await?;
    rows.iter()
        .map(|row| Ok((row.try_get("name")?, row.try_get("sealed")?)))
        .collect()
}

pub(crate) async fn set_of_deployment(
    tx: &mut Transaction<'_, Sqlite>,
    deployment: &DeploymentId,
    name: &str,
    sealed: &str,
) -> Result<(), sqlx::Error> {
    let sql = "INSERT INTO deployment_variables (deployment_id, name, sealed) VALUES ($1, $2, $3)";
    sqlx::query(sql)
        .bind(deployment.as_str())
        .bind(name)
        .bind(sealed)
        .execute(&mut **tx)
        .await
        .map(drop)
}
