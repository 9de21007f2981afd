//! Files or a process: how a source is served, in the order in which one says beats another.

use model::Failure;
use model::failure::Code;

use super::look;
use super::manifest::Manifest;
use super::output::{Look, Served};
use crate::plan::language::Serving;
use crate::plan::plain;
use crate::plan::project::Project;
use crate::plan::rules::{Kind, Rule};
use crate::plan::shell;
use crate::plan::view::normalise;

/// Everything that has a say.
pub(super) struct Say<'a> {
    pub(super) project: &'a Project<'a>,
    pub(super) rule: Option<&'a Rule>,
    pub(super) manifest: &'a Manifest,
    /// The text of the command that builds, `""` where there is none.
    pub(super) build: &'a str,
}

/// Files of a Node server, in the order in which they are looked for.
const ENTRIES: [&str; 12] = [
    "server.js",
    "server.mjs",
    "server.cjs",
    "app.js",
    "app.mjs",
    "index.js",
    "index.mjs",
    "index.cjs",
    "main.js",
    "src/server.js",
    "src/app.js",
    "src/index.js",
];

/// Programs that run a server of the project's own.
const RUNNERS: [&str; 6] = ["node", "tsx", "ts-node", "nodemon", "bun", "pm2-runtime"];

impl Say<'_> {
    pub(super) fn serving(&self) -> Result<Serving, Failure> {
        match self.rule {
            Some(rule) => self.framework(rule),
            None => self.node(),
        }
    }

    fn framework(&self, rule: &Rule) -> Result<Serving, Failure> {
        let manifest = self.manifest;
        let Served {
            kind,
            output,
            start,
            variables,
            reason,
        } = Look {
            view: self.project.view,
            manifest,
            build: self.build,
        }
        .served(rule)?;
        let script = manifest.script("start");
        let mut serving = if kind == Kind::Server {
            let honest = script.filter(|script| !rule.dev.iter().any(|dev| script.contains(dev.as_str())));
            match (honest, start) {
                (Some(script), _) => self.start_script(manifest, script),
                (None, Some(start)) => {
                    let why = match script {
                        Some(script) => format!("the start script is the development server (`{script}`)"),
                        None => format!("{} starts so, and there is no start script", rule.name),
                    };
                    self.server(
                        shell::with_dependencies(&start, self.project.depth()),
                        why,
                        "node",
                    )
                }
                (None, None) => {
                    let message = format!(
                        "{} needs a start script in package.json, and there is none",
                        rule.name
                    );
                    return Err(Failure::new(Code::StartCommandMissing, message));
                }
            }
        } else {
            let own = script.filter(|script| rule.own_server && RUNNERS.contains(&shell::program(script)));
            match own {
                Some(script) => self.start_script(manifest, script),
                None => self.files(output, Some(kind), reason, "static"),
            }
        };
        serving.variables = variables;
        Ok(serving)
    }

    /// A package.json and no framework.
    fn node(&self) -> Result<Serving, Failure> {
        let manifest = self.manifest;
        if let Some(script) = manifest.script("start") {
            return Ok(self.start_script(manifest, script));
        }
        if let Some((entry, why)) = self.entry(manifest)? {
            return Ok(self.server(format!("node {entry}"), why, "node"));
        }
        if !self.build.is_empty() {
            let output = look::flag(self.build, &["--outDir", "--out-dir", "--outdir", "-o", "-d"]);
            let guess = output
                .and_then(normalise)
                .filter(|dir| !dir.is_empty() && !dir.contains('.'));
            let why = match &guess {
                Some(_) => "the build command says so",
                None => {
                    "most builds write there; another directory with an index.html is found after the build"
                }
            };
            let output = guess.unwrap_or_else(|| "dist".to_owned());
            return Ok(self.files(output, None, why.to_owned(), "build-script"));
        }
        plain::files(self.project).ok_or_else(|| {
            let what = "package.json has neither a start nor a build script, and there is no server.js or index.html";
            Failure::new(Code::StartCommandMissing, what)
        })
    }

    /// The program of a Node server without a start script. Beside an index.html, a script may be the page's own.
    fn entry(&self, manifest: &Manifest) -> Result<Option<(String, String)>, Failure> {
        let main = manifest.field("main").and_then(normalise);
        let main = main.filter(|main| main.ends_with("js") && self.project.view.has(main));
        let entries = ENTRIES
            .iter()
            .map(|name| (*name).to_owned())
            .filter(|name| self.project.view.has(name));
        let first = main.clone().into_iter().chain(entries);
        for entry in first {
            let text = self.project.view.text(&entry)?.unwrap_or_default();
            let serves = ["listen(", "createServer", ".serve("]
                .iter()
                .any(|call| text.contains(call));
            let ambiguous = self.project.view.has("index.html") || !self.build.is_empty();
            if serves || !ambiguous {
                let why = if Some(&entry) == main.as_ref() {
                    format!("`main` of package.json is {entry}, and there is no start script")
                } else {
                    format!("{entry} is there, and there is no start script")
                };
                return Ok(Some((entry, why)));
            }
        }
        Ok(None)
    }

    /// The start script, without npm between it and its signals where npm would add nothing.
    fn start_script(&self, manifest: &Manifest, script: &str) -> Serving {
        let hooks = ["prestart", "poststart"]
            .iter()
            .any(|hook| manifest.script(hook).is_some());
        let command = if hooks || script.contains("npm_") {
            "npm start".to_owned()
        } else {
            shell::with_dependencies(script, self.project.depth())
        };
        self.server(command, format!("the start script is `{script}`"), "node")
    }

    fn server(&self, command: String, reason: String, framework: &'static str) -> Serving {
        self.project.server(command, reason, framework)
    }

    fn files(&self, output: String, kind: Option<Kind>, reason: String, framework: &'static str) -> Serving {
        let kind = kind.or(self.rule.map(|rule| rule.serve));
        self.project.files(output, kind, reason, framework)
    }
}
