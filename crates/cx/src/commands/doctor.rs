//! `cx doctor`: what this machine can do. Fails when something that is needed does not work.

use super::{App, runtime};
use crate::cli::DoctorArgs;
use crate::doctor::{Level, examine, lines};
use crate::exit::Exit;
use crate::server::ServerOptions;

pub(super) fn run(app: &App, args: &DoctorArgs) -> anyhow::Result<Exit> {
    // Before any thread starts, as the server does it.
    let privilege = sandbox::acquire_privilege().map_err(|error| error.to_string());
    let options = ServerOptions::new(&args.serve, &app.environment)?;
    let findings = runtime()?.block_on(examine(&options, privilege));
    if app.terminal.json {
        app.terminal.json(&serde_json::json!({ "findings": findings }))?;
    } else {
        app.terminal.results(&lines(&findings, app.terminal.out));
    }
    let bad = findings.iter().any(|finding| finding.level == Level::Bad);
    Ok(if bad { Exit::Failed } else { Exit::Ok })
}
