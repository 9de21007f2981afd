//! Where a framework's build writes, and whether that is files or a server, where its configuration decides.

use model::Failure;
use model::failure::Code;

use super::look::{flag, is, literal};
use super::manifest::Manifest;
use crate::plan::rules::{Kind, Rule, expand};
use crate::plan::view::{View, join, normalise};

/// How a matched rule is served after a look at the configuration.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Served {
    pub(super) kind: Kind,
    pub(super) output: String,
    pub(super) start: Option<String>,
    /// Variables beside those of the rule.
    pub(super) variables: Vec<(&'static str, &'static str)>,
    pub(super) reason: String,
}

/// What decides: the files, the manifest, and the command that builds.
pub(super) struct Look<'a> {
    pub(super) view: &'a View<'a>,
    pub(super) manifest: &'a Manifest,
    pub(super) build: &'a str,
}

impl Look<'_> {
    /// How `rule` is served here.
    pub(super) fn served(&self, rule: &Rule) -> Result<Served, Failure> {
        let plain = Served {
            kind: rule.serve,
            output: rule.output.clone(),
            start: rule.start.clone(),
            variables: Vec::new(),
            reason: format!("{} writes there", rule.name),
        };
        match rule.name.as_str() {
            "vite" => self.vite(plain),
            "nextjs" | "blitzjs" => self.next(plain),
            "astro" => self.astro(plain),
            "sveltekit" => self.sveltekit(plain),
            "react-router" => self.react_router(plain),
            "nuxt" => Ok(self.nuxt(plain)),
            "tanstack-start" => Ok(self.tanstack(plain)),
            "angular" | "ionic-angular" => self.angular(plain),
            "vitepress" => Ok(self.docs(plain, "vitepress build", ".vitepress/dist")),
            "vuepress" => Ok(self.docs(plain, "vuepress build", ".vuepress/dist")),
            "vue-cli" => self.configured(plain, "vue.config.{js,cjs,mjs,ts}", "outputDir", &["--dest"]),
            "parcel" => self.configured(plain, "", "", &["--dist-dir", "-d", "--out-dir"]),
            "eleventy" => self.configured(
                plain,
                "{.eleventy.js,eleventy.config.js,eleventy.config.mjs}",
                "output",
                &["--output"],
            ),
            "docusaurus" | "gridsome" | "storybook" => {
                self.configured(plain, "", "", &["--out-dir", "--output-dir", "-o"])
            }
            _ => Ok(plain),
        }
    }

    /// The text of the first file of a pattern that is there, with its path.
    fn config(&self, pattern: &str) -> Result<Option<(String, String)>, Failure> {
        for path in expand(pattern) {
            if let Some(text) = self.view.text(&path)? {
                return Ok(Some((path, text)));
            }
        }
        Ok(None)
    }

    /// A flag of the build command, else a key of a configuration file, else the default.
    fn configured(
        &self,
        mut served: Served,
        pattern: &str,
        key: &str,
        flags: &[&str],
    ) -> Result<Served, Failure> {
        if let Some(dir) = flag(self.build, flags).and_then(normalise) {
            served.reason = format!("the build command says {dir}");
            served.output = dir;
        } else if let Some((path, text)) = self.config(pattern)?
            && let Some(dir) = literal(&text, key).and_then(normalise)
        {
            served.reason = format!("{path} sets {key}");
            served.output = dir;
        }
        Ok(served)
    }

    fn vite(&self, mut served: Served) -> Result<Served, Failure> {
        let config = self.config("vite.config.{ts,js,mts,mjs,cts,cjs}")?;
        let (path, text) = config.unwrap_or_default();
        // Vite takes outDir relative to its own root.
        let root = literal(&text, "root").and_then(normalise).unwrap_or_default();
        let said = flag(self.build, &["--outDir"]);
        let configured = literal(&text, "outDir");
        let dir = said.or(configured).unwrap_or("dist");
        if let Some(dir) = normalise(&join(&root, dir)) {
            served.output = dir;
        }
        if said.is_some() {
            served.reason = "the build command sets --outDir".to_owned();
        } else if configured.is_some() || !root.is_empty() {
            served.reason = format!("{path} sets it");
        }
        Ok(served)
    }

    fn next(&self, mut served: Served) -> Result<Served, Failure> {
        let config = self.config("next.config.{js,mjs,ts,cjs}")?;
        let Some((path, text)) = config.filter(|(_, text)| literal(text, "output") == Some("export")) else {
            return Ok(served);
        };
        served.kind = Kind::Static;
        served.output = literal(&text, "distDir")
            .and_then(normalise)
            .unwrap_or_else(|| "out".to_owned());
        served.reason = format!("{path} sets output to export");
        Ok(served)
    }

    fn astro(&self, mut served: Served) -> Result<Served, Failure> {
        let (path, text) = self
            .config("astro.config.{mjs,ts,js,mts,cjs}")?
            .unwrap_or_default();
        let adapters = [
            "@astrojs/vercel",
            "@astrojs/netlify",
            "@astrojs/cloudflare",
            "@deno/astro-adapter",
        ];
        let foreign = adapters
            .into_iter()
            .find(|name| self.manifest.depends_on(name) && text.contains(name));
        if text.contains("@astrojs/node") {
            served.kind = Kind::Server;
            served.variables = vec![("HOST", "0.0.0.0")];
            served.reason = format!("{path} uses the adapter @astrojs/node");
        } else if is(&text, "output", "'server'") || is(&text, "output", "\"server\"") {
            let used = foreign.unwrap_or("no adapter");
            return Err(no_adapter(
                &format!("{path} renders on the server with {used}"),
                "@astrojs/node",
            ));
        } else if let Some(dir) = literal(&text, "outDir").and_then(normalise) {
            served.output = dir;
            served.reason = format!("{path} sets outDir");
        }
        Ok(served)
    }

    fn sveltekit(&self, mut served: Served) -> Result<Served, Failure> {
        let (path, text) = self
            .config("{svelte.config.js,svelte.config.ts,vite.config.ts,vite.config.js}")?
            .unwrap_or_default();
        if text.contains("@sveltejs/adapter-static") {
            let spa = literal(&text, "fallback").is_some();
            served.kind = if spa { Kind::Spa } else { Kind::Static };
            served.output = literal(&text, "pages")
                .and_then(normalise)
                .unwrap_or_else(|| "build".to_owned());
            served.reason = format!("{path} uses adapter-static");
        } else if text.contains("@sveltejs/adapter-node") {
            let out = literal(&text, "out")
                .and_then(normalise)
                .unwrap_or_else(|| "build".to_owned());
            served.start = Some(format!("node {out}"));
            served.reason = format!("{path} uses adapter-node");
        } else if text.contains("@sveltejs/adapter-vercel")
            || text.contains("@sveltejs/adapter-netlify")
            || text.contains("@sveltejs/adapter-cloudflare")
        {
            return Err(no_adapter(
                &format!("{path} uses an adapter for another host"),
                "@sveltejs/adapter-node",
            ));
        } else {
            // adapter-auto picks adapter-node where it believes to be on that platform.
            served.variables = vec![("GCP_BUILDPACKS", "true")];
            served.reason = "adapter-auto is told to use adapter-node".to_owned();
        }
        Ok(served)
    }

    fn react_router(&self, mut served: Served) -> Result<Served, Failure> {
        let config = self.config("react-router.config.{ts,js,mts,mjs}")?;
        if let Some((path, text)) = config
            && is(&text, "ssr", "false")
        {
            served.kind = Kind::Spa;
            let dir = literal(&text, "buildDirectory").and_then(normalise);
            served.output = join(dir.as_deref().unwrap_or("build"), "client");
            served.reason = format!("{path} sets ssr to false");
        }
        Ok(served)
    }

    fn nuxt(&self, mut served: Served) -> Served {
        if self.build.contains("generate") {
            served.kind = Kind::Static;
            served.reason = "the build command generates static files".to_owned();
        }
        served
    }

    fn tanstack(&self, mut served: Served) -> Served {
        let nitro = ["nitro", "nitropack", "@tanstack/nitro-v2-vite-plugin"];
        let vinxi = self.build.contains("vinxi");
        if !vinxi && !nitro.iter().any(|name| self.manifest.depends_on(name)) {
            served.start = Some("npx --yes srvx --prod -s ../client dist/server/server.js".to_owned());
        }
        served
    }

    /// Documentation tools take the directory of the pages as an argument: `vitepress build docs`.
    fn docs(&self, mut served: Served, command: &str, inside: &str) -> Served {
        let Some((_, rest)) = self.build.split_once(command) else {
            return served;
        };
        let dir = rest
            .split_whitespace()
            .next()
            .filter(|word| word.bytes().all(is_path_byte) && !word.starts_with('-'));
        if let Some(dir) = normalise(&join(dir.unwrap_or(""), inside)) {
            served.reason = format!("the build command is `{}`", self.build);
            served.output = dir;
        }
        served
    }

    fn angular(&self, mut served: Served) -> Result<Served, Failure> {
        let Some(text) = self.view.text("angular.json")? else {
            return Ok(served);
        };
        let Ok(json) = serde_json::from_str::<serde_json::Value>(&text) else {
            return Ok(served);
        };
        let Some(projects) = json["projects"].as_object() else {
            return Ok(served);
        };
        let default = json["defaultProject"].as_str();
        let chosen = default
            .and_then(|name| projects.get_key_value(name))
            .or_else(|| projects.iter().next());
        let Some((name, project)) = chosen else {
            return Ok(served);
        };
        let targets = if project["architect"].is_object() {
            &project["architect"]
        } else {
            &project["targets"]
        };
        let path = &targets["build"]["options"]["outputPath"];
        let base = path.as_str().or_else(|| path["base"].as_str());
        let base = base.map_or_else(|| format!("dist/{name}"), str::to_owned);
        let applies = targets["build"]["builder"]
            .as_str()
            .is_some_and(|builder| builder.ends_with(":application"));
        let browser = if applies {
            path["browser"].as_str().unwrap_or("browser")
        } else {
            ""
        };
        if let Some(dir) = normalise(&join(&base, browser)) {
            served.output = dir;
            served.reason = "angular.json says so".to_owned();
        }
        Ok(served)
    }
}

fn is_path_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'/' | b'_' | b'-')
}

fn no_adapter(what: &str, wanted: &str) -> Failure {
    Failure::new(
        Code::StartCommandMissing,
        format!("{what}, which gives nothing that can be started here"),
    )
    .hint(format!(
        "Use the adapter {wanted}, or set `[run] command` in cx.toml."
    ))
}
