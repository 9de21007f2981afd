//! The package managers of Python and their steps.
//!
//! Guards against installing with another manager than the project's own: its lock would be ignored. uv does the work of
//! pip, ten times as fast; Poetry and Pipenv are run by uv, which fetches them into its cache. It does *not* know how uv
//! itself is had.

use model::plan::Step;
use toml::Value;

use super::requirements::Requirements;
use crate::plan::language::Because;
use crate::plan::view::{View, join};

/// A fresh environment beside the project; older interpreters get setuptools into it as `venv` would have it.
const VENV: &str = "uv venv --seed --clear .venv";
/// Between an install and a server that it lacks.
const AND_ALSO: &str = " && uv pip install --python .venv ";

/// How one manager is recognised and what it is told.
struct Row {
    /// The file that shows it, and whether that may lie above the root.
    sign: (&'static str, bool),
    /// A table of pyproject.toml or the Pipfile that shows it where the file is missing.
    table: Option<&'static [&'static str]>,
    install: &'static str,
    /// Where the lock does not fit the manifest, or there is none.
    unlocked: &'static str,
    /// Installs the project's own package once its files are there.
    project: Option<&'static str>,
    /// Everything at once, for projects that depend on directories of their own.
    whole: &'static str,
    name: &'static str,
}

const ROWS: [Row; 3] = [
    Row {
        name: "uv",
        sign: ("uv.lock", true),
        table: None,
        install: "uv sync --locked --no-dev --no-install-project",
        unlocked: "uv sync --no-dev --no-install-project",
        project: Some("uv sync --no-dev --inexact"),
        whole: "uv sync --no-dev",
    },
    Row {
        name: "Poetry",
        sign: ("poetry.lock", false),
        table: Some(&["tool", "poetry", "dependencies"]),
        install: "uv tool run poetry install --only main --no-root --no-interaction",
        unlocked: "uv tool run poetry lock --no-interaction && \
                   uv tool run poetry install --only main --no-root --no-interaction",
        project: Some("uv tool run poetry install --only-root --no-interaction"),
        whole: "uv tool run poetry install --only main --no-interaction",
    },
    Row {
        name: "Pipenv",
        sign: ("Pipfile.lock", false),
        table: Some(&["packages"]),
        install: "uv tool run pipenv sync",
        unlocked: "uv tool run pipenv install --skip-lock",
        project: None,
        whole: "uv tool run pipenv install --skip-lock",
    },
];

const REQUIREMENTS: &str = "uv pip install --python .venv -r requirements.txt";
const PACKAGE: &str = "uv pip install --python .venv .";

/// The manager of one project.
pub(super) struct Manager {
    command: String,
    fallback: Option<String>,
    project: Option<&'static str>,
    reason: String,
}

impl Manager {
    /// The manager that the project uses; `None` where it names no package at all.
    pub(super) fn of(view: &View<'_>, requirements: &Requirements) -> Option<Self> {
        let rows = ROWS.iter().find_map(|row| Self::by_row(row, view, requirements));
        rows.or_else(|| Self::by_file(view, requirements))
    }

    fn by_row(row: &Row, view: &View<'_>, requirements: &Requirements) -> Option<Self> {
        let (file, above) = row.sign;
        let places = view.upwards();
        let places = places.iter().take(if above { usize::MAX } else { 1 });
        let lock = places
            .map(|place| join(place, file))
            .find(|path| view.has_in_source(path));
        let table = row.table.and_then(|path| {
            let in_pipfile = requirements.pipfile.get(path[0]);
            in_pipfile.or_else(|| requirements.tool(path))
        });
        let package = row.project.filter(|_| is_package(requirements));
        if has_local_sources(requirements) && (lock.is_some() || table.is_some()) {
            return Some(Self {
                command: row.whole.to_owned(),
                fallback: None,
                project: None,
                reason: format!("{}, and it depends on directories of its own", row.name),
            });
        }
        match (lock, table) {
            (Some(lock), _) => Some(Self {
                command: row.install.to_owned(),
                fallback: Some(row.unlocked.to_owned()),
                project: package,
                reason: format!("{}, because {lock} is there", row.name),
            }),
            (None, Some(_)) => Some(Self {
                command: row.unlocked.to_owned(),
                fallback: None,
                project: package,
                reason: format!(
                    "{}, because its table of dependencies is there, without a lock",
                    row.name
                ),
            }),
            (None, None) => None,
        }
    }

    /// Without a lock: requirements.txt, a list in pyproject.toml, or a package with a setup of its own.
    fn by_file(view: &View<'_>, requirements: &Requirements) -> Option<Self> {
        let uv = &ROWS[0];
        let plain = |install: &str, reason: &str| {
            Some(Self {
                command: format!("{VENV} && {install}"),
                fallback: None,
                project: None,
                reason: reason.to_owned(),
            })
        };
        if view.has("requirements.txt") {
            return plain(REQUIREMENTS, "requirements.txt is there");
        }
        if requirements.tool(&["project", "name"]).is_some() {
            let local = has_local_sources(requirements);
            return Some(Self {
                command: if local { uv.whole } else { uv.unlocked }.to_owned(),
                fallback: None,
                project: uv.project.filter(|_| !local && is_package(requirements)),
                reason: "pyproject.toml describes a project, without a lock".to_owned(),
            });
        }
        if view.has("setup.py") || requirements.tool(&["build-system"]).is_some() {
            return plain(PACKAGE, "setup.py or pyproject.toml describes a package");
        }
        None
    }

    /// The install step, with a server program that the project does not bring.
    pub(super) fn install(&self, lacking: Option<&str>) -> Because<Step> {
        let with = |command: &str| match lacking {
            Some(server) => format!("{command}{AND_ALSO}{server}"),
            None => command.to_owned(),
        };
        let also = lacking.map_or(String::new(), |server| {
            format!("; {server} serves it, since it brings no server")
        });
        Because {
            what: Step {
                command: with(&self.command),
                fallback: self.fallback.as_deref().map(with),
            },
            reason: format!("{}{also}", self.reason),
        }
    }

    /// What installs the project's own package, and why.
    pub(super) fn install_project(&self) -> Option<(&'static str, &'static str)> {
        Some((self.project?, "pyproject.toml makes the project a package"))
    }
}

/// Whether `command` is an install step made here that reads manifests and locks alone.
pub(crate) fn is_own_install(command: &str) -> bool {
    let command = command.split(AND_ALSO).next().unwrap_or(command);
    let known = ROWS
        .iter()
        .any(|row| [row.install, row.unlocked].contains(&command));
    known
        || command.strip_prefix(VENV) == Some(" && uv pip install --python .venv -r requirements.txt")
        || command == VENV
}

/// A command without `poetry run` or `pipenv run` before it: the environment is on the path when it runs.
pub(super) fn without_runner(command: &str) -> String {
    let command = command.trim();
    let bare = ["poetry run ", "pipenv run "]
        .iter()
        .find_map(|runner| command.strip_prefix(runner));
    bare.unwrap_or(command).trim().to_owned()
}

/// Whether the project is itself installed, so that its modules are found wherever they lie.
fn is_package(requirements: &Requirements) -> bool {
    let said = requirements
        .tool(&["tool", "uv", "package"])
        .and_then(Value::as_bool);
    let poetry = requirements
        .tool(&["tool", "poetry", "package-mode"])
        .and_then(Value::as_bool);
    said.or(poetry)
        .unwrap_or_else(|| requirements.tool(&["build-system"]).is_some())
}

/// Whether an install reads other directories of the source: workspaces and paths.
fn has_local_sources(requirements: &Requirements) -> bool {
    let sources = requirements
        .tool(&["tool", "uv", "sources"])
        .and_then(Value::as_table);
    let poetry = requirements
        .tool(&["tool", "poetry", "dependencies"])
        .and_then(Value::as_table);
    let local = |value: &Value| match value {
        Value::Array(all) => all
            .iter()
            .any(|one| one.get("path").or(one.get("workspace")).is_some()),
        one => one.get("path").or(one.get("workspace")).is_some(),
    };
    requirements.tool(&["tool", "uv", "workspace"]).is_some()
        || sources
            .into_iter()
            .chain(poetry)
            .flat_map(|table| table.values())
            .any(local)
}
