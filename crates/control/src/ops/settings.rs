//! Variables: sealed before they are written, and a secret's value is never shown again.

use model::limits::VARIABLES_MAX;
use model::{EnvironmentName, NamespaceName, ProjectName};

use super::deploy::check_variable;
use super::{Kind, OpError};
use crate::control::Control;
use crate::rows::variable::Variable;
use crate::rows::{self};
use crate::view;

/// Whom a variable is for; `None` is any.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    pub project: Option<ProjectName>,
    pub namespace: Option<NamespaceName>,
    pub environment: Option<EnvironmentName>,
}

/// A variable to be set.
#[derive(Clone)]
pub struct NewVariable {
    pub name: String,
    pub value: String,
    pub secret: bool,
}

impl Scope {
    fn columns(&self) -> [&str; 3] {
        [
            self.project.as_ref().map_or("", ProjectName::as_str),
            self.namespace.as_ref().map_or("", NamespaceName::as_str),
            self.environment.map_or("", EnvironmentName::as_str),
        ]
    }
}

impl Control {
    /// The variables of exactly this scope, by name.
    pub async fn variables(&self, scope: &Scope) -> Result<Vec<view::Variable>, OpError> {
        let [project, namespace, environment] = scope.columns();
        let rows = rows::variable::of_scope(self.db().read(), project, namespace, environment).await?;
        let shown = |row: Variable| {
            let value = match row.secret {
                true => None,
                false => {
                    let bytes = self.inner.sealer.open(&row.place(), &row.sealed)?;
                    Some(String::from_utf8_lossy(&bytes).into_owned())
                }
            };
            Ok(view::Variable {
                name: row.name,
                secret: row.secret,
                value,
            })
        };
        rows.into_iter().map(shown).collect()
    }

    /// Sets a variable; deployments from now on are given it.
    pub async fn set_variable(&self, scope: &Scope, variable: NewVariable) -> Result<(), OpError> {
        check_variable(&variable.name, &variable.value)?;
        let [project, namespace, environment] = scope.columns();
        let present = rows::variable::of_scope(self.db().read(), project, namespace, environment).await?;
        if present.len() >= VARIABLES_MAX && present.iter().all(|row| row.name != variable.name) {
            let message = format!(
                "there are {} variables already and {VARIABLES_MAX} are taken",
                present.len()
            );
            return Err(OpError::new(Kind::TooLarge, "too_many_variables", message).hint("Unset one first."));
        }
        let mut row = Variable {
            project: project.to_owned(),
            namespace: namespace.to_owned(),
            environment: environment.to_owned(),
            name: variable.name,
            secret: variable.secret,
            sealed: String::new(),
        };
        row.sealed = self.inner.sealer.seal(&row.place(), variable.value.as_bytes())?;
        Ok(rows::variable::set(self.db().write(), &row).await?)
    }

    /// Removes a variable of exactly this scope.
    pub async fn unset_variable(&self, scope: &Scope, name: &str) -> Result<(), OpError> {
        let removed = rows::variable::unset(self.db().write(), scope.columns(), name).await?;
        if removed {
            Ok(())
        } else {
            Err(OpError::not_found("variable", name))
        }
    }
}
