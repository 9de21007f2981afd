//! How a Python project is served: its framework's application by a server program, else a script that listens itself.

use model::Failure;
use model::failure::Code;

use super::application::{self, Application};
use super::django;
use super::requirements::Requirements;
use super::servers::{self, Factory, Server};
use crate::plan::language::Serving;
use crate::plan::plain;
use crate::plan::project::Project;
use crate::plan::rules::{Interface, Rule};

/// Scripts that listen by themselves, in the order in which they are looked for.
const SCRIPTS: [&str; 10] = [
    "main.py",
    "app.py",
    "server.py",
    "run.py",
    "wsgi.py",
    "asgi.py",
    "start.py",
    "src/main.py",
    "src/app.py",
    "app/main.py",
];

pub(super) fn serving(
    project: &Project<'_>,
    rule: Option<&Rule>,
    requirements: &Requirements,
) -> Result<Serving, Failure> {
    if let Some(rule) = rule {
        if rule.name == "django"
            && let Some((command, reason)) = django::start(project.view, requirements)?
        {
            return Ok(project.server(command, reason, "django"));
        }
        if let Some(interface) = rule.interface
            && let Some(found) = application::find(project, rule)?
            && let Some(serving) = by_server(project, &found, (interface, requirements))
        {
            return Ok(serving);
        }
    }
    if let Some(script) = SCRIPTS.into_iter().find(|script| project.view.has(script)) {
        let reason = format!("{script} is there, and no application of a known framework in it");
        let reason = match rule.and_then(|rule| rule.interface) {
            Some(_) => reason,
            None => format!("{script} is there"),
        };
        return Ok(project.server(format!("python {script}"), reason, "python"));
    }
    let nothing = || {
        let looked = SCRIPTS[..4].join(", ");
        let message =
            format!("nothing in the Python project says how it starts: there is no {looked} or manage.py");
        Failure::new(Code::StartCommandMissing, message)
            .hint("Set `[run] command` in cx.toml, or add a Procfile with a web line, such as `web: python serve.py`.")
    };
    plain::files(project).ok_or_else(nothing)
}

/// Served by the program that the project brings, by the default one, or by the framework's own for development.
fn by_server(
    project: &Project<'_>,
    found: &Application,
    (interface, requirements): (Interface, &Requirements),
) -> Option<Serving> {
    let brought = servers::of(interface, requirements);
    let (command, why) = match brought.or_else(|| servers::default(interface)) {
        Some(server) => {
            let why = match brought {
                Some(_) => format!("the project brings {}", server.package),
                None => format!("{} is added, since the project brings no server", server.package),
            };
            (with(server, found), why)
        }
        None if requirements.has("flask") => {
            let command = format!("flask --app {} run --host 0.0.0.0 --port $PORT", found.module);
            (command, "the project brings no server but Flask's own".to_owned())
        }
        None => return None,
    };
    let reason = format!("{} has the application `{}`, and {why}", found.file, found.name);
    let mut serving = project.server(command, reason, "python");
    if !found.path.is_empty() {
        serving.variables.push(("PYTHONPATH", found.path));
    }
    Some(serving)
}

fn with(server: &Server, found: &Application) -> String {
    let (command, module, name) = (server.command, &found.module, &found.name);
    match (found.factory, server.factory) {
        (false, _) => format!("{command} {module}:{name}"),
        (true, Factory::Flag) => format!("{command} --factory {module}:{name}"),
        (true, Factory::Call) => format!("{command} '{module}:{name}()'"),
    }
}

/// Served by the program that the project brings for applications of `interface` at `module:name`.
pub(super) fn command_for(interface: Interface, requirements: &Requirements, place: &str) -> Option<String> {
    let server = servers::of(interface, requirements)?;
    Some(format!("{} {place}", server.command))
}
