//! `cx rollback`: the alias moves back; nothing is built, nothing is lost.

use super::App;
use super::target::{self, Target};
use crate::cli::RollbackArgs;
use crate::exit::Exit;
use crate::terminal::{ago, now_ms};

pub(super) async fn run(app: &App, args: &RollbackArgs) -> anyhow::Result<Exit> {
    let client = app.client()?;
    let (target, to) = match &args.deployment {
        None => (Target::here(&args.target)?, None),
        Some(id) => {
            let deployment = target::named(&client, id).await?;
            let target = Target {
                project: deployment.project,
                namespace: deployment.namespace,
            };
            (target, Some(deployment.id))
        }
    };
    let preview = target.preview(&client).await?;
    let now = client.rollback(&preview.id, to.as_ref()).await?;
    if app.terminal.json {
        app.terminal.json(&now)?;
        return Ok(Exit::Ok);
    }
    let age = ago(now.created_at_ms, now_ms());
    let already = if preview.current.as_ref() == Some(&now.id) {
        "already"
    } else {
        "now"
    };
    app.terminal.say(&format!(
        "{} · {} {already} serves {}, deployed {age}",
        now.project, now.namespace, now.id
    ));
    app.terminal.result(&now.preview_url);
    Ok(Exit::Ok)
}
