//! Python: interpreters, package managers, and servers for WSGI and ASGI applications.
//!
//! Every package manager installs into a virtual environment beside the project, made with the plan's own interpreter:
//! it is a layer, found again at the same path when the application runs. Whoever adds a manager adds a row in
//! `manager.rs`; a framework is a row of `frameworks.toml`, a server program one of `servers.rs`.

mod application;
mod django;
mod manager;
mod requirements;
mod serve;
mod servers;
mod version;

use std::collections::BTreeMap;

use model::Failure;
use model::plan::{Step, Toolchain};

pub(crate) use manager::is_own_install;
pub(crate) use requirements::included;
pub(super) use requirements::{Requirements, parse};

use manager::Manager;

use super::language::{Because, Commands, Decided, Language, Serving};
use super::project::Project;
use super::rules::Rule;
use super::shell;

/// What applications need to behave: their output is a log, and only the edge can reach them.
const VARIABLES: [(&str, &str); 2] = [("PYTHONUNBUFFERED", "1"), ("FORWARDED_ALLOW_IPS", "*")];
/// Hosts are the edge's business: it knows which belong to the preview.
const DJANGO_VARIABLES: [(&str, &str); 2] = [("ALLOWED_HOSTS", "*"), ("DJANGO_ALLOWED_HOSTS", "*")];

/// A Python project.
pub(super) struct Python<'a> {
    project: &'a Project<'a>,
    rule: Option<&'static Rule>,
    requirements: &'a Requirements,
    manager: Option<Manager>,
}

impl<'a> Python<'a> {
    pub(super) fn new(project: &'a Project<'a>, rule: Option<&'static Rule>) -> Result<Self, Failure> {
        let requirements = project.manifests.python()?;
        Ok(Self {
            project,
            rule,
            requirements,
            manager: Manager::of(project.view, requirements),
        })
    }

    fn is_django(&self) -> bool {
        self.rule.is_some_and(|rule| rule.name == "django")
    }
}

impl Language for Python<'_> {
    /// The project's own package, where it is one, and the files that Django collects.
    fn build(&self) -> Result<Option<Because<Step>>, Failure> {
        let mut commands = Vec::new();
        let mut reasons = Vec::new();
        if let Some((command, reason)) = self.manager.as_ref().and_then(Manager::install_project) {
            commands.push(command.to_owned());
            reasons.push(reason.to_owned());
        }
        if self.is_django()
            && let Some(reason) = django::collects(self.project.view)?
        {
            commands.push("python manage.py collectstatic --noinput".to_owned());
            reasons.push(reason);
        }
        Ok((!commands.is_empty()).then(|| Because {
            what: Step {
                command: commands.join(" && "),
                fallback: None,
            },
            reason: reasons.join("; "),
        }))
    }

    fn serving(&self, _build: &str) -> Result<Serving, Failure> {
        serve::serving(self.project, self.rule, self.requirements)
    }

    fn command(&self, given: &str) -> String {
        manager::without_runner(given)
    }

    fn install(&self, _decided: &Decided<'_>) -> Result<Option<Because<Step>>, Failure> {
        let lacking = match (&self.project.command(), self.rule) {
            (None, Some(rule)) => servers::lacking(rule, self.requirements),
            _ => None,
        };
        Ok(self.manager.as_ref().map(|manager| manager.install(lacking)))
    }

    fn toolchains(&self, commands: &Commands<'_>) -> Result<Option<Because<Vec<Toolchain>>>, Failure> {
        if commands.all().next().is_none() {
            return Ok(None);
        }
        let (range, reason) = version::asked(self.project.view, self.requirements)?;
        let mut what = vec![Toolchain::new("python", &range)];
        let uv = self.requirements.uv_version();
        if commands
            .server
            .is_some_and(|server| ["uv", "uvx"].contains(&shell::program(server)))
        {
            what.push(Toolchain::new("uv", &uv));
        } else if !commands.steps.is_empty() {
            what.push(Toolchain::for_builds("uv", &uv));
        }
        Ok(Some(Because { what, reason }))
    }

    fn variables(&self, _installs: bool) -> BTreeMap<String, String> {
        let django = DJANGO_VARIABLES.iter().filter(|_| self.is_django());
        VARIABLES
            .iter()
            .chain(django)
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }
}
