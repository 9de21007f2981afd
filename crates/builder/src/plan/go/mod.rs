//! Go: modules are downloaded in the install step, and one main package is built into a program that runs alone.

mod module;

use std::collections::BTreeMap;

use model::Failure;
use model::failure::Code;
use model::plan::{Step, Toolchain};

use super::language::{Because, Commands, Decided, Language, Serving};
use super::plain;
use super::project::Project;
use module::Module;

const DOWNLOAD: &str = "go mod download";
/// Without symbols for a debugger; what a panic prints stays.
const BUILD: &str = "go build -ldflags='-s -w'";
/// Where the program is put, below the root: no name that a project has.
const PROGRAM: &str = ".cygni/app";
/// Names of main packages that serve, where there are several.
const SERVERS: [&str; 5] = ["server", "web", "api", "app", "http"];

/// A Go project.
pub(super) struct Go<'a> {
    project: &'a Project<'a>,
    module: Module,
}

impl<'a> Go<'a> {
    pub(super) fn new(project: &'a Project<'a>) -> Result<Self, Failure> {
        Ok(Self {
            project,
            module: Module::read(project.view)?,
        })
    }

    /// The directory of the main package that serves, and why it is that.
    fn main_package(&self) -> Result<(String, String), Failure> {
        let mains = self.module.main_packages(self.project.view)?;
        if mains.iter().any(String::is_empty) {
            return Ok((String::new(), "the main package is at the root".to_owned()));
        }
        let named = |name: &str| mains.iter().find(|path| path.rsplit('/').next() == Some(name));
        let preferred = SERVERS
            .iter()
            .find_map(|name| named(name))
            .or_else(|| named(&self.module.name));
        match (mains.as_slice(), preferred) {
            ([], _) => Err(Failure::new(
                Code::StartCommandMissing,
                "the Go module has no main package: no file says `package main`",
            )),
            ([only], _) => Ok((only.clone(), format!("{only} is the only main package"))),
            (several, Some(path)) => Ok((
                path.clone(),
                format!(
                    "of {} main packages, {path} is named like a server",
                    several.len()
                ),
            )),
            (several, None) => Err(super::rust::several("main packages", several, |path| {
                let name = path.rsplit('/').next().unwrap_or(path);
                format!("bin/{name}")
            })),
        }
    }
}

impl Language for Go<'_> {
    fn build(&self) -> Result<Option<Because<Step>>, Failure> {
        let step = |command: String, reason: String| {
            let what = Step {
                command,
                fallback: None,
            };
            Ok(Some(Because { what, reason }))
        };
        let unlocked = if self.module.is_unlocked { " -mod=mod" } else { "" };
        if self.project.command().is_some() {
            let command = format!("mkdir -p bin && {BUILD}{unlocked} -o bin/ ./...");
            return step(
                command,
                "every main package is built into bin/ for the command given".to_owned(),
            );
        }
        if self.project.file.build.output.is_some() {
            return Ok(None);
        }
        match self.main_package() {
            Ok((path, reason)) => step(format!("{BUILD}{unlocked} -o {PROGRAM} ./{path}"), reason),
            Err(_) if plain::files(self.project).is_some() => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    fn serving(&self, build: &str) -> Result<Serving, Failure> {
        match plain::files(self.project).filter(|_| build.is_empty()) {
            Some(files) => Ok(files),
            None if build.is_empty() || !build.contains(PROGRAM) => Err(Failure::new(
                Code::StartCommandMissing,
                "cx.toml says how the Go project is built, and nothing says how it starts",
            )),
            None => {
                let reason = "it is the program that the build makes".to_owned();
                Ok(self.project.server(format!("./{PROGRAM}"), reason, "go"))
            }
        }
    }

    fn install(&self, _decided: &Decided<'_>) -> Result<Option<Because<Step>>, Failure> {
        let needed = self.module.has_requirements && !self.project.view.has("vendor/modules.txt");
        Ok(needed.then(|| Because {
            what: Step {
                command: DOWNLOAD.to_owned(),
                fallback: None,
            },
            reason: "go.mod has requirements".to_owned(),
        }))
    }

    fn toolchains(&self, commands: &Commands<'_>) -> Result<Option<Because<Vec<Toolchain>>>, Failure> {
        commands.compiler(("go", "go"), || Ok(self.module.version()))
    }

    fn variables(&self, _installs: bool) -> BTreeMap<String, String> {
        BTreeMap::new()
    }
}

/// Whether `command` is an install step made here that reads the files of modules alone.
pub(crate) fn is_own_install(command: &str) -> bool {
    command == DOWNLOAD
}
