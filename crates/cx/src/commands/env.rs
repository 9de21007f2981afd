//! `cx env`: variables and secrets, of a project or a namespace.

use std::io::Read as _;
use std::path::Path;

use control::view;
use model::limits::VARIABLE_BYTES_MAX;

use super::App;
use super::target::project_of;
use crate::cli::{EnvCommand, ScopeArgs, pair};
use crate::client::VariableScope;
use crate::exit::{Exit, Fault, instead};
use crate::terminal::{plain, table};

pub(super) async fn run(app: &App, command: &EnvCommand) -> anyhow::Result<Exit> {
    let client = app.client()?;
    match command {
        EnvCommand::Set {
            variables,
            plain,
            scope,
        } => {
            let scope = scope_of(scope)?;
            let mut names = Vec::new();
            for (name, value) in read(variables)? {
                let variable = view::Variable {
                    name,
                    secret: !plain,
                    value: Some(value),
                };
                client.set_variable(&scope, &variable).await?;
                if !app.terminal.json {
                    app.terminal.say(&format!("Set {}", variable.name));
                }
                names.push(variable.name);
            }
            if app.terminal.json {
                return app
                    .terminal
                    .json(&serde_json::json!({ "set": names }))
                    .map(|()| Exit::Ok);
            }
            app.terminal
                .say(&app.terminal.err.dim("It counts from the next deployment on."));
        }
        EnvCommand::Unset { names, scope } => {
            let scope = scope_of(scope)?;
            for name in names {
                client
                    .unset_variable(&scope, name)
                    .await
                    .map_err(|error| instead(&error, "`cx env list` shows what is set"))?;
                if !app.terminal.json {
                    app.terminal.say(&format!("Removed {name}"));
                }
            }
            if app.terminal.json {
                app.terminal.json(&serde_json::json!({ "removed": names }))?;
            }
        }
        EnvCommand::List { scope } => list(app, &client.variables(&scope_of(scope)?).await?)?,
    }
    Ok(Exit::Ok)
}

fn list(app: &App, variables: &[view::Variable]) -> anyhow::Result<()> {
    if app.terminal.json {
        return app.terminal.json(&variables);
    }
    if variables.is_empty() {
        app.terminal
            .say("There are no variables. Set one with `cx env set NAME=VALUE`.");
        return Ok(());
    }
    let value = |variable: &view::Variable| match &variable.value {
        Some(value) => plain(value),
        None => "(secret)".to_owned(),
    };
    let rows: Vec<_> = variables
        .iter()
        .map(|variable| vec![variable.name.clone(), value(variable)])
        .collect();
    let lines = table(&["NAME", "VALUE"], &rows, app.terminal.out, |_, _, text| {
        text.to_owned()
    });
    app.terminal.results(&lines);
    Ok(())
}

/// A namespace alone means all its projects; otherwise the project of this directory is meant.
fn scope_of(args: &ScopeArgs) -> anyhow::Result<VariableScope> {
    let project = match (&args.project, &args.namespace) {
        (Some(project), _) => Some(project.clone()),
        (None, Some(_)) => None,
        (None, None) => Some(project_of(Path::new("."))?),
    };
    Ok(VariableScope {
        project,
        namespace: args.namespace.clone(),
        environment: args.environment,
    })
}

/// Pairs as given; the one without a value gets what comes on standard input, so that a secret need not stand in the
/// shell's history.
fn read(variables: &[String]) -> anyhow::Result<Vec<(String, String)>> {
    let named = variables.iter().filter(|text| !text.contains('=')).count();
    if named > 1 {
        return Err(Fault::usage("only one value can be read from standard input")
            .hint("write the others NAME=VALUE")
            .into());
    }
    let mut pairs = Vec::new();
    for text in variables {
        let whole = if text.contains('=') {
            text.clone()
        } else {
            format!("{text}={}", standard_input()?)
        };
        pairs.push(
            pair(&whole)
                .map_err(|error| Fault::usage(error).hint("write NAME=VALUE, for example PORT=3000"))?,
        );
    }
    Ok(pairs)
}

fn standard_input() -> anyhow::Result<String> {
    let mut value = String::new();
    std::io::stdin()
        .take(VARIABLE_BYTES_MAX as u64 + 1)
        .read_to_string(&mut value)?;
    if value.len() > VARIABLE_BYTES_MAX {
        return Err(Fault::failed("too_large", "the value is larger than 64 KiB")
            .hint("a variable is no place for files")
            .into());
    }
    Ok(value.trim_end_matches(['\r', '\n']).to_owned())
}
