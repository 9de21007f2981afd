//! No language at all: files as they are, or a command of cx.toml or the Procfile.

use std::collections::BTreeMap;

use model::Failure;
use model::failure::Code;
use model::plan::{Step, Toolchain};

use super::javascript;
use super::language::{Because, Commands, Decided, Language, Serving};
use super::project::Project;
use super::view::{join, normalise};

/// Directories that hold a finished site, in the order in which they are looked for.
const PLACES: [&str; 9] = [
    "", "public", "dist", "build", "out", "_site", "www", "site", "docs",
];

/// A source without a language.
pub(super) struct Plain<'a> {
    project: &'a Project<'a>,
}

impl<'a> Plain<'a> {
    pub(super) fn new(project: &'a Project<'a>) -> Self {
        Self { project }
    }
}

impl Language for Plain<'_> {
    fn build(&self) -> Result<Option<Because<Step>>, Failure> {
        Ok(None)
    }

    fn serving(&self, _build: &str) -> Result<Serving, Failure> {
        files(self.project).ok_or_else(nothing_found)
    }

    fn install(&self, _decided: &Decided<'_>) -> Result<Option<Because<Step>>, Failure> {
        Ok(None)
    }

    /// A command of Node gets Node; other programs are those of the base system.
    fn toolchains(&self, commands: &Commands<'_>) -> Result<Option<Because<Vec<Toolchain>>>, Failure> {
        javascript::toolchains(self.project.view, None, commands)
    }

    fn variables(&self, _installs: bool) -> BTreeMap<String, String> {
        BTreeMap::new()
    }
}

/// Files that need no build.
pub(super) fn files(project: &Project<'_>) -> Option<Serving> {
    let view = project.view;
    let staticfile = view.text("Staticfile").ok().flatten();
    let root = staticfile.as_deref().and_then(|text| {
        text.lines()
            .find_map(|line| line.strip_prefix("root:"))
            .map(str::trim)
            .and_then(normalise)
    });
    if let Some(root) = root {
        return Some(project.files(root, None, "the Staticfile says so".to_owned(), "static"));
    }
    let place = PLACES
        .into_iter()
        .find(|place| view.has(&join(place, "index.html")))?;
    let why = match place {
        "" => "index.html is there".to_owned(),
        place => format!("{place}/index.html is there"),
    };
    Some(project.files(place.to_owned(), None, why, "static"))
}

fn nothing_found() -> Failure {
    let message = "nothing in the source says how to serve it: no index.html, package.json, requirements.txt, \
                   pyproject.toml, go.mod, Cargo.toml, Procfile or cx.toml command";
    Failure::new(Code::NoFramework, message)
}
