//! `cx forge`: where changes come from. Credentials are read from files or standard input, never from the command line.

use std::io::Read as _;
use std::path::Path;

use control::ops::{ForgeApp, ForgeKind, NewForge};
use control::view;

use super::App;
use crate::cli::{AddForgeArgs, ForgeCommand, ForgeKindArg};
use crate::exit::{Exit, Fault, instead};
use crate::terminal::{Paint, plain, table};

/// Bytes of a token, a key or a secret.
const SECRET_BYTES_MAX: u64 = 64 << 10;

pub(super) async fn run(app: &App, command: &ForgeCommand) -> anyhow::Result<Exit> {
    let client = app.client()?;
    match command {
        ForgeCommand::Add(args) => {
            let name = args.name.clone().unwrap_or_else(|| word(args.kind).to_owned());
            let secret_given = args.secret_file.is_some();
            let added = client.add_forge(&name, &new_forge(args)?).await?;
            show_added(app, &added, secret_given)?;
        }
        ForgeCommand::List => list(app, &client.forges().await?)?,
        ForgeCommand::Remove { name } => {
            let removed = client.remove_forge(name).await;
            let removed = removed.map_err(|error| instead(&error, "`cx forge list` shows what there is"))?;
            if app.terminal.json {
                app.terminal.json(&removed)?;
            } else {
                app.terminal
                    .say(&format!("Removed {name}; its credentials are gone"));
            }
        }
    }
    Ok(Exit::Ok)
}

fn new_forge(args: &AddForgeArgs) -> anyhow::Result<NewForge> {
    let app = match (args.app_id, &args.app_slug, &args.key_file) {
        (Some(id), Some(slug), Some(key)) => Some(ForgeApp {
            id,
            slug: slug.clone(),
            private_key: secret(key)?,
        }),
        _ => None,
    };
    let read = |path: &Option<std::path::PathBuf>| path.as_deref().map(secret).transpose();
    Ok(NewForge {
        kind: kind(args.kind),
        url: args.at.clone(),
        api_url: args.api.clone(),
        token: read(&args.token_file)?,
        app,
        webhook_secret: read(&args.secret_file)?,
    })
}

pub(super) fn kind(kind: ForgeKindArg) -> ForgeKind {
    match kind {
        ForgeKindArg::Github => ForgeKind::GitHub,
        ForgeKindArg::Gitea => ForgeKind::Gitea,
    }
}

/// The name that a forge of this kind gets when nobody gives it another.
pub(super) fn word(kind: ForgeKindArg) -> &'static str {
    match kind {
        ForgeKindArg::Github => "github",
        ForgeKindArg::Gitea => "gitea",
    }
}

pub(super) fn show_added(app: &App, added: &view::AddedForge, secret_known: bool) -> anyhow::Result<()> {
    if app.terminal.json {
        return app.terminal.json(added);
    }
    let forge = &added.forge;
    let at = forge.web_url.as_deref().unwrap_or_default();
    app.terminal.say(&format!(
        "{} is added: {}",
        app.terminal.err.bold(&forge.name),
        plain(at)
    ));
    if forge.credentials == "none" {
        app.terminal
            .warn("without credentials only what is public can be read, and nothing is reported");
    }
    if !secret_known && forge.credentials != "app" {
        let say = |line: String| app.terminal.say(&app.terminal.err.dim(line));
        say(
            "`cx project create` makes webhooks by itself. For one made by hand, shown this once:".to_owned(),
        );
        say(format!("  address {}", forge.webhook_url));
        say(format!("  secret  {}", added.webhook_secret));
    }
    Ok(())
}

fn list(app: &App, forges: &[view::Forge]) -> anyhow::Result<()> {
    if app.terminal.json {
        return app.terminal.json(&forges);
    }
    if forges.is_empty() {
        app.terminal
            .say("There are no forges. Add one with `cx github setup` or `cx forge add`.");
        return Ok(());
    }
    app.terminal.results(&lines(forges, app.terminal.out));
    Ok(())
}

fn lines(forges: &[view::Forge], paint: Paint) -> Vec<String> {
    let row = |forge: &view::Forge| {
        vec![
            forge.name.clone(),
            forge.kind.clone(),
            forge.credentials.clone(),
            forge.repositories.to_string(),
            forge.web_url.clone().unwrap_or_else(|| "-".to_owned()),
        ]
    };
    let rows: Vec<_> = forges.iter().map(row).collect();
    let heads = ["FORGE", "KIND", "CREDENTIALS", "REPOSITORIES", "ADDRESS"];
    let mut lines = table(&heads, &rows, paint, |_, column, text| match column {
        0 => paint.bold(text),
        _ => text.to_owned(),
    });
    for forge in forges {
        if let Some(trouble) = &forge.trouble {
            lines.push(paint.red(format!("{}: {}", forge.name, plain(trouble))));
        }
    }
    lines
}

/// What stands in a file, or comes on standard input, without the line break at its end.
pub(super) fn secret(path: &Path) -> anyhow::Result<String> {
    let shown = path.display();
    let mut text = String::new();
    let read = match path.as_os_str() == "-" {
        true => std::io::stdin()
            .take(SECRET_BYTES_MAX + 1)
            .read_to_string(&mut text),
        false => std::fs::File::open(path)
            .and_then(|file| file.take(SECRET_BYTES_MAX + 1).read_to_string(&mut text)),
    };
    read.map_err(|error| {
        Fault::failed("unreadable", format!("cannot read {shown}: {error}"))
            .hint("check its name and permissions")
    })?;
    if text.len() as u64 > SECRET_BYTES_MAX {
        return Err(
            Fault::failed("too_large", format!("{shown} is larger than 64 KiB"))
                .hint("name the file that holds nothing else")
                .into(),
        );
    }
    let text = text.trim_end_matches(['\r', '\n']).to_owned();
    if text.is_empty() {
        return Err(Fault::failed("empty", format!("{shown} is empty"))
            .hint("name the file that holds it")
            .into());
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_from_a_file_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("token");
        std::fs::write(&file, "hunter2\n").unwrap();
        assert_eq!(secret(&file).unwrap(), "hunter2");
        std::fs::write(&file, "\n").unwrap();
        assert!(secret(&file).is_err());
        std::fs::write(&file, vec![b'a'; (64 << 10) + 1]).unwrap();
        assert!(secret(&file).unwrap_err().to_string().contains("64 KiB"));
        assert!(secret(&dir.path().join("none")).is_err());
    }
}
