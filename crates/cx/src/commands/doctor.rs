use super::App;
use crate::cli::DoctorArgs;
use crate::exit::Exit;
pub(super) fn run(_app: &App, _args: &DoctorArgs) -> anyhow::Result<Exit> {
    anyhow::bail!("soon")
}
