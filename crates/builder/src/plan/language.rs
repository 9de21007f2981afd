//! What a language's folder answers about a project.
//!
//! cx.toml and Procfile are heard elsewhere and win; a language says what happens where they are silent. It does *not*
//! run anything, and does not know the others.

use std::collections::BTreeMap;

use model::Failure;
use model::plan::{Serve, Step, Toolchain};

use super::project::Project;
use super::rules::{Match, Tongue};
use super::{go, javascript, plain, python, rust, shell};

/// A choice and what it was made for.
pub(super) struct Because<T> {
    pub(super) what: T,
    pub(super) reason: String,
}

/// How it is served and why.
pub(super) struct Serving {
    pub(super) serve: Serve,
    pub(super) reason: String,
    pub(super) variables: Vec<(&'static str, &'static str)>,
    /// The name of the rule where no framework gave one.
    pub(super) framework: &'static str,
}

/// What was decided so far, for questions that come after.
pub(super) struct Decided<'a> {
    pub(super) build: Option<&'a Step>,
    pub(super) serve: &'a Serve,
}

/// One language: how its projects are installed, built and served.
pub(super) trait Language {
    /// The step that turns sources into what is served. The name of a framework says how where the project does not.
    fn build(&self) -> Result<Option<Because<Step>>, Failure>;

    /// What really runs when `build` does, such as the script behind `npm run build`.
    fn build_text<'s>(&'s self, build: &'s Step) -> &'s str {
        &build.command
    }

    /// How it is served where nothing else says so. `build` is what builds, `""` where nothing does.
    fn serving(&self, build: &str) -> Result<Serving, Failure>;

    /// A command of the Procfile, able to find the programs of dependencies.
    fn command(&self, given: &str) -> String {
        given.trim().to_owned()
    }

    /// The step that fetches dependencies.
    fn install(&self, decided: &Decided<'_>) -> Result<Option<Because<Step>>, Failure>;

    /// What has to be there for `commands` to run, and why in these versions.
    fn toolchains(&self, commands: &Commands<'_>) -> Result<Option<Because<Vec<Toolchain>>>, Failure>;

    /// Variables that the language's own tools need to behave. `installs` says whether there is an install step.
    fn variables(&self, installs: bool) -> BTreeMap<String, String>;
}

/// Everything that will run.
pub(super) struct Commands<'a> {
    /// Install and build.
    pub(super) steps: Vec<&'a str>,
    pub(super) server: Option<&'a str>,
}

impl<'a> Commands<'a> {
    /// The toolchain `name` for them: one that runs the server too where that is its `program`. None where there is
    /// nothing for it to do.
    pub(super) fn compiler(
        &self,
        (name, program): (&str, &str),
        version: impl FnOnce() -> Result<(String, String), Failure>,
    ) -> Result<Option<Because<Vec<Toolchain>>>, Failure> {
        let runs = self
            .server
            .is_some_and(|server| shell::program(server) == program);
        if !runs && self.steps.is_empty() {
            return Ok(None);
        }
        let (range, reason) = version()?;
        let toolchain = if runs {
            Toolchain::new
        } else {
            Toolchain::for_builds
        };
        Ok(Some(Because {
            what: vec![toolchain(name, &range)],
            reason,
        }))
    }

    pub(super) fn new(install: &'a Option<Step>, build: &'a Option<Step>, serve: &'a Serve) -> Self {
        Self {
            steps: install
                .iter()
                .chain(build)
                .map(|step| step.command.as_str())
                .collect(),
            server: match serve {
                Serve::Server { command, .. } => Some(command.as_str()),
                Serve::Static { .. } => None,
            },
        }
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &'a str> {
        self.steps.iter().copied().chain(self.server)
    }
}

/// The language of the rule that was met; of none, whatever package.json and plain files say.
pub(super) fn of<'a>(
    project: &'a Project<'a>,
    matched: Option<&'a Match>,
) -> Result<Box<dyn Language + 'a>, Failure> {
    let rule = matched
        .map(|found| found.rule)
        .filter(|rule| rule.toolchain.is_none());
    Ok(match rule.map(|rule| rule.language) {
        Some(Tongue::Python) => Box::new(python::Python::new(project, rule)?),
        Some(Tongue::Go) => Box::new(go::Go::new(project)?),
        Some(Tongue::Rust) => Box::new(rust::Rust::new(project)?),
        Some(Tongue::Javascript) | None => match project.manifests.javascript()? {
            Some(manifest) => Box::new(javascript::JavaScript::new(project, rule, manifest)),
            None => Box::new(plain::Plain::new(project)),
        },
    })
}
