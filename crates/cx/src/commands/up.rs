use super::App;
use crate::cli::UpArgs;
use crate::exit::Exit;
pub(super) fn run(_app: &App, _args: UpArgs) -> anyhow::Result<Exit> {
    anyhow::bail!("soon")
}
