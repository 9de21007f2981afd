//! `cx service`: the platform as a service of systemd, of the machine or of one user.

use std::io;
use std::path::Path;
use std::process::{Command, Output};

use anyhow::Context as _;

use super::App;
use crate::cli::{ServiceArgs, ServiceCommand, WhoseArgs};
use crate::exit::{Exit, Fault};
use crate::server::ServerOptions;
use crate::service::{Unit, Whose};

pub(super) fn run(app: &App, command: &ServiceCommand) -> anyhow::Result<Exit> {
    match command {
        ServiceCommand::Print(args) => print(app, args),
        ServiceCommand::Install(args) => install(app, args),
        ServiceCommand::Uninstall(args) => uninstall(app, args),
        ServiceCommand::Status(args) => status(app, args),
    }
}

fn print(app: &App, args: &ServiceArgs) -> anyhow::Result<Exit> {
    app.terminal.result(unit(app, args)?.text().trim_end());
    Ok(Exit::Ok)
}

fn install(app: &App, args: &ServiceArgs) -> anyhow::Result<Exit> {
    let unit = unit(app, args)?;
    let path = path(app, unit.whose)?;
    // Before anything is written: nothing is left behind where no systemd runs.
    systemctl(unit.whose, &["daemon-reload"])?;
    write(&path, &unit.text())?;
    systemctl(unit.whose, &["daemon-reload"])?;
    systemctl(unit.whose, &["enable", "cygni.service"])?;
    // One that runs already must read the new unit too; previews are not touched by it.
    systemctl(unit.whose, &["restart", "cygni.service"])?;
    app.terminal.result(&path.display().to_string());
    app.terminal
        .say("Installed and started; `cx service status` shows it, `cx doctor` what it stands on.");
    if unit.whose == Whose::User {
        app.terminal
            .say("It ends with your last login, unless `loginctl enable-linger` lets it stay.");
    }
    Ok(Exit::Ok)
}

fn uninstall(app: &App, args: &WhoseArgs) -> anyhow::Result<Exit> {
    let whose = whose(app, args.user);
    let path = path(app, whose)?;
    if !path.exists() {
        return Err(not_installed(&path).into());
    }
    systemctl(whose, &["disable", "--now", "cygni.service"])?;
    std::fs::remove_file(&path).with_context(|| format!("{} could not be removed", path.display()))?;
    systemctl(whose, &["daemon-reload"])?;
    app.terminal.say("Removed. Previews that run go on until the machine ends, and the data stays; `cx serve` takes both up again.");
    Ok(Exit::Ok)
}

fn status(app: &App, args: &WhoseArgs) -> anyhow::Result<Exit> {
    let whose = whose(app, args.user);
    let path = path(app, whose)?;
    if !path.exists() {
        return Err(not_installed(&path).into());
    }
    // Both end with a status of their own when the answer is no.
    let word = |question: &str| -> anyhow::Result<String> {
        let output = ask(whose, &[question, "cygni.service"])?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let (active, enabled) = (word("is-active")?, word("is-enabled")?);
    if app.terminal.json {
        let unit = path.display().to_string();
        app.terminal
            .json(&serde_json::json!({ "unit": unit, "active": active, "enabled": enabled }))?;
    } else {
        app.terminal
            .result(&format!("{active}, {enabled}: {}", path.display()));
    }
    Ok(if active == "active" {
        Exit::Ok
    } else {
        Exit::Failed
    })
}

fn unit(app: &App, args: &ServiceArgs) -> anyhow::Result<Unit> {
    let whose = whose(app, args.whose.user);
    let options = ServerOptions::new(&args.serve, &app.environment)?;
    let mut arguments = Vec::new();
    let mut give = |name: &str, value: String| arguments.extend([name.to_owned(), value]);
    for address in &args.serve.listen {
        give("--listen", address.to_string());
    }
    if args.serve.domain.is_some() {
        give("--domain", options.domain.clone());
    }
    if args.serve.dashboard_host.is_some() {
        give("--dashboard-host", options.dashboard_host.clone());
    }
    if let Some(url) = &args.serve.public_url {
        give("--public-url", url.to_string());
    }
    let program = std::env::current_exe().context("the program does not know where it lies")?;
    let data = std::path::absolute(&options.data).context("the data directory has no path")?;
    let version = match ask(whose, &["--version"]) {
        Ok(output) => version(&String::from_utf8_lossy(&output.stdout)),
        Err(_) => None,
    };
    Ok(Unit {
        whose,
        program,
        data,
        arguments,
        version,
    })
}

fn whose(app: &App, user: bool) -> Whose {
    if user || !app.environment.root {
        Whose::User
    } else {
        Whose::Machine
    }
}

fn path(app: &App, whose: Whose) -> Result<std::path::PathBuf, Fault> {
    whose
        .path(app.environment.config_dir().as_deref())
        .ok_or_else(|| {
            Fault::failed("no_home", "there is no directory for the settings of this user")
                .hint("set HOME or XDG_CONFIG_HOME")
        })
}

fn not_installed(path: &Path) -> Fault {
    Fault::new(
        Exit::NotFound,
        "not_installed",
        format!("there is no {}", path.display()),
    )
    .hint("`cx service install` writes it; --user is that of a user")
}

fn write(path: &Path, text: &str) -> Result<(), Fault> {
    let written = path
        .parent()
        .map_or(Ok(()), std::fs::create_dir_all)
        .and_then(|()| std::fs::write(path, text));
    written.map_err(|error| {
        Fault::failed(
            "unit_unwritable",
            format!("{} could not be written: {error}", path.display()),
        )
        .hint("`cx service print` prints it, to be put there by hand")
    })
}

/// The number in `systemd 252 (252.38-1)`.
fn version(text: &str) -> Option<u32> {
    text.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// Tells systemd something that must succeed.
fn systemctl(whose: Whose, arguments: &[&str]) -> Result<(), Fault> {
    let output = ask(whose, arguments)?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    let message = format!("`systemctl {}` failed: {said}", arguments.join(" "));
    Err(Fault::failed("systemd_failed", message).hint("`journalctl -u cygni` shows what the server said"))
}

#[allow(
    clippy::disallowed_methods,
    reason = "the machine's own systemctl, with arguments of ours alone"
)]
fn ask(whose: Whose, arguments: &[&str]) -> Result<Output, Fault> {
    let mut command = Command::new("systemctl");
    command.args(whose.flag()).args(arguments);
    command.output().map_err(|error: io::Error| {
        Fault::failed("no_systemd", format!("systemctl could not be run: {error}"))
            .hint("without systemd, let another service manager run `cx serve`; `cx service print` shows what matters")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read() {
        assert_eq!(version("systemd 252 (252.38-1~deb12u1)\n+PAM +AUDIT"), Some(252));
        assert_eq!(version("systemd 257.4-1 (x)"), None);
        assert_eq!(version(""), None);
    }
}
