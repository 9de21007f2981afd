//! Variables and secrets of a project, a namespace, an environment, or any of these together.

use axum::Json as Answer;
use axum::extract::State;
use axum::routing;
use control::ops::{NewVariable, Scope};
use control::view;
use http::StatusCode;
use model::{EnvironmentName, NamespaceName, ProjectName};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::describe::{Operation, operation};
use crate::extract::{Json, Query};
use crate::problem::Problem;
use crate::service::Web;

/// Whose variables; at least a project or a namespace.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Whose {
    /// Those of this project.
    project: Option<ProjectName>,
    /// Those of this namespace, or of the project in it.
    namespace: Option<NamespaceName>,
    /// Those of one environment.
    environment: Option<EnvironmentName>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Unset {
    /// The variable of this project.
    project: Option<ProjectName>,
    /// The variable of this namespace, or of the project in it.
    namespace: Option<NamespaceName>,
    /// The variable of one environment.
    environment: Option<EnvironmentName>,
    /// The name of the variable.
    name: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewVariable")]
pub(crate) struct Given {
    name: String,
    value: String,
    /// A secret's value is never shown again.
    #[serde(default = "yes")]
    secret: bool,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ChangedVariable")]
pub(crate) struct Done {
    name: String,
}

impl Whose {
    fn scope(self) -> Result<Scope, Problem> {
        if self.project.is_none() && self.namespace.is_none() {
            return Err(
                Problem::impossible("no_scope", "neither a project nor a namespace is named")
                    .hint("Add `?project=` or `?namespace=`, or both."),
            );
        }
        Ok(Scope {
            project: self.project,
            namespace: self.namespace,
            environment: self.environment,
        })
    }
}

pub(super) fn operations() -> Vec<Operation> {
    vec![
        operation("GET /variables", "listVariables", routing::get(list))
            .says(
                "Lists the variables of exactly one place.",
                "Values of secrets are never shown.",
            )
            .query::<Whose>()
            .answers::<Vec<view::Variable>>(StatusCode::OK, "The variables, by name.")
            .problems(&["no_scope"]),
        operation("PUT /variables", "setVariable", routing::put(set))
            .says(
                "Sets a variable.",
                "It is sealed before it is written; deployments from now on are given it.",
            )
            .query::<Whose>()
            .takes::<Given>(json!({ "name": "API_KEY", "value": "s3cret", "secret": true }))
            .answers::<Done>(StatusCode::OK, "It is set.")
            .problems(&[
                "no_scope",
                "invalid_variable",
                "too_many_variables",
                "variable_too_large",
            ]),
        operation("DELETE /variables", "unsetVariable", routing::delete(unset))
            .says("Removes a variable of exactly one place.", "")
            .query::<Unset>()
            .answers::<Done>(StatusCode::OK, "It is gone.")
            .problems(&["no_scope", "not_found"]),
    ]
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
    Query(unset): Query<Unset>,
) -> Result<Answer<Done>, Problem> {
    let whose = Whose {
        project: unset.project,
        namespace: unset.namespace,
        environment: unset.environment,
    };
    web.control.unset_variable(&whose.scope()?, &unset.name).await?;
    Ok(Answer(Done { name: unset.name }))
}

fn yes() -> bool {
    true
}
