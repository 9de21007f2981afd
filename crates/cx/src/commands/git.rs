//! `cx git`: what is followed of repositories, and a platform that listens to one forge.

use control::view;
use model::ProjectName;

use super::App;
use crate::cli::GitCommand;
use crate::client::Client;
use crate::exit::{Exit, instead};
use crate::terminal::{Paint, ago, now_ms, plain, table};

/// Characters of a title or an outcome in a table.
const WORDS_MAX: usize = 60;

pub(super) async fn run(app: &App, command: &GitCommand) -> anyhow::Result<Exit> {
    let client = app.client()?;
    match command {
        GitCommand::Listen(_) => anyhow::bail!("listening is no call of the API"),
        GitCommand::Pulls { project } => pulls(app, &client, project.as_ref()).await,
        GitCommand::Deliveries => deliveries(app, &client).await,
        GitCommand::Resume { repository } => resume(app, &client, repository).await,
    }
}

async fn pulls(app: &App, client: &Client, project: Option<&ProjectName>) -> anyhow::Result<Exit> {
    let mut repositories = client.repositories().await?;
    let mut heads = client.changes().await?;
    if let Some(name) = project {
        let project = client.project(name).await;
        let project = project.map_err(|error| instead(&error, "`cx project list` shows what there is"))?;
        let own = project
            .repository
            .map(|part| (part.repository.forge, part.repository.name));
        repositories.retain(|repository| own == Some((repository.forge.clone(), repository.name.clone())));
        heads.retain(|head| own == Some((head.forge.clone(), head.repository.clone())));
    }
    if app.terminal.json {
        app.terminal.json(&heads)?;
        return Ok(Exit::Ok);
    }
    heads.retain(|head| !head.over);
    if heads.is_empty() {
        app.terminal
            .say("No pull request is open, and no branch is followed.");
    } else {
        app.terminal.results(&lines(&heads, app.terminal.out));
    }
    for repository in &repositories {
        for trouble in [&repository.held_reason, &repository.trouble]
            .into_iter()
            .flatten()
        {
            app.terminal.warn(&format!("{}: {trouble}", repository.name));
        }
    }
    Ok(Exit::Ok)
}

fn lines(heads: &[view::Head], paint: Paint) -> Vec<String> {
    let mut rows = Vec::new();
    for head in heads {
        let change = match (&head.branch, head.number) {
            (Some(branch), _) => format!("{} {branch}", head.repository),
            (None, number) => format!("{}#{}", head.repository, number.unwrap_or_default()),
        };
        let commit = head
            .commit
            .as_ref()
            .map_or("-", |commit| commit.get(..7).unwrap_or(commit));
        let title = shortened(head.title.as_deref().unwrap_or_default());
        let row = |project: &str, state: String| {
            vec![
                plain(&change),
                commit.to_owned(),
                project.to_owned(),
                state,
                title.clone(),
            ]
        };
        if head.projects.is_empty() {
            rows.push(row(
                "-",
                shortened(head.trouble.as_deref().unwrap_or("not looked at yet")),
            ));
        }
        for part in &head.projects {
            let reason = part
                .reason
                .as_ref()
                .map_or_else(String::new, |reason| format!(": {reason}"));
            rows.push(row(
                part.project.as_str(),
                shortened(&format!("{}{reason}", part.state)),
            ));
        }
    }
    let heads = ["CHANGE", "COMMIT", "PROJECT", "STATE", "TITLE"];
    table(&heads, &rows, paint, |_, column, text| match column {
        0 => paint.bold(text),
        _ => text.to_owned(),
    })
}

async fn deliveries(app: &App, client: &Client) -> anyhow::Result<Exit> {
    let deliveries = client.deliveries().await?;
    if app.terminal.json {
        app.terminal.json(&deliveries)?;
        return Ok(Exit::Ok);
    }
    if deliveries.is_empty() {
        app.terminal.say("Nothing has been delivered yet.");
        return Ok(Exit::Ok);
    }
    let now = now_ms();
    let row = |delivery: &view::Delivery| {
        let outcome = match delivery.done_at_ms {
            None => "waits".to_owned(),
            Some(_) => shortened(&delivery.outcome),
        };
        vec![
            ago(delivery.received_at_ms, now),
            plain(&delivery.forge),
            plain(&delivery.event),
            plain(&delivery.delivery),
            outcome,
        ]
    };
    let rows: Vec<_> = deliveries.iter().map(row).collect();
    let heads = ["RECEIVED", "FORGE", "EVENT", "DELIVERY", "OUTCOME"];
    app.terminal
        .results(&table(&heads, &rows, app.terminal.out, |_, _, text| {
            text.to_owned()
        }));
    Ok(Exit::Ok)
}

async fn resume(app: &App, client: &Client, name: &str) -> anyhow::Result<Exit> {
    let repositories = client.resume_repository(name).await?;
    if app.terminal.json {
        app.terminal.json(&repositories)?;
    } else {
        app.terminal
            .say(&format!("{name} goes on: what is gone there goes here, too"));
    }
    Ok(Exit::Ok)
}

fn shortened(text: &str) -> String {
    let text = plain(text);
    match text.char_indices().nth(WORDS_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or(&text)),
        None => text,
    }
}
