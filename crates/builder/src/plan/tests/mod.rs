//! Plans of many small sources, as one line each.

mod compiled;
mod instances;
mod python;
mod servers;
mod static_sites;

use std::collections::BTreeMap;
use std::io;

use model::Failure;
use model::failure::Code;
use model::plan::{Plan, Serve};

use super::detect_in;
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
    plan_in(files, "")
}

fn plan_in(files: &[(&str, &str)], directory: &str) -> Result<Plan, Failure> {
    let texts: BTreeMap<String, String> = files
        .iter()
        .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
        .collect();
    let files = Files {
        paths: texts.keys().cloned().collect(),
        texts,
    };
    detect_in(&files, directory)
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
