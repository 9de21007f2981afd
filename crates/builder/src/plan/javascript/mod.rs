//! JavaScript: Node, npm and the frameworks of package.json.

mod look;
mod manager;
mod manifest;
mod node;
mod output;
mod serve;

use std::collections::BTreeMap;

use model::Failure;
use model::plan::{Serve, Step, Toolchain};

pub(crate) use manager::is_own_install;
pub(crate) use manifest::Manifest;
pub(super) use node::toolchains;

use super::language::{Because, Commands, Decided, Language, Serving};
use super::project::Project;
use super::rules::Rule;
use super::shell;

/// What npm is told, so that an install fetches what builds need and nothing else.
const INSTALL_VARIABLES: [(&str, &str); 3] = [
    ("CYPRESS_INSTALL_BINARY", "0"),
    ("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1"),
    ("PUPPETEER_SKIP_DOWNLOAD", "1"),
];

/// A project with a package.json.
pub(super) struct JavaScript<'a> {
    project: &'a Project<'a>,
    rule: Option<&'a Rule>,
    manifest: &'a Manifest,
}

impl<'a> JavaScript<'a> {
    pub(super) fn new(project: &'a Project<'a>, rule: Option<&'a Rule>, manifest: &'a Manifest) -> Self {
        Self {
            project,
            rule,
            manifest,
        }
    }
}

impl Language for JavaScript<'_> {
    fn build(&self) -> Result<Option<Because<Step>>, Failure> {
        let script = self
            .manifest
            .script("build")
            .filter(|_| self.rule.is_none_or(|rule| rule.name != "storybook"));
        let by_rule = || {
            let rule = self.rule?;
            let reason = format!("{} is built so, and there is no build script", rule.name);
            Some((rule.build.clone()?, reason))
        };
        let by_script = script.map(|script| {
            let reason = format!("package.json has a build script, `{script}`");
            ("npm run build".to_owned(), reason)
        });
        let chosen = by_script.or_else(by_rule);
        Ok(chosen.map(|(command, reason)| Because {
            what: Step {
                command,
                fallback: None,
            },
            reason,
        }))
    }

    fn build_text<'s>(&'s self, build: &'s Step) -> &'s str {
        match self.manifest.script("build") {
            Some(script) if build.command == "npm run build" => script,
            _ => &build.command,
        }
    }

    fn serving(&self, build: &str) -> Result<Serving, Failure> {
        serve::Say {
            project: self.project,
            rule: self.rule,
            manifest: self.manifest,
            build,
        }
        .serving()
    }

    fn command(&self, given: &str) -> String {
        shell::with_dependencies(given, self.project.depth())
    }

    fn install(&self, decided: &Decided<'_>) -> Result<Option<Because<Step>>, Failure> {
        let runs = decided.build.is_some() || matches!(decided.serve, Serve::Server { .. });
        if !runs {
            return Ok(None);
        }
        manager::install(self.project.view, self.manifest)
    }

    fn toolchains(&self, commands: &Commands<'_>) -> Result<Option<Because<Vec<Toolchain>>>, Failure> {
        toolchains(self.project.view, Some(self.manifest), commands)
    }

    fn variables(&self, installs: bool) -> BTreeMap<String, String> {
        let told = INSTALL_VARIABLES.iter().filter(|_| installs);
        told.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }
}
