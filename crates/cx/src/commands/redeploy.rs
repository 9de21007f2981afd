//! `cx redeploy`: what a preview serves, deployed again from the same artifact, with a new instance.

use super::App;
use super::deploy::{exit, serves};
use super::follow::follow;
use super::target;
use crate::cli::RedeployArgs;
use crate::exit::Exit;

pub(super) async fn run(app: &App, args: &RedeployArgs) -> anyhow::Result<Exit> {
    let client = app.client()?;
    let earlier = target::serving(&client, args.deployment.as_deref(), &args.target).await?;
    let deployment = client.redeploy(&earlier.id, args.rebuild).await?;
    let deployment = follow(app, &client, &deployment).await?;
    if app.terminal.json {
        app.terminal.json(&deployment)?;
    } else if serves(&deployment) {
        app.terminal.result(&deployment.preview_url);
    }
    Ok(exit(&deployment))
}
