//! `cx plan`: how a directory would be built and run, without a server.

use super::App;
use crate::cli::PlanArgs;
use crate::exit::Exit;

pub(super) fn run(_app: &App, _args: &PlanArgs) -> anyhow::Result<Exit> {
    anyhow::bail!("soon")
}
