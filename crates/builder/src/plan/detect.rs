//! The whole way from a source to its plan.

use std::collections::BTreeMap;

use model::failure::{Code, Location};
use model::plan::{Serve, Service, Step};
use model::project_file::{self, ProjectFile};
use model::{Failure, Plan, ServiceName};

use super::language::{self, Because, Commands, Decided, Language, Serving};
use super::limits;
use super::project::{Project, said};
use super::rules::{self, Manifests, Match};
use super::view::{View, join, normalise};
use crate::source::SourceFiles;

/// Works out how to build and serve `source`.
pub fn detect(source: &dyn SourceFiles) -> Result<Plan, Failure> {
    detect_in(source, "")
}

/// The same for the project in `directory` of the source, whose cx.toml lies there. What it reads may lie anywhere.
pub fn detect_in(source: &dyn SourceFiles, directory: &str) -> Result<Plan, Failure> {
    let whole = View::new(source, "");
    empty(&whole)?;
    let file = read_project_file(&whole, directory)?;
    let root = root(&whole, directory, &file)?;
    let view = View::new(source, &root);
    let manifests = Manifests::new(&view);
    let procfile = procfile(&view)?;
    let project = Project {
        view: &view,
        file: &file,
        manifests: &manifests,
        procfile: procfile.as_deref(),
    };
    let matched = matched(&project)?;
    let language = language::of(&project, matched.as_ref())?;
    let mut reasons = BTreeMap::new();
    explain(&file, &root, matched.as_ref(), &mut reasons);
    let mut because = |field: &str, reason: String| {
        reasons.insert(field.to_owned(), reason);
    };

    let build = told(&file.build.command, "build", &mut because, || language.build())?;
    let text = build.as_ref().map_or("", |build| language.build_text(build));
    let Serving {
        serve,
        reason,
        variables: more,
        framework,
    } = serving(&project, &*language, matched.as_ref(), text)?;
    because("serve", reason);
    if file.run.instances.is_some() {
        balanced(&file, &serve, directory)?;
        because("instances", "cx.toml says so".to_owned());
    }
    let decided = Decided {
        build: build.as_ref(),
        serve: &serve,
    };
    let install = told(&file.build.install, "install", &mut because, || {
        language.install(&decided)
    })?;
    let mut variables = variables(matched.as_ref(), &more);
    variables.extend(language.variables(install.is_some()));
    let toolchains = language.toolchains(&Commands::new(&install, &build, &serve))?;
    let toolchains = toolchains.map_or_else(Vec::new, |Because { what, reason }| {
        because("toolchains", reason);
        what
    });
    Ok(Plan {
        framework: matched
            .as_ref()
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
    read_project_file(&View::new(source, ""), "")
}

/// Refuses a source without files.
pub(super) fn empty(whole: &View<'_>) -> Result<(), Failure> {
    match whole.is_empty() {
        true => Err(Failure::new(Code::EmptySource, "the source holds no files")),
        false => Ok(()),
    }
}

pub(super) fn read_project_file(whole: &View<'_>, directory: &str) -> Result<ProjectFile, Failure> {
    let name = join(directory, project_file::FILE_NAME);
    let bytes = match whole.bytes_in_source(&name) {
        None => return Ok(ProjectFile::default()),
        Some(Ok(bytes)) => bytes,
        Some(Err(error)) if error.kind() == std::io::ErrorKind::NotFound => {
            let message = format!("{name} is a link or something else that is no file");
            return Err(Failure::new(Code::InvalidProjectFile, message)
                .hint(format!("Put a file in the place of {name}."))
                .location(Location {
                    file: name,
                    ..Location::default()
                }));
        }
        Some(Err(error)) => {
            let message = format!("{name} of the source could not be read: {error}");
            return Err(Failure::new(Code::SourceMissing, message));
        }
    };
    ProjectFile::read(&bytes).map_err(|error| {
        let place = Location::at(&name, error.line, error.column);
        Failure::new(Code::InvalidProjectFile, error.to_string()).location(place)
    })
}

pub(super) fn root(whole: &View<'_>, directory: &str, file: &ProjectFile) -> Result<String, Failure> {
    let own = said(&file.root).and_then(normalise).unwrap_or_default();
    let root = join(directory, &own);
    if root.is_empty() || whole.has_directory_in_source(&root) {
        return Ok(root);
    }
    let failure = |whose: &str| {
        let message = format!("the root `{root}` of {whose} is not a directory of the source");
        Failure::new(Code::RootMissing, message)
    };
    Err(match own.as_str() {
        "" => {
            failure("the project").hint("Correct it with `cx project set NAME root=…`, or add the directory.")
        }
        _ => failure("cx.toml"),
    })
}

/// Refuses several instances of what no instance serves.
fn balanced(file: &ProjectFile, serve: &Serve, directory: &str) -> Result<(), Failure> {
    let instances = file.run.instances.unwrap_or(1);
    if instances == 1 || matches!(serve, Serve::Server { .. }) {
        return Ok(());
    }
    let message = format!(
        "`[run] instances = {instances}` is set, and what is deployed are static files, which need no instance"
    );
    let place = Location {
        file: join(directory, project_file::FILE_NAME),
        ..Location::default()
    };
    Err(Failure::new(Code::InvalidProjectFile, message)
        .hint("Remove `instances` from cx.toml, or say with `[run] command` what serves.")
        .location(place))
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
fn matched(project: &Project<'_>) -> Result<Option<Match>, Failure> {
    let Some(found) = rules::choose(project.view, project.manifests)? else {
        return Ok(None);
    };
    let told = project.command().is_some() || project.file.build.output.is_some();
    let manifest = project.manifests.javascript()?;
    let Some(toolchain) = &found.rule.toolchain else {
        return Ok(Some(found).filter(|found| !found.rule.yields_to(manifest)));
    };
    if told {
        return Ok(Some(found));
    }
    if found.rule.yields_to(manifest) {
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
         such as perl, can be used there.",
    ))
}

/// A step as cx.toml gives it, else as the language does. An empty text of cx.toml means that there is none.
fn told(
    said: &Option<String>,
    field: &str,
    because: &mut dyn FnMut(&str, String),
    otherwise: impl FnOnce() -> Result<Option<Because<Step>>, Failure>,
) -> Result<Option<Step>, Failure> {
    let Some(command) = said.as_deref().map(str::trim) else {
        return Ok(otherwise()?.map(|Because { what, reason }| {
            because(field, reason);
            what
        }));
    };
    if command.is_empty() {
        because(field, "cx.toml says that there is none".to_owned());
        return Ok(None);
    }
    because(field, "cx.toml says so".to_owned());
    Ok(Some(Step {
        command: command.to_owned(),
        fallback: None,
    }))
}

/// cx.toml beats the Procfile, which beats what the language finds.
fn serving(
    project: &Project<'_>,
    language: &dyn Language,
    matched: Option<&Match>,
    build: &str,
) -> Result<Serving, Failure> {
    if let Some(command) = said(&project.file.run.command) {
        return Ok(project.server(command.to_owned(), "cx.toml says so".to_owned(), "custom"));
    }
    if let Some(output) = &project.file.build.output {
        let output = normalise(output).unwrap_or_default();
        let kind = matched.map(|found| found.rule.serve);
        return Ok(project.files(output, kind, "cx.toml says so".to_owned(), "custom"));
    }
    if let Some(command) = project.procfile {
        let reason = "the Procfile has a web line".to_owned();
        return Ok(project.server(language.command(command), reason, "procfile"));
    }
    language.serving(build)
}

fn variables(matched: Option<&Match>, more: &[(&str, &str)]) -> BTreeMap<String, String> {
    let mut variables = matched.map_or_else(BTreeMap::new, |found| found.rule.variables.clone());
    variables.extend(
        more.iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
    );
    variables
}

fn explain(file: &ProjectFile, root: &str, matched: Option<&Match>, reasons: &mut BTreeMap<String, String>) {
    let mut because = |field: &str, reason: String| {
        reasons.insert(field.to_owned(), reason);
    };
    if let Some(found) = matched {
        because("framework", found.because.clone());
    }
    if !root.is_empty() {
        because(
            "root",
            match said(&file.root) {
                Some(_) => "cx.toml says so".to_owned(),
                None => "the project is this directory of its repository".to_owned(),
            },
        );
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
