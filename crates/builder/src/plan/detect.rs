//! The whole way from a source to its plan.

use std::collections::BTreeMap;

use model::failure::{Code, Location};
use model::plan::{Serve, Service, Step};
use model::project_file::{self, ProjectFile};
use model::{Failure, Plan, ServiceName};

use super::manifest::Manifest;
use super::rules::{self, Match};
use super::serve::{Say, Serving, said};
use super::view::{View, join, normalise};
use super::{limits, manager, node};
use crate::source::SourceFiles;

/// What npm is told, so that an install fetches what builds need and nothing else.
pub(super) const INSTALL_VARIABLES: [(&str, &str); 3] = [
    ("CYPRESS_INSTALL_BINARY", "0"),
    ("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1"),
    ("PUPPETEER_SKIP_DOWNLOAD", "1"),
];

/// Works out how to build and serve `source`.
pub fn detect(source: &dyn SourceFiles) -> Result<Plan, Failure> {
    let whole = View::new(source, "");
    empty(&whole)?;
    let file = read_project_file(&whole)?;
    let root = root(&whole, &file)?;
    let view = View::new(source, &root);
    let manifest = manifest(&view)?;
    let procfile = procfile(&view)?;
    let matched = matched(&view, manifest.as_ref(), &file, procfile.as_deref())?;
    let mut reasons = BTreeMap::new();

    let build = build(&file, manifest.as_ref(), matched.as_ref(), &mut reasons);
    let text = build_text(build.as_ref(), manifest.as_ref());
    let say = Say {
        file: &file,
        procfile: procfile.as_deref(),
        matched: matched.as_ref(),
        manifest: manifest.as_ref(),
        view: &view,
        build: text,
    };
    let Serving {
        serve,
        reason,
        variables: more,
        framework,
    } = say.serving()?;
    reasons.insert("serve".to_owned(), reason);
    let install = install(
        &view,
        &file,
        manifest.as_ref(),
        (build.as_ref(), &serve),
        &mut reasons,
    )?;
    let mut variables = variables(matched.as_ref(), &more);
    if manifest.is_some() && install.is_some() {
        variables.extend(INSTALL_VARIABLES.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
    let toolchains = node::toolchains(
        &view,
        manifest.as_ref(),
        &commands(&install, &build, &serve),
        &mut reasons,
    )?;
    explain(&file, &root, matched.as_ref(), &mut reasons);
    Ok(Plan {
        framework: matched
            .map_or(framework, |found| found.rule.name.as_str())
            .to_owned(),
        root,
        toolchains,
        install,
        build,
        variables,
        services: vec![Service {
            name: ServiceName::web(),
            serve,
        }],
        limits: limits::limits(&file),
        network: limits::network(&file),
        reasons,
    })
}

/// Reads the cx.toml of `source`; a source without one says nothing.
pub fn project_file(source: &dyn SourceFiles) -> Result<ProjectFile, Failure> {
    read_project_file(&View::new(source, ""))
}

/// Refuses a source without files.
pub(super) fn empty(whole: &View<'_>) -> Result<(), Failure> {
    match whole.is_empty() {
        true => Err(Failure::new(Code::EmptySource, "the source holds no files")),
        false => Ok(()),
    }
}

pub(super) fn read_project_file(whole: &View<'_>) -> Result<ProjectFile, Failure> {
    let Some(text) = whole.text_in_source(project_file::FILE_NAME)? else {
        return Ok(ProjectFile::default());
    };
    ProjectFile::parse(&text).map_err(|error| {
        let place = Location::at(project_file::FILE_NAME, error.line, error.column);
        Failure::new(Code::InvalidProjectFile, error.to_string()).location(place)
    })
}

pub(super) fn root(whole: &View<'_>, file: &ProjectFile) -> Result<String, Failure> {
    let Some(root) = said(&file.root)
        .and_then(normalise)
        .filter(|root| !root.is_empty())
    else {
        return Ok(String::new());
    };
    if whole.has_directory_in_source(&root) {
        return Ok(root);
    }
    Err(Failure::new(
        Code::RootMissing,
        format!("the root `{root}` of cx.toml is not a directory of the source"),
    ))
}

pub(super) fn manifest(view: &View<'_>) -> Result<Option<Manifest>, Failure> {
    let text = view.text("package.json")?;
    text.map(|text| Manifest::parse(&join(view.root(), "package.json"), &text))
        .transpose()
}

/// The command of a Procfile's `web` line.
fn procfile(view: &View<'_>) -> Result<Option<String>, Failure> {
    let Some(text) = view.text("Procfile")? else {
        return Ok(None);
    };
    let web = text.lines().find_map(|line| line.trim().strip_prefix("web:"));
    Ok(web
        .map(str::trim)
        .filter(|command| !command.is_empty())
        .map(str::to_owned))
}

/// The rule that wins. One that needs a toolchain that cannot be had is an error, unless commands are given, or
/// package.json says enough.
fn matched(
    view: &View<'_>,
    manifest: Option<&Manifest>,
    file: &ProjectFile,
    procfile: Option<&str>,
) -> Result<Option<Match>, Failure> {
    let Some(found) = rules::choose(view, manifest)? else {
        return Ok(None);
    };
    let Some(toolchain) = &found.rule.toolchain else {
        return Ok(Some(found));
    };
    let told = said(&file.run.command).is_some() || file.build.output.is_some() || procfile.is_some();
    if told {
        return Ok(Some(found));
    }
    if manifest.is_some_and(|manifest| manifest.script("start").or(manifest.script("build")).is_some()) {
        return Ok(None);
    }
    let name = &found.rule.name;
    let what = if name == toolchain {
        String::new()
    } else {
        format!(" for {name}")
    };
    let message = format!(
        "the source needs {toolchain}{what} ({}), which cannot be had yet",
        found.because
    );
    Err(Failure::new(Code::ToolchainUnavailable, message).hint(
        "Set `[run] command` (or `[build] output` for static files) in cx.toml; what the server's base system has, \
         such as python3, can be used there.",
    ))
}

fn build(
    file: &ProjectFile,
    manifest: Option<&Manifest>,
    matched: Option<&Match>,
    reasons: &mut BTreeMap<String, String>,
) -> Option<Step> {
    let (command, reason) = if let Some(command) = &file.build.command {
        (command.trim().to_owned(), "cx.toml says so".to_owned())
    } else {
        let rule = matched
            .map(|found| found.rule)
            .filter(|rule| rule.toolchain.is_none());
        let script = manifest?
            .script("build")
            .filter(|_| rule.is_none_or(|rule| rule.name != "storybook"));
        match (script, rule.and_then(|rule| Some((rule, rule.build.as_deref()?)))) {
            (Some(script), _) => (
                "npm run build".to_owned(),
                format!("package.json has a build script, `{script}`"),
            ),
            (None, Some((rule, command))) => (
                command.to_owned(),
                format!("{} is built so, and there is no build script", rule.name),
            ),
            (None, None) => return None,
        }
    };
    if command.is_empty() {
        reasons.insert("build".to_owned(), "cx.toml says that there is none".to_owned());
        return None;
    }
    reasons.insert("build".to_owned(), reason);
    Some(Step {
        command,
        fallback: None,
    })
}

/// What really runs: the script behind `npm run build`.
fn build_text<'a>(build: Option<&'a Step>, manifest: Option<&'a Manifest>) -> &'a str {
    let Some(build) = build else { return "" };
    match manifest.and_then(|manifest| manifest.script("build")) {
        Some(script) if build.command == "npm run build" => script,
        _ => &build.command,
    }
}

fn install(
    view: &View<'_>,
    file: &ProjectFile,
    manifest: Option<&Manifest>,
    (build, serve): (Option<&Step>, &Serve),
    reasons: &mut BTreeMap<String, String>,
) -> Result<Option<Step>, Failure> {
    if let Some(command) = &file.build.install {
        let empty = command.trim().is_empty();
        let reason = if empty {
            "cx.toml says that there is none"
        } else {
            "cx.toml says so"
        };
        reasons.insert("install".to_owned(), reason.to_owned());
        return Ok((!empty).then(|| Step {
            command: command.trim().to_owned(),
            fallback: None,
        }));
    }
    let runs = build.is_some() || matches!(serve, Serve::Server { .. });
    let Some(manifest) = manifest.filter(|_| runs) else {
        return Ok(None);
    };
    let install = manager::install(view, manifest)?;
    Ok(install.map(|install| {
        reasons.insert("install".to_owned(), install.reason);
        install.step
    }))
}

fn variables(matched: Option<&Match>, more: &[(&str, &str)]) -> BTreeMap<String, String> {
    let mut variables = matched.map_or_else(BTreeMap::new, |found| found.rule.variables.clone());
    variables.extend(
        more.iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
    );
    variables
}

fn commands<'a>(install: &'a Option<Step>, build: &'a Option<Step>, serve: &'a Serve) -> Vec<&'a str> {
    let steps = install.iter().chain(build).map(|step| step.command.as_str());
    let server = match serve {
        Serve::Server { command, .. } => Some(command.as_str()),
        Serve::Static { .. } => None,
    };
    steps.chain(server).collect()
}

fn explain(file: &ProjectFile, root: &str, matched: Option<&Match>, reasons: &mut BTreeMap<String, String>) {
    let mut because = |field: &str, reason: String| {
        reasons.insert(field.to_owned(), reason);
    };
    if let Some(found) = matched {
        because("framework", found.because.clone());
    }
    if !root.is_empty() {
        because("root", "cx.toml says so".to_owned());
    }
    if file.run.spa.is_some() {
        because("spa", "cx.toml says so".to_owned());
    }
    let default = ProjectFile::default();
    if file.limits != default.limits {
        because("limits", "cx.toml says so".to_owned());
    }
    if file.network != default.network {
        because("network", "cx.toml says so".to_owned());
    }
}
