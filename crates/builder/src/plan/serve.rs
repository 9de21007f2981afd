//! Files or a process: how a source is served, in the order in which one says beats another.

use model::Failure;
use model::failure::Code;
use model::plan::{Health, Serve};
use model::project_file::ProjectFile;

use super::manifest::Manifest;
use super::output::{Look, Served};
use super::rules::{Kind, Match, Rule};
use super::shell;
use super::view::{View, normalise};

/// How it is served and why.
pub(super) struct Serving {
    pub(super) serve: Serve,
    pub(super) reason: String,
    pub(super) variables: Vec<(&'static str, &'static str)>,
    /// The name of the rule where no framework gave one.
    pub(super) framework: &'static str,
}

/// Everything that has a say.
pub(super) struct Say<'a> {
    pub(super) file: &'a ProjectFile,
    pub(super) procfile: Option<&'a str>,
    pub(super) matched: Option<&'a Match>,
    pub(super) manifest: Option<&'a Manifest>,
    pub(super) view: &'a View<'a>,
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
        if let Some(command) = said(&self.file.run.command) {
            return Ok(self.server(command.trim().to_owned(), "cx.toml says so".to_owned(), "custom"));
        }
        if let Some(output) = &self.file.build.output {
            let output = normalise(output).unwrap_or_default();
            return Ok(self.files(output, None, "cx.toml says so".to_owned(), "custom"));
        }
        if let Some(command) = self.procfile {
            let command = match self.manifest {
                Some(_) => shell::with_dependencies(command, self.depth()),
                None => command.trim().to_owned(),
            };
            return Ok(self.server(command, "the Procfile has a web line".to_owned(), "procfile"));
        }
        match (self.matched, self.manifest) {
            (Some(found), Some(manifest)) => self.framework(found.rule, manifest),
            (_, Some(manifest)) => self.node(manifest),
            _ => self.plain_files().ok_or_else(nothing_found),
        }
    }

    fn framework(&self, rule: &Rule, manifest: &Manifest) -> Result<Serving, Failure> {
        let Served {
            kind,
            output,
            start,
            variables,
            reason,
        } = Look {
            view: self.view,
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
                    self.server(shell::with_dependencies(&start, self.depth()), why, "node")
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
    fn node(&self, manifest: &Manifest) -> Result<Serving, Failure> {
        if let Some(script) = manifest.script("start") {
            return Ok(self.start_script(manifest, script));
        }
        if let Some((entry, why)) = self.entry(manifest)? {
            return Ok(self.server(format!("node {entry}"), why, "node"));
        }
        if !self.build.is_empty() {
            let output =
                super::javascript::flag(self.build, &["--outDir", "--out-dir", "--outdir", "-o", "-d"]);
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
        self.plain_files().ok_or_else(|| {
            let what = "package.json has neither a start nor a build script, and there is no server.js or index.html";
            Failure::new(Code::StartCommandMissing, what)
        })
    }

    /// The program of a Node server without a start script. Beside an index.html, a script may be the page's own.
    fn entry(&self, manifest: &Manifest) -> Result<Option<(String, String)>, Failure> {
        let main = manifest.field("main").and_then(normalise);
        let main = main.filter(|main| main.ends_with("js") && self.view.has(main));
        let entries = ENTRIES
            .iter()
            .map(|name| (*name).to_owned())
            .filter(|name| self.view.has(name));
        let first = main.clone().into_iter().chain(entries);
        for entry in first {
            let text = self.view.text(&entry)?.unwrap_or_default();
            let serves = ["listen(", "createServer", ".serve("]
                .iter()
                .any(|call| text.contains(call));
            let ambiguous = self.view.has("index.html") || !self.build.is_empty();
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

    /// Files that need no build.
    fn plain_files(&self) -> Option<Serving> {
        let staticfile = self.view.text("Staticfile").ok().flatten();
        let root = staticfile.as_deref().and_then(|text| {
            text.lines()
                .find_map(|line| line.strip_prefix("root:"))
                .map(str::trim)
                .and_then(normalise)
        });
        if let Some(root) = root {
            return Some(self.files(root, None, "the Staticfile says so".to_owned(), "static"));
        }
        let places = [
            "", "public", "dist", "build", "out", "_site", "www", "site", "docs",
        ];
        let place = places
            .into_iter()
            .find(|place| self.view.has(&super::view::join(place, "index.html")))?;
        let why = match place {
            "" => "index.html is there".to_owned(),
            place => format!("{place}/index.html is there"),
        };
        Some(self.files(place.to_owned(), None, why, "static"))
    }

    /// The start script, without npm between it and its signals where npm would add nothing.
    fn start_script(&self, manifest: &Manifest, script: &str) -> Serving {
        let hooks = ["prestart", "poststart"]
            .iter()
            .any(|hook| manifest.script(hook).is_some());
        let command = if hooks || script.contains("npm_") {
            "npm start".to_owned()
        } else {
            shell::with_dependencies(script, self.depth())
        };
        self.server(command, format!("the start script is `{script}`"), "node")
    }

    fn server(&self, command: String, reason: String, framework: &'static str) -> Serving {
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
        };
        Serving {
            serve,
            reason,
            variables: Vec::new(),
            framework,
        }
    }

    fn files(&self, output: String, kind: Option<Kind>, reason: String, framework: &'static str) -> Serving {
        let kind = kind.or(self.matched.map(|found| found.rule.serve));
        let spa = self.file.run.spa.unwrap_or(kind == Some(Kind::Spa));
        Serving {
            serve: Serve::Static { output, spa },
            reason,
            variables: Vec::new(),
            framework,
        }
    }

    fn depth(&self) -> usize {
        let root = self.view.root();
        if root.is_empty() {
            0
        } else {
            root.matches('/').count() + 1
        }
    }
}

/// A text of cx.toml that says something.
pub(super) fn said(text: &Option<String>) -> Option<&str> {
    text.as_deref().map(str::trim).filter(|text| !text.is_empty())
}

fn nothing_found() -> Failure {
    let message = "nothing in the source says how to serve it: no index.html, package.json, Procfile or cx.toml command";
    Failure::new(Code::NoFramework, message)
}
