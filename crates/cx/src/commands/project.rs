//! `cx project`: projects, and the repositories whose changes they follow.

use std::path::Path;

use control::view;
use model::ProjectName;
use model::git::GitBounds;
use serde_json::Value;

use super::App;
use crate::cli::{CreateProjectArgs, DeleteProjectArgs, ProjectCommand, SetProjectArgs};
use crate::client::Connection;
use crate::exit::{Exit, Fault, instead};
use crate::terminal::{Paint, ago, now_ms, plain, table};

pub(super) async fn run(app: &App, command: &ProjectCommand) -> anyhow::Result<Exit> {
    let client = app.client()?;
    let known =
        |error: anyhow::Error| anyhow::Error::from(instead(&error, "`cx project list` shows what there is"));
    match command {
        ProjectCommand::Create(args) => create(app, args).await,
        ProjectCommand::List => list(app, &client.projects().await?),
        ProjectCommand::Show(args) => show(app, &client.project(&args.project).await.map_err(known)?),
        ProjectCommand::Set(args) => set(app, args).await,
        ProjectCommand::Pause(args) => {
            let project = client.tell_project(&args.project, "pause").await.map_err(known)?;
            said(
                app,
                &project,
                "is paused: its changes are noted, and nothing is deployed because of them",
            )
        }
        ProjectCommand::Resume(args) => {
            let project = client
                .tell_project(&args.project, "resume")
                .await
                .map_err(known)?;
            said(app, &project, "goes on, and catches up with what has changed")
        }
        ProjectCommand::Disconnect(args) => {
            let project = client.disconnect(&args.project).await.map_err(known)?;
            said(
                app,
                &project,
                "follows no repository any more, and the previews of its changes go",
            )
        }
        ProjectCommand::Delete(args) => delete(app, args).await,
    }
}

async fn create(app: &App, args: &CreateProjectArgs) -> anyhow::Result<Exit> {
    let client = app.client()?;
    let name = name_of(args)?;
    let Some(repository) = &args.repo else {
        let project = client.create_project(&name).await?;
        return said(app, &project, "is there");
    };
    let connection = Connection {
        forge: args.forge.clone(),
        repository: repository.clone(),
        root: args.root.clone().unwrap_or_default(),
        settings: match client.project(&name).await {
            // Asked for again: what was set of it stays.
            Ok(project) => project.repository.map(|part| part.settings).unwrap_or_default(),
            Err(_) => GitBounds::default(),
        },
        webhook: !args.no_webhook,
    };
    let project = client.connect(&name, &connection).await?;
    if let Some(part) = &project.repository
        && let Some(trouble) = &part.repository.webhook_trouble
    {
        app.terminal.warn(trouble);
    }
    said(app, &project, &format!("follows {repository}"))
}

/// The name that is given, or that of the directory or the repository.
fn name_of(args: &CreateProjectArgs) -> anyhow::Result<ProjectName> {
    if let Some(name) = &args.name {
        return Ok(name.clone());
    }
    let last = |path: &str| path.trim_matches('/').rsplit('/').next().map(str::to_owned);
    let from = args
        .root
        .as_deref()
        .filter(|root| !matches!(root.trim_matches('/'), "" | "."));
    match from.or(args.repo.as_deref()).and_then(last) {
        Some(text) => {
            let name = ProjectName::new(&text.to_ascii_lowercase().replace(['_', '.'], "-"));
            Ok(name.map_err(|error| {
                Fault::usage(error.to_string()).hint("name the project yourself: cx project create NAME")
            })?)
        }
        None => super::target::project_of(Path::new(".")),
    }
}

fn list(app: &App, projects: &[view::Project]) -> anyhow::Result<Exit> {
    if app.terminal.json {
        app.terminal.json(&projects)?;
    } else if projects.is_empty() {
        app.terminal
            .say("There are no projects. Make one with `cx project create`, or deploy a directory.");
    } else {
        app.terminal.results(&lines(projects, app.terminal.out));
    }
    Ok(Exit::Ok)
}

fn lines(projects: &[view::Project], paint: Paint) -> Vec<String> {
    let row = |project: &view::Project| {
        let repository = project.repository.as_ref().map_or_else(
            || "-".to_owned(),
            |part| {
                let at = if part.root.is_empty() {
                    String::new()
                } else {
                    format!(" ({})", part.root)
                };
                plain(&format!("{}{at}", part.repository.name))
            },
        );
        vec![
            project.name.to_string(),
            project.previews.to_string(),
            state_of(project),
            repository,
        ]
    };
    let rows: Vec<_> = projects.iter().map(row).collect();
    table(
        &["PROJECT", "PREVIEWS", "STATE", "REPOSITORY"],
        &rows,
        paint,
        |row, column, text| match column {
            0 => paint.bold(text),
            2 if has_trouble(&projects[row]) => paint.red(text),
            _ => text.to_owned(),
        },
    )
}

fn state_of(project: &view::Project) -> String {
    let Some(part) = &project.repository else {
        return if project.paused { "paused" } else { "-" }.to_owned();
    };
    match (project.paused, part.repository.state.as_str()) {
        (true, _) => "paused".to_owned(),
        (false, "active") if has_trouble(project) => "trouble".to_owned(),
        (false, "active") => "follows".to_owned(),
        (false, state) => state.to_owned(),
    }
}

fn has_trouble(project: &view::Project) -> bool {
    project.repository.as_ref().is_some_and(|part| {
        let repository = &part.repository;
        repository.trouble.is_some() || repository.webhook_trouble.is_some() || repository.state != "active"
    })
}

fn show(app: &App, project: &view::Project) -> anyhow::Result<Exit> {
    if app.terminal.json {
        app.terminal.json(project)?;
        return Ok(Exit::Ok);
    }
    let mut lines = vec![
        format!(
            "{}  {}",
            app.terminal.out.bold(project.name.as_str()),
            state_of(project)
        ),
        format!("  previews    {}", project.previews),
    ];
    if let Some(part) = &project.repository {
        let repository = &part.repository;
        lines.push(format!(
            "  repository  {} at {}",
            plain(&repository.name),
            repository.forge
        ));
        if !part.root.is_empty() {
            lines.push(format!("  directory   {}", plain(&part.root)));
        }
        lines.push(format!("  webhook     {}", repository.webhook));
        if let Some(at) = repository.listed_at_ms {
            lines.push(format!("  looked at   {}", ago(at, now_ms())));
        }
        for (key, value) in said_of(&part.settings) {
            lines.push(format!("  {key} = {}", plain(&value)));
        }
        let troubles = [
            &repository.held_reason,
            &repository.trouble,
            &repository.webhook_trouble,
        ];
        for trouble in troubles.into_iter().flatten() {
            lines.push(format!("  {}", app.terminal.out.red(plain(trouble))));
        }
    }
    app.terminal.results(&lines);
    Ok(Exit::Ok)
}

/// What the operator says, one line for each key.
fn said_of(bounds: &GitBounds) -> Vec<(String, String)> {
    let Ok(Value::Object(fields)) = serde_json::to_value(bounds) else {
        return Vec::new();
    };
    let text = |value: Value| match value {
        Value::String(text) => text,
        Value::Array(all) => all.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    };
    fields
        .into_iter()
        .map(|(key, value)| (key, text(value)))
        .collect()
}

async fn set(app: &App, args: &SetProjectArgs) -> anyhow::Result<Exit> {
    let client = app.client()?;
    let project = client.project(&args.project).await;
    let project = project.map_err(|error| instead(&error, "`cx project list` shows what there is"))?;
    let part = project.repository.ok_or_else(|| {
        Fault::failed(
            "not_connected",
            format!("the project {} has no repository", args.project),
        )
        .hint(format!(
            "connect it with `cx project create {} --repo OWNER/NAME`",
            args.project
        ))
    })?;
    let (mut root, mut bounds) = (part.root, part.settings);
    for pair in &args.settings {
        let (key, value) = pair
            .split_once('=')
            .ok_or_else(|| Fault::usage(format!("`{pair}` has no `=`")).hint("write KEY=VALUE"))?;
        match key {
            "root" => value.clone_into(&mut root),
            _ => bounds = changed(&bounds, key, value)?,
        }
    }
    let project = client.set_project(&args.project, (&root, &bounds)).await?;
    said(app, &project, "is changed; it counts at once")
}

/// `bounds` with one key set from what was typed; an empty value leaves it to the project again.
fn changed(bounds: &GitBounds, key: &str, value: &str) -> Result<GitBounds, Fault> {
    let wrong = |why: String| Fault::usage(why).hint("`cx project set --help` names the keys");
    let mut fields = serde_json::to_value(bounds).map_err(|error| wrong(error.to_string()))?;
    let typed = match (key, value) {
        // An empty label means something else than none that is set.
        ("approve_label", "none") => Value::String(String::new()),
        (_, "") => Value::Null,
        ("branches", list) => list.split(',').map(str::trim).map(Value::from).collect(),
        ("pull_requests" | "drafts" | "bots" | "previews_max" | "previews_per_author_max", text) => {
            serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))
        }
        (_, text) => Value::from(text),
    };
    fields[key] = typed;
    serde_json::from_value(fields).map_err(|error| wrong(format!("`{key}={value}` cannot be set: {error}")))
}

async fn delete(app: &App, args: &DeleteProjectArgs) -> anyhow::Result<Exit> {
    let client = app.client()?;
    let project = client.project(&args.project).await;
    let project = project.map_err(|error| instead(&error, "`cx project list` shows what there is"))?;
    if !args.force {
        let what = format!("the project {} with {} previews", project.name, project.previews);
        if app.terminal.json || !app.terminal.asks {
            return Err(Fault::new(
                Exit::Refused,
                "not_confirmed",
                format!("this would delete {what}"),
            )
            .hint("pass --force to delete without being asked")
            .into());
        }
        if !app
            .terminal
            .confirm(&format!("Delete {what}, their data, variables and webhook?"))
        {
            app.terminal.say("Nothing was deleted.");
            return Ok(Exit::Refused);
        }
    }
    let deleted = client.delete_project(&args.project).await?;
    if app.terminal.json {
        app.terminal.json(&deleted)?;
    } else {
        app.terminal.say(&format!(
            "Deleted {} and {} previews",
            args.project,
            deleted.previews.len()
        ));
    }
    Ok(Exit::Ok)
}

fn said(app: &App, project: &view::Project, what: &str) -> anyhow::Result<Exit> {
    if app.terminal.json {
        app.terminal.json(project)?;
    } else {
        app.terminal.say(&format!(
            "{} {what}",
            app.terminal.err.bold(project.name.as_str())
        ));
    }
    Ok(Exit::Ok)
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::git::ForkPolicy;

    fn create(name: Option<&str>, repo: Option<&str>, root: Option<&str>) -> CreateProjectArgs {
        CreateProjectArgs {
            name: name.map(|name| ProjectName::new(name).unwrap()),
            repo: repo.map(str::to_owned),
            forge: None,
            root: root.map(str::to_owned),
            no_webhook: false,
        }
    }

    #[test]
    fn a_project_is_called_after_its_directory_or_its_repository() {
        let name = |args: &CreateProjectArgs| name_of(args).unwrap().to_string();
        assert_eq!(name(&create(None, Some("acme/My_Shop"), None)), "my-shop");
        assert_eq!(name(&create(None, Some("acme/shop"), Some("apps/web/"))), "web");
        assert_eq!(name(&create(Some("a"), Some("acme/shop"), Some("apps/web"))), "a");
    }

    #[test]
    fn keys_are_set_and_left_to_the_project_again() {
        let mut bounds = GitBounds::default();
        for (key, value) in [
            ("branches", "main, release/*"),
            ("drafts", "false"),
            ("forks", "without-secrets"),
            ("previews_max", "3"),
            ("label", "preview"),
        ] {
            bounds = changed(&bounds, key, value).unwrap();
        }
        assert_eq!(bounds.branches.as_deref().unwrap(), ["main", "release/*"]);
        assert_eq!((bounds.drafts, bounds.previews_max), (Some(false), Some(3)));
        assert_eq!(bounds.forks, Some(ForkPolicy::WithoutSecrets));
        assert_eq!(changed(&bounds, "forks", "").unwrap().forks, None);
        for (key, value) in [
            ("drafts", "perhaps"),
            ("previews_max", "-1"),
            ("colour", "blue"),
            ("forks", "all"),
        ] {
            let fault = changed(&bounds, key, value).unwrap_err();
            assert!(fault.message.contains(key), "{}", fault.message);
        }
    }
}
