//! `cx ttl`: changes how long previews live, and says when they go.

use control::view;

use super::App;
use super::target;
use crate::cli::TtlArgs;
use crate::exit::Exit;
use crate::terminal::{now_ms, until};

pub(super) async fn run(app: &App, args: &TtlArgs) -> anyhow::Result<Exit> {
    let client = app.client()?;
    let meant = target::of_namespace(&client, &args.namespace, args.project.as_ref()).await?;
    let mut changed = Vec::new();
    for preview in meant {
        changed.push(client.set_ttl(&preview.id, args.ttl).await?);
    }
    if app.terminal.json {
        app.terminal.json(&changed)?;
        return Ok(Exit::Ok);
    }
    for preview in &changed {
        app.terminal.say(&line(preview, now_ms()));
    }
    Ok(Exit::Ok)
}

fn line(preview: &view::Preview, now_ms: i64) -> String {
    let (project, namespace) = (&preview.project, &preview.namespace);
    match preview.expires_at_ms {
        None => format!("{project} · {namespace} stays until it is deleted"),
        Some(at) if at <= now_ms => format!("{project} · {namespace} is older than that and is deleted now"),
        Some(at) => format!(
            "{project} · {namespace} is deleted {}, unless it is deployed again",
            until(at, now_ms)
        ),
    }
}
