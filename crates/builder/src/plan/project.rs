//! The project that a plan is made for: its files and what they say, for every language to look at.

use model::plan::{Health, Serve};
use model::project_file::ProjectFile;

use super::language::Serving;
use super::rules::{Kind, Manifests};
use super::view::View;

/// Everything that was read before a language is asked.
pub(super) struct Project<'a> {
    pub(super) view: &'a View<'a>,
    pub(super) file: &'a ProjectFile,
    pub(super) manifests: &'a Manifests<'a>,
    /// The command of the Procfile's `web` line.
    pub(super) procfile: Option<&'a str>,
}

impl Project<'_> {
    /// The command that serves, where cx.toml or the Procfile gives one.
    pub(super) fn command(&self) -> Option<&str> {
        said(&self.file.run.command).or(self.procfile)
    }

    /// A server, healthy and listening as cx.toml says.
    pub(super) fn server(&self, command: String, reason: String, framework: &'static str) -> Serving {
        let run = &self.file.run;
        let default = Health::default();
        let timeout = run.health.timeout.and_then(|seconds| u32::try_from(seconds).ok());
        let health = Health {
            path: run.health.path.clone(),
            timeout_seconds: timeout.unwrap_or(default.timeout_seconds),
        };
        let serve = Serve::Server {
            command,
            port: run.port,
            health,
            instances: run.instances.unwrap_or(1),
        };
        Serving {
            serve,
            reason,
            variables: Vec::new(),
            framework,
        }
    }

    /// Static files below `output`.
    pub(super) fn files(
        &self,
        output: String,
        kind: Option<Kind>,
        reason: String,
        framework: &'static str,
    ) -> Serving {
        let spa = self.file.run.spa.unwrap_or(kind == Some(Kind::Spa));
        Serving {
            serve: Serve::Static { output, spa },
            reason,
            variables: Vec::new(),
            framework,
        }
    }

    /// How many directories lie between the source and its root.
    pub(super) fn depth(&self) -> usize {
        match self.view.root() {
            "" => 0,
            root => root.matches('/').count() + 1,
        }
    }
}

/// A text of cx.toml that says something.
pub(super) fn said(text: &Option<String>) -> Option<&str> {
    text.as_deref().map(str::trim).filter(|text| !text.is_empty())
}
