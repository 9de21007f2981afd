//! `cx plan`: how a directory would be built and run, without a server.

use anyhow::Context as _;
use builder::plan::detect;
use builder::source::DirectorySource;

use super::App;
use crate::cli::PlanArgs;
use crate::exit::{Exit, Fault};
use crate::terminal::{failure_lines, plan_lines};

pub(super) fn run(app: &App, args: &PlanArgs) -> anyhow::Result<Exit> {
    if !args.dir.is_dir() {
        let message = format!("{} is not a directory", args.dir.display());
        return Err(Fault::failed("no_directory", message)
            .hint("name the directory that holds the project")
            .into());
    }
    let source =
        DirectorySource::walk(&args.dir).with_context(|| format!("cannot read {}", args.dir.display()))?;
    match detect(&source) {
        Ok(plan) if app.terminal.json => app.terminal.json(&plan)?,
        Ok(plan) => app.terminal.results(&plan_lines(&plan, app.terminal.out)),
        Err(failure) => {
            if app.terminal.json {
                app.terminal.json(&serde_json::json!({ "failure": failure }))?;
            } else {
                failure_lines(&failure, app.terminal.err)
                    .iter()
                    .for_each(|line| app.terminal.say(line));
            }
            return Ok(Exit::Failed);
        }
    }
    Ok(Exit::Ok)
}
