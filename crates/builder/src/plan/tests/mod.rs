//! Plans of many small sources, as one line each.

mod compiled;
mod instances;
mod python;

use std::collections::BTreeMap;
use std::io;

use model::Failure;
use model::failure::Code;
use model::plan::{Plan, Serve};

use super::detect;
use crate::source::SourceFiles;

/// Paths and texts.
type Texts<'a> = &'a [(&'a str, &'a str)];

/// A source in memory.
struct Files {
    paths: Vec<String>,
    texts: BTreeMap<String, String>,
}

impl SourceFiles for Files {
    fn paths(&self) -> &[String] {
        &self.paths
    }

    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        let text = self.texts.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(text.clone().into_bytes())
    }
}

fn plan(files: &[(&str, &str)]) -> Result<Plan, Failure> {
    let texts: BTreeMap<String, String> = files
        .iter()
        .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
        .collect();
    detect(&Files {
        paths: texts.keys().cloned().collect(),
        texts,
    })
}

/// `framework | install | build | how it is served`.
fn line(plan: &Plan) -> String {
    let step = |step: &Option<model::plan::Step>| {
        let command = step.as_ref().map_or("-", |step| &step.command);
        command.replace(" --replace-registry-host=always", "")
    };
    let serve = match &plan.services[0].serve {
        Serve::Static { output, spa } => format!("{}:{output}", if *spa { "spa" } else { "static" }),
        Serve::Server { command, port, .. } => {
            let command = command.replace("export PATH=\"$PWD/node_modules/.bin:$PATH\"; ", "+bin ");
            format!(
                "{command}{}",
                port.map_or(String::new(), |port| format!(" on {port}"))
            )
        }
    };
    format!(
        "{} | {} | {} | {serve}",
        plan.framework,
        step(&plan.install),
        step(&plan.build)
    )
}

fn check(files: &[(&str, &str)], expected: &str) {
    let plan = plan(files).unwrap_or_else(|failure| panic!("{files:?}: {failure:?}"));
    assert_eq!(line(&plan), expected, "{files:?}");
    for field in ["serve", "build", "install"] {
        let there = match field {
            "build" => plan.build.is_some(),
            "install" => plan.install.is_some(),
            _ => true,
        };
        assert!(
            !there || plan.reasons.contains_key(field),
            "{field} of {files:?} has no reason"
        );
    }
}

fn package(scripts: &str, dependencies: &str) -> String {
    format!(r#"{{"scripts": {{{scripts}}}, "dependencies": {{{dependencies}}}}}"#)
}

#[test]
fn static_files() {
    check(&[("index.html", "")], "static | - | - | static:");
    check(
        &[("public/index.html", ""), ("README.md", "")],
        "static | - | - | static:public",
    );
    check(
        &[("dist/index.html", ""), ("src/x.ts", "")],
        "static | - | - | static:dist",
    );
    check(
        &[("Staticfile", "root: site\n"), ("site/a.html", "")],
        "static | - | - | static:site",
    );
    check(
        &[("index.html", ""), ("package.json", "{}")],
        "static | - | - | static:",
    );
    let own_script = [
        ("index.html", ""),
        ("index.js", "document.title"),
        ("package.json", r#"{"main": "index.js"}"#),
    ];
    check(&own_script, "static | - | - | static:");
}

#[test]
fn static_sites_with_a_build() {
    let table = [
        (
            r#""build": "vite build""#,
            r#""vite": "7""#,
            "vite | npm ci | npm run build | spa:dist",
        ),
        (
            r#""build": "tsc && vite build --outDir www""#,
            r#""vite": "7""#,
            "vite | npm ci | npm run build | spa:www",
        ),
        ("", r#""vite": "7""#, "vite | npm ci | vite build | spa:dist"),
        (
            r#""build": "astro build", "start": "astro dev""#,
            r#""astro": "5""#,
            "astro | npm ci | npm run build | static:dist",
        ),
        (
            r#""build": "astro build""#,
            r#""astro": "5", "vite": "7""#,
            "astro | npm ci | npm run build | static:dist",
        ),
        (
            "",
            r#""@11ty/eleventy": "3""#,
            "eleventy | npm ci | eleventy | static:_site",
        ),
        (
            r#""build": "eleventy --output=public""#,
            r#""@11ty/eleventy": "3""#,
            "eleventy | npm ci | npm run build | static:public",
        ),
        (
            r#""docs:build": "x", "build": "vitepress build""#,
            r#""vitepress": "1""#,
            "vitepress | npm ci | npm run build | static:.vitepress/dist",
        ),
        (
            "",
            r#""vitepress": "1""#,
            "vitepress | npm ci | vitepress build docs | static:docs/.vitepress/dist",
        ),
        (
            r#""start": "docusaurus start", "build": "docusaurus build""#,
            r#""@docusaurus/core": "3""#,
            "docusaurus | npm ci | npm run build | static:build",
        ),
        (
            r#""start": "gatsby develop", "build": "gatsby build""#,
            r#""gatsby": "5""#,
            "gatsby | npm ci | npm run build | static:public",
        ),
        (
            r#""start": "react-scripts start", "build": "react-scripts build""#,
            r#""react-scripts": "5""#,
            "create-react-app | npm ci | npm run build | spa:build",
        ),
        (
            r#""start": "ng serve", "build": "ng build""#,
            r#""@angular/cli": "19""#,
            "angular | npm ci | npm run build | spa:dist",
        ),
        (
            r#""serve": "vue-cli-service serve""#,
            r#""@vue/cli-service": "5""#,
            "vue-cli | npm ci | vue-cli-service build | spa:dist",
        ),
        (
            r#""start": "parcel", "build": "parcel build --dist-dir out""#,
            r#""parcel": "2""#,
            "parcel | npm ci | npm run build | spa:out",
        ),
        (
            r#""build": "node build.js""#,
            r#""marked": "1""#,
            "build-script | npm ci | npm run build | static:dist",
        ),
        (
            r#""build": "esbuild a.ts --outdir=www""#,
            r#""esbuild": "1""#,
            "build-script | npm ci | npm run build | static:www",
        ),
        (
            r#""build": "vite build", "storybook": "x""#,
            r#""vite": "7", "storybook": "8""#,
            "vite | npm ci | npm run build | spa:dist",
        ),
    ];
    for (scripts, dependencies, expected) in table {
        let manifest = package(scripts, dependencies);
        check(
            &[
                ("package.json", &manifest),
                ("package-lock.json", "{}"),
                ("index.html", ""),
            ],
            expected,
        );
    }
}

#[test]
fn configuration_decides_where_a_build_writes() {
    let vite = package(r#""build": "vite build""#, r#""vite": "7""#);
    let table = [
        ("export default { build: { outDir: 'www' } }", "spa:www"),
        (
            "export default { root: 'src', build: { outDir: '../out' } }",
            "spa:out",
        ),
        ("export default { root: 'src' }", "spa:src/dist"),
        ("export default { build: { outDir: process.env.X } }", "spa:dist"),
    ];
    for (config, serve) in table {
        let expected = format!("vite | npm install | npm run build | {serve}");
        check(&[("package.json", &vite), ("vite.config.ts", config)], &expected);
    }
    let angular = package(r#""build": "ng build""#, r#""@angular/cli": "19""#);
    let builder = "@angular-devkit/build-angular:application";
    let config = format!(
        r#"{{"projects": {{"shop": {{"architect": {{"build": {{"builder": "{builder}", "options": {{"outputPath": "dist/shop"}}}}}}}}}}}}"#
    );
    let expected = "angular | npm install | npm run build | spa:dist/shop/browser";
    check(&[("package.json", &angular), ("angular.json", &config)], expected);
}

#[test]
fn node_servers() {
    let table = [
        (
            r#""start": "node server.js""#,
            r#""express": "5""#,
            "node | npm ci | - | node server.js",
        ),
        (
            r#""start": "tsx src/server.ts""#,
            r#""tsx": "4""#,
            "node | npm ci | - | +bin exec tsx src/server.ts",
        ),
        (
            r#""start": "node a.js", "prestart": "node b.js""#,
            r#""a": "1""#,
            "node | npm ci | - | npm start",
        ),
        (
            r#""start": "node dist/main.js", "build": "tsc""#,
            r#""a": "1""#,
            "node | npm ci | npm run build | node dist/main.js",
        ),
        (
            r#""build": "vite build", "start": "node server.js""#,
            r#""vite": "7", "express": "5""#,
            "vite | npm ci | npm run build | node server.js",
        ),
        ("", r#""express": "5""#, "node | npm ci | - | node index.js"),
    ];
    for (scripts, dependencies, expected) in table {
        let manifest = package(scripts, dependencies);
        check(
            &[
                ("package.json", &manifest),
                ("package-lock.json", "{}"),
                ("index.js", "app.listen(3000)"),
            ],
            expected,
        );
    }
    check(
        &[("package.json", r#"{"scripts": {"start": "node x.js"}}"#)],
        "node | - | - | node x.js",
    );
    check(
        &[("package.json", r#"{"main": "./app.mjs"}"#), ("app.mjs", "")],
        "node | - | - | node app.mjs",
    );
}

#[test]
fn rendering_frameworks_beat_lying_start_scripts() {
    let table = [
        (
            r#""start": "next dev", "build": "next build""#,
            r#""next": "15""#,
            "nextjs | npm ci | npm run build | +bin exec next start",
        ),
        (
            r#""start": "next start -p 4000""#,
            r#""next": "15""#,
            "nextjs | npm ci | next build | +bin exec next start -p 4000",
        ),
        (
            r#""start": "node server.js""#,
            r#""next": "15""#,
            "nextjs | npm ci | next build | node server.js",
        ),
        (
            r#""start": "nuxt dev", "build": "nuxt build""#,
            r#""nuxt": "3""#,
            "nuxt | npm ci | npm run build | node .output/server/index.mjs",
        ),
        (
            r#""build": "nuxt generate""#,
            r#""nuxt": "3""#,
            "nuxt | npm ci | npm run build | static:.output/public",
        ),
        (
            r#""start": "nest start", "build": "nest build""#,
            r#""@nestjs/core": "11""#,
            "nestjs | npm ci | npm run build | node dist/main",
        ),
        (
            r#""start": "vite preview""#,
            r#""@sveltejs/kit": "2", "vite": "7""#,
            "sveltekit | npm ci | vite build | node build",
        ),
        (
            r#""build": "nitro build""#,
            r#""nitropack": "2""#,
            "nitro | npm ci | npm run build | node .output/server/index.mjs",
        ),
    ];
    for (scripts, dependencies, expected) in table {
        let manifest = package(scripts, dependencies);
        check(
            &[("package.json", &manifest), ("package-lock.json", "{}")],
            expected,
        );
    }
}

#[test]
fn configuration_decides_between_files_and_a_server() {
    let next = package(
        r#""build": "next build", "start": "next start""#,
        r#""next": "15""#,
    );
    let files = [
        ("package.json", next.as_str()),
        ("next.config.ts", "const c = { output: 'export' }"),
    ];
    check(&files, "nextjs | npm install | npm run build | static:out");
    let astro = package(
        r#""build": "astro build""#,
        r#""astro": "5", "@astrojs/node": "9""#,
    );
    let config = "import node from '@astrojs/node'; export default { output: 'server', adapter: node() }";
    let files = [("package.json", astro.as_str()), ("astro.config.mjs", config)];
    check(
        &files,
        "astro | npm install | npm run build | node ./dist/server/entry.mjs",
    );
    let kit = package("", r#""@sveltejs/kit": "2", "@sveltejs/adapter-static": "3""#);
    let config = "import adapter from '@sveltejs/adapter-static'; adapter({ fallback: '200.html' })";
    let files = [("package.json", kit.as_str()), ("svelte.config.js", config)];
    check(&files, "sveltekit | npm install | vite build | spa:build");
    let router = package(
        r#""build": "react-router build", "start": "react-router-serve x""#,
        r#""@react-router/dev": "7""#,
    );
    let files = [
        ("package.json", router.as_str()),
        ("react-router.config.ts", "export default { ssr: false }"),
    ];
    check(
        &files,
        "react-router | npm install | npm run build | spa:build/client",
    );
    let foreign = package("", r#""@sveltejs/kit": "2""#);
    let files = [
        ("package.json", foreign.as_str()),
        ("svelte.config.js", "import a from '@sveltejs/adapter-vercel'"),
    ];
    assert_eq!(plan(&files).unwrap_err().code, Code::StartCommandMissing);
}

#[test]
fn the_project_file_beats_all() {
    let next = package(r#""build": "next build""#, r#""next": "15""#);
    let file = "[build]\ninstall = \"\"\ncommand = \"make\"\n[run]\ncommand = \"./serve --x\"\nport = 9000\n";
    let files = [
        ("package.json", next.as_str()),
        ("cx.toml", file),
        ("Procfile", "web: nope"),
    ];
    check(&files, "nextjs | - | make | ./serve --x on 9000");
    check(
        &[("a.py", ""), ("cx.toml", "[run]\ncommand = \"python3 a.py\"\n")],
        "custom | - | - | python3 a.py",
    );
    check(
        &[
            ("a", ""),
            (
                "cx.toml",
                "[build]\ncommand = \"sh b.sh\"\noutput = \"out/\"\n[run]\nspa = true\n",
            ),
        ],
        "custom | - | sh b.sh | spa:out",
    );
    let plan = plan(&[
        ("index.html", ""),
        (
            "cx.toml",
            "[limits]\ncpu = 0.5\ntimeout = \"90s\"\n[network]\nrun = \"none\"",
        ),
    ]);
    let plan = plan.unwrap();
    assert_eq!((plan.limits.cpu_millis, plan.limits.build_seconds_max), (500, 90));
    assert_eq!(plan.network.run, model::network::Egress::None);
}

#[test]
fn a_procfile_beats_start_commands() {
    let manifest = package(r#""start": "node a.js""#, r#""express": "5""#);
    let files = [
        ("package.json", manifest.as_str()),
        ("Procfile", "release: x\nweb: node b.js\n"),
    ];
    check(&files, "procfile | npm install | - | node b.js");
    check(
        &[
            ("requirements.txt", "flask"),
            ("Procfile", "web: gunicorn a:b --bind :$PORT"),
        ],
        "flask | uv venv --seed --clear .venv && uv pip install --python .venv -r requirements.txt | - | gunicorn a:b --bind :$PORT",
    );
}

#[test]
fn a_root_is_a_directory_of_the_source() {
    let manifest = package(r#""build": "vite build""#, r#""vite": "7""#);
    let files = [
        ("cx.toml", "root = \"apps/web\""),
        ("apps/web/package.json", manifest.as_str()),
        ("package-lock.json", "{}"),
        (".nvmrc", "lts/iron\n"),
    ];
    check(&files, "vite | npm ci | npm run build | spa:dist");
    let plan = plan(&files).unwrap();
    assert_eq!(plan.root, "apps/web");
    assert_eq!(plan.toolchains[0].version, "20");
    assert_eq!(
        plan.reasons["install"],
        "npm ci, because package-lock.json is there"
    );
    assert_eq!(plan.reasons["toolchains"], ".nvmrc asks for Node lts/iron");
}

#[test]
fn versions_are_asked_for() {
    let manifest = r#"{"engines": {"node": ">=18 <23"}, "packageManager": "npm@10.9.0", "scripts": {"start": "node a"}}"#;
    let plan = plan(&[("package.json", manifest), (".nvmrc", "16")]).unwrap();
    let asked: Vec<(&str, &str)> = plan
        .toolchains
        .iter()
        .map(|toolchain| (toolchain.name.as_str(), toolchain.version.as_str()))
        .collect();
    assert_eq!(asked, [("node", ">=18 <23"), ("npm", "10.9.0")]);
}

#[test]
fn what_cannot_be_served_says_what_to_do() {
    let yarn = package(r#""build": "vite build""#, r#""vite": "7""#);
    let table: [(Texts, Code, &str); 9] = [
        (&[], Code::EmptySource, "the source holds no files"),
        (
            &[("README.md", "")],
            Code::NoFramework,
            "nothing in the source says",
        ),
        (
            &[("cx.toml", "root = \"web\"")],
            Code::RootMissing,
            "the root `web` of cx.toml",
        ),
        (
            &[("cx.toml", "rot = \"web\"")],
            Code::InvalidProjectFile,
            "cx.toml:1:1: unknown field `rot`",
        ),
        (
            &[("package.json", "{,}")],
            Code::InvalidManifest,
            "package.json:1:2:",
        ),
        (
            &[("package.json", "{}")],
            Code::StartCommandMissing,
            "package.json has neither",
        ),
        (
            &[("package.json", &yarn), ("yarn.lock", "")],
            Code::ToolchainUnavailable,
            "the project is installed with yarn",
        ),
        (
            &[("requirements.txt", "flask")],
            Code::StartCommandMissing,
            "nothing in the Python project says how it starts",
        ),
        (
            &[("hugo.toml", "")],
            Code::ToolchainUnavailable,
            "the source needs hugo",
        ),
    ];
    for (files, code, start) in table {
        let failure = plan(files).unwrap_err();
        assert_eq!(failure.code, code, "{files:?}");
        assert!(failure.message.starts_with(start), "{}", failure.message);
    }
    check(
        &[
            ("package.json", &yarn),
            ("yarn.lock", ""),
            ("cx.toml", "[build]\ninstall = \"npx --yes yarn\""),
        ],
        "vite | npx --yes yarn | npm run build | spa:dist",
    );
}
