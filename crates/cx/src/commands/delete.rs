//! `cx delete`: lists what goes, asks, and deletes it with everything that belongs to it.

use control::view;

use super::App;
use super::list::lines;
use super::target;
use crate::cli::DeleteArgs;
use crate::exit::{Exit, Fault};
use crate::terminal::now_ms;

pub(super) async fn run(app: &App, args: &DeleteArgs) -> anyhow::Result<Exit> {
    let client = app.client()?;
    let going = target::of_namespace(&client, &args.namespace, args.project.as_ref()).await?;
    if !args.force && !agreed(app, &going)? {
        app.terminal.say("Nothing was deleted.");
        return Ok(Exit::Refused);
    }
    let gone = client
        .delete_namespace(&args.namespace, args.project.as_ref())
        .await?;
    if app.terminal.json {
        app.terminal.json(&serde_json::json!({ "deleted": gone }))?;
    } else {
        for preview in &gone {
            app.terminal
                .say(&format!("Deleted {} · {}", preview.project, preview.namespace));
        }
    }
    Ok(Exit::Ok)
}

fn agreed(app: &App, going: &[view::Preview]) -> Result<bool, Fault> {
    if app.terminal.json || !app.terminal.asks {
        let names = going
            .iter()
            .map(|preview| format!("{} · {}", preview.project, preview.namespace));
        let names = names.collect::<Vec<_>>().join(", ");
        let fault = Fault::new(
            Exit::Refused,
            "not_confirmed",
            format!("this would delete {names}"),
        );
        return Err(fault.hint("pass --force to delete without being asked"));
    }
    for line in lines(going, now_ms(), app.terminal.err) {
        app.terminal.say(&line);
    }
    let plural = if going.len() == 1 {
        "this preview"
    } else {
        "these previews"
    };
    Ok(app
        .terminal
        .confirm(&format!("Delete {plural}, with deployments, logs and data?")))
}
