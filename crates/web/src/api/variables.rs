//! Variables and secrets of a project, a namespace, an environment, or any of these together.

use axum::Json as Answer;
use axum::extract::State;
use control::ops::{NewVariable, Scope};
use control::view;
use model::{EnvironmentName, NamespaceName, ProjectName};
use serde::{Deserialize, Serialize};

use crate::extract::{Json, Query};
use crate::problem::Problem;
use crate::service::Web;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Whose {
    project: Option<ProjectName>,
    namespace: Option<NamespaceName>,
    environment: Option<EnvironmentName>,
    /// For removing.
    name: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Given {
    name: String,
    value: String,
    /// A secret's value is never shown again.
    #[serde(default = "yes")]
    secret: bool,
}

#[derive(Serialize)]
pub(crate) struct Done {
    name: String,
}

impl Whose {
    fn scope(&self) -> Result<Scope, Problem> {
        let Self {
            project,
            namespace,
            environment,
            ..
        } = self;
        if project.is_none() && namespace.is_none() {
            return Err(
                Problem::invalid("no_scope", "neither a project nor a namespace is named")
                    .hint("Add `?project=` or `?namespace=`, or both."),
            );
        }
        Ok(Scope {
            project: project.clone(),
            namespace: namespace.clone(),
            environment: *environment,
        })
    }
}

pub(crate) async fn list(
    State(web): State<Web>,
    Query(whose): Query<Whose>,
) -> Result<Answer<Vec<view::Variable>>, Problem> {
    Ok(Answer(web.control.variables(&whose.scope()?).await?))
}

pub(crate) async fn set(
    State(web): State<Web>,
    Query(whose): Query<Whose>,
    Json(given): Json<Given>,
) -> Result<Answer<Done>, Problem> {
    let name = given.name.clone();
    let variable = NewVariable {
        name: given.name,
        value: given.value,
        secret: given.secret,
    };
    web.control.set_variable(&whose.scope()?, variable).await?;
    Ok(Answer(Done { name }))
}

pub(crate) async fn unset(
    State(web): State<Web>,
    Query(whose): Query<Whose>,
) -> Result<Answer<Done>, Problem> {
    let missing = || Problem::invalid("no_name", "no variable is named").hint("Add `name=` to the address.");
    let name = whose.name.clone().ok_or_else(missing)?;
    web.control.unset_variable(&whose.scope()?, &name).await?;
    Ok(Answer(Done { name }))
}

fn yes() -> bool {
    true
}
