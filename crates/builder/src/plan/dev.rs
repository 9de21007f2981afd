//! The plan of a development server: the project's own, over a directory that changes while it runs.
//!
//! Dependencies are installed as for a build; nothing is built. The command is the project's `dev` script where that is
//! plainly the framework's server, told where to listen; else the framework's own; else whatever the script is.

use std::collections::BTreeMap;

use model::failure::Code;
use model::plan::{Health, Serve, Service};
use model::{Failure, Plan, ServiceName};

use super::detect::{empty, read_project_file, root};
use super::javascript::{JavaScript, Manifest};
use super::language::{Commands, Decided, Language};
use super::project::Project;
use super::rules::{self, Develop, Manifests, Rule, Tongue};
use super::view::View;
use super::{limits, shell};
use crate::source::SourceFiles;

/// Compilers that stay in memory need more of it than what they compile.
const MEMORY_BYTES: u64 = 2 << 30;
/// Scripts that start development servers, in the order in which they are looked for.
const SCRIPTS: [&str; 4] = ["dev", "develop", "serve", "start"];
/// What a script says itself of where it listens; then nothing is added to it.
const OWN_PLACE: [&str; 5] = ["--port", "-p ", "--host", "-H ", "$"];
/// Said to every development server. Vite asks for the hosts by which it may be called.
const SURROUNDINGS: &str = "export NODE_ENV=development BROWSER=none; host=\"${CYGNI_URL#*://}\"; \
    export __VITE_ADDITIONAL_SERVER_ALLOWED_HOSTS=\"${host%%:*}\";";

/// Works out how to run the development server of `source`.
pub fn detect_dev(source: &dyn SourceFiles) -> Result<Plan, Failure> {
    let whole = View::new(source, "");
    empty(&whole)?;
    let file = read_project_file(&whole, "")?;
    let root = root(&whole, "", &file)?;
    let view = View::new(source, &root);
    let manifests = Manifests::new(&view);
    let Some(manifest) = manifests.javascript()? else {
        let message = "there is no package.json, and so no development server";
        return Err(Failure::new(Code::NoFramework, message)
            .hint("Run `cx up` without --dev: it follows every save as well."));
    };
    let matched = rules::choose(&view, &manifests)?;
    let rule = matched.as_ref().map(|found| found.rule);
    let rule = rule.filter(|rule| rule.toolchain.is_none() && rule.language == Tongue::Javascript);
    let project = Project {
        view: &view,
        file: &file,
        manifests: &manifests,
        procfile: None,
    };
    let language = JavaScript::new(&project, rule, manifest);
    let (command, reason) = command(manifest, rule)?;
    let mut reasons = BTreeMap::from([("serve".to_owned(), reason)]);
    let serve = Serve::Server {
        command: format!("{SURROUNDINGS} {command}"),
        port: None,
        health: Health::default(),
        // It writes to its directory, and its hot reload knows the state of one process.
        instances: 1,
    };
    let decided = Decided {
        build: None,
        serve: &serve,
    };
    let install = language.install(&decided)?.map(|install| {
        reasons.insert("install".to_owned(), install.reason);
        install.what
    });
    // The same as for a build, so that the installed layer is the same.
    let mut variables = rule.map_or_else(BTreeMap::new, |rule| rule.variables.clone());
    variables.extend(language.variables(install.is_some()));
    let toolchains = language.toolchains(&Commands::new(&install, &None, &serve))?;
    let toolchains = toolchains.map_or_else(Vec::new, |toolchains| {
        reasons.insert("toolchains".to_owned(), toolchains.reason);
        toolchains.what
    });
    let mut limits = limits::limits(&file);
    limits.memory_bytes = limits.memory_bytes.max(MEMORY_BYTES);
    Ok(Plan {
        framework: rule.map_or("node", |rule| rule.name.as_str()).to_owned(),
        root,
        toolchains,
        install,
        build: None,
        variables,
        services: vec![Service {
            name: ServiceName::web(),
            serve,
        }],
        limits,
        network: limits::network(&file),
        reasons,
    })
}

/// The command and why it is that.
fn command(manifest: &Manifest, rule: Option<&Rule>) -> Result<(String, String), Failure> {
    let scripts = || {
        SCRIPTS
            .iter()
            .filter_map(|name| Some((*name, manifest.script(name)?)))
    };
    if let Some((rule, develop)) = rule.and_then(|rule| Some((rule, rule.develop.as_ref()?))) {
        let plain = scripts().find(|(_, script)| is_server(script, &develop.command));
        if let Some((name, script)) = plain {
            let reason = format!(
                "the {name} script is the development server of {} (`{script}`)",
                rule.name
            );
            return Ok((run(script, develop), reason));
        }
        if manifest.script("dev").is_none() {
            let reason = format!("{} is developed so, and there is no dev script", rule.name);
            return Ok((run(&develop.command, develop), reason));
        }
    }
    if let Some(script) = manifest.script("dev") {
        let reason = format!("package.json has a dev script, `{script}`");
        return Ok(("exec npm run dev".to_owned(), reason));
    }
    let start = manifest.script("start").filter(|script| shell::is_plain(script));
    if let Some(program) = start.and_then(|script| script.strip_prefix("node ")) {
        let reason = "there is no dev script, so the start script is watched by Node".to_owned();
        return Ok((format!("exec node --watch {program}"), reason));
    }
    let message = "package.json has no dev script, and nothing else says how the project is developed";
    Err(Failure::new(Code::StartCommandMissing, message).hint(
        "Add a `dev` script to package.json, or run `cx up` without --dev: it follows every save as well.",
    ))
}

/// Whether `script` is nothing but the development server `command`, with options or without.
fn is_server(script: &str, command: &str) -> bool {
    let words: Vec<&str> = bare(script).split_whitespace().collect();
    let wanted: Vec<&str> = command.split_whitespace().collect();
    let options = words.strip_prefix(wanted.as_slice());
    shell::is_plain(bare(script))
        && options.is_some_and(|options| match options {
            [] => true,
            [first, ..] => first.starts_with('-') || (wanted.len() == 1 && ["dev", "serve"].contains(first)),
        })
}

/// A command without what is assigned before it.
fn bare(script: &str) -> &str {
    let program = shell::program(script);
    script.find(program).map_or(script, |at| &script[at..]).trim()
}

/// `script` told where to listen, unless it says so itself.
fn run(script: &str, develop: &Develop) -> String {
    let own = OWN_PLACE.iter().any(|option| script.contains(option));
    let flags = if own { "" } else { develop.flags.as_str() };
    let assigned = script.trim().strip_suffix(bare(script)).unwrap_or_default();
    let assigned = assigned.replace("cross-env", "").trim().to_owned();
    let variables = develop
        .variables
        .iter()
        .map(|(name, value)| format!("{name}={value}"));
    let all: Vec<String> = variables
        .chain(Some(assigned).filter(|text| !text.is_empty()))
        .collect();
    let env = if all.is_empty() {
        String::new()
    } else {
        format!("env {} ", all.join(" "))
    };
    format!("exec {env}{} {flags}", bare(script))
        .trim_end()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::DirectorySource;

    fn planned(manifest: &str) -> Result<(String, String), Failure> {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("package.json"), manifest).unwrap();
        std::fs::write(directory.path().join("server.js"), "").unwrap();
        let plan = detect_dev(&DirectorySource::walk(directory.path()).unwrap())?;
        assert_eq!(plan.build, None);
        let Serve::Server { command, .. } = &plan.services[0].serve else {
            panic!("a development server is a server");
        };
        let command = command.strip_prefix(SURROUNDINGS).unwrap().trim().to_owned();
        Ok((plan.framework, command))
    }

    #[test]
    fn frameworks_are_told_where_to_listen() {
        let vite = r#""devDependencies": {"vite": "7"}"#;
        let listen = "--host 0.0.0.0 --port $PORT --strictPort";
        let table = [
            (format!("{{{vite}}}"), "vite", format!("exec vite {listen}")),
            (
                format!(r#"{{{vite}, "scripts": {{"dev": "vite --open"}}}}"#),
                "vite",
                format!("exec vite --open {listen}"),
            ),
            (
                format!(r#"{{{vite}, "scripts": {{"dev": "A=1 vite dev"}}}}"#),
                "vite",
                format!("exec env A=1 vite dev {listen}"),
            ),
            (
                format!(r#"{{{vite}, "scripts": {{"dev": "vite --port 4000"}}}}"#),
                "vite",
                "exec vite --port 4000".to_owned(),
            ),
            (
                format!(r#"{{{vite}, "scripts": {{"dev": "tsc -w & vite", "start": "vite preview"}}}}"#),
                "vite",
                "exec npm run dev".to_owned(),
            ),
            (
                format!(r#"{{{vite}, "scripts": {{"start": "vite preview"}}}}"#),
                "vite",
                format!("exec vite {listen}"),
            ),
            (
                r#"{"dependencies": {"next": "15"}, "scripts": {"dev": "next dev --turbopack", "start": "next start"}}"#
                    .to_owned(),
                "nextjs",
                "exec next dev --turbopack -H 0.0.0.0 -p $PORT".to_owned(),
            ),
            (
                r#"{"dependencies": {"react-scripts": "5"}, "scripts": {"start": "react-scripts start"}}"#.to_owned(),
                "create-react-app",
                "exec env WDS_SOCKET_PORT=0 react-scripts start".to_owned(),
            ),
            (
                r#"{"scripts": {"dev": "webpack serve"}}"#.to_owned(),
                "node",
                "exec npm run dev".to_owned(),
            ),
            (
                r#"{"scripts": {"start": "node server.js --quiet"}}"#.to_owned(),
                "node",
                "exec node --watch server.js --quiet".to_owned(),
            ),
        ];
        for (manifest, framework, command) in table {
            assert_eq!(
                planned(&manifest).unwrap(),
                (framework.to_owned(), command),
                "{manifest}"
            );
        }
    }

    #[test]
    fn what_has_no_development_server_is_told_what_to_do() {
        let failure = planned(r#"{"scripts": {"start": "python3 x.py"}}"#).unwrap_err();
        assert!(failure.hint.contains("without --dev"), "{}", failure.hint);
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("index.html"), "").unwrap();
        let failure = detect_dev(&DirectorySource::walk(directory.path()).unwrap()).unwrap_err();
        assert!(failure.hint.contains("without --dev"), "{}", failure.hint);
    }
}
