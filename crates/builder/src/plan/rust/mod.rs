//! Rust: crates are fetched in the install step, and one binary is built in release mode into a program that runs alone.

mod workspace;

use std::collections::BTreeMap;

use model::Failure;
use model::failure::Code;
use model::plan::{Step, Toolchain};

use super::language::{Because, Commands, Decided, Language, Serving};
use super::plain;
use super::project::Project;
use workspace::Workspace;

const FETCH: &str = "cargo fetch --locked";
const FETCH_ANY: &str = "cargo fetch";
/// What was compiled stays from build to build, in the project's cache.
const TARGET: &str = "~/.cache/target";

/// A Rust project.
pub(super) struct Rust<'a> {
    project: &'a Project<'a>,
    workspace: Workspace,
}

impl<'a> Rust<'a> {
    pub(super) fn new(project: &'a Project<'a>) -> Result<Self, Failure> {
        Ok(Self {
            project,
            workspace: Workspace::read(project.view)?,
        })
    }

    /// The binary that serves, and why it is that.
    fn binary(&self) -> Result<(&str, String), Failure> {
        match (self.workspace.binaries.as_slice(), &self.workspace.default_run) {
            ([], _) => Err(Failure::new(
                Code::StartCommandMissing,
                "the Cargo project has no binary: there is no src/main.rs, and no [[bin]] in Cargo.toml",
            )),
            (_, Some(name)) => Ok((name, format!("Cargo.toml runs {name} by default"))),
            ([only], None) => Ok((only, format!("{only} is the only binary"))),
            (names, None) => Err(several("binaries", names, |name| {
                format!("target/release/{name}")
            })),
        }
    }

    /// Cargo takes what it compiled for up to date by the times of files, and a source of an earlier day has old ones:
    /// what it knows of the project's own packages is forgotten, and of its dependencies kept.
    fn build_command(&self, binary: Option<&str>) -> String {
        let own = self.workspace.packages.iter();
        let own: String = own
            .map(|name| format!(" {TARGET}/release/.fingerprint/{name}-*"))
            .collect();
        let locked = if self.workspace.is_locked { " --locked" } else { "" };
        let (chosen, programs) = match binary {
            Some(name) => (format!(" --bin {name}"), format!("{TARGET}/release/{name}")),
            None => {
                let names = self.workspace.binaries.iter();
                let names = names.map(|name| format!("{TARGET}/release/{name}"));
                (" --bins".to_owned(), names.collect::<Vec<_>>().join(" "))
            }
        };
        let build = format!("cargo build --release{locked}{chosen} --target-dir {TARGET}");
        format!("rm -rf{own} && {build} && install -D -t target/release {programs}")
    }
}

impl Language for Rust<'_> {
    fn build(&self) -> Result<Option<Because<Step>>, Failure> {
        let step = |command: String, reason: String| {
            let what = Step {
                command,
                fallback: None,
            };
            Ok(Some(Because { what, reason }))
        };
        if self.project.command().is_some() && !self.workspace.binaries.is_empty() {
            let reason = "every binary is built into target/release/ for the command given";
            return step(self.build_command(None), reason.to_owned());
        }
        if self.project.command().is_some() || self.project.file.build.output.is_some() {
            return Ok(None);
        }
        match self.binary() {
            Ok((name, reason)) => step(self.build_command(Some(name)), reason),
            Err(_) if plain::files(self.project).is_some() => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    fn serving(&self, build: &str) -> Result<Serving, Failure> {
        if build.is_empty()
            && let Some(files) = plain::files(self.project)
        {
            return Ok(files);
        }
        let (name, reason) = self.binary()?;
        Ok(self
            .project
            .server(format!("target/release/{name}"), reason, "rust"))
    }

    fn install(&self, _decided: &Decided<'_>) -> Result<Option<Because<Step>>, Failure> {
        let step = |command: &str, fallback: Option<&str>, reason: &str| Because {
            what: Step {
                command: command.to_owned(),
                fallback: fallback.map(str::to_owned),
            },
            reason: reason.to_owned(),
        };
        Ok(
            match (self.workspace.has_dependencies, self.workspace.is_locked) {
                (false, _) => None,
                (true, true) => Some(step(FETCH, Some(FETCH_ANY), "Cargo.lock is there")),
                (true, false) => Some(step(
                    FETCH_ANY,
                    None,
                    "Cargo.toml has dependencies, and there is no lock",
                )),
            },
        )
    }

    fn toolchains(&self, commands: &Commands<'_>) -> Result<Option<Because<Vec<Toolchain>>>, Failure> {
        commands.compiler(("rust", "cargo"), || {
            workspace::version(self.project.view, &self.workspace)
        })
    }

    fn variables(&self, _installs: bool) -> BTreeMap<String, String> {
        BTreeMap::new()
    }
}

/// Whether `command` is an install step made here that reads manifests, locks and which targets there are.
pub(crate) fn is_own_install(command: &str) -> bool {
    [FETCH, FETCH_ANY].contains(&command)
}

/// Nobody can know which of `names` is meant; `command` gives the command that runs one.
pub(super) fn several(what: &str, names: &[String], command: impl Fn(&str) -> String) -> Failure {
    let shown: Vec<&str> = names.iter().map(String::as_str).take(8).collect();
    let message = format!(
        "there are several {what}, and nothing says which one serves: {}",
        shown.join(", ")
    );
    let example = names.first().map(|name| command(name)).unwrap_or_default();
    Failure::new(Code::StartCommandMissing, message).hint(format!(
        "Set `[run] command` in cx.toml, for example to `{example}`."
    ))
}
