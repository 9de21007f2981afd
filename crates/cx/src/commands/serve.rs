use super::App;
use crate::cli::ServeArgs;
use crate::exit::Exit;
pub(super) fn run(_app: &App, _args: &ServeArgs) -> anyhow::Result<Exit> {
    anyhow::bail!("soon")
}
