//! `cx completions`: a script that lets a shell complete commands, options and their values.

use clap::CommandFactory as _;

use super::App;
use crate::cli::{Cli, CompletionsArgs};
use crate::exit::Exit;

pub(super) fn run(app: &App, args: &CompletionsArgs) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "cx", &mut script);
    app.terminal.result(String::from_utf8(script)?.trim_end());
    Ok(Exit::Ok)
}
