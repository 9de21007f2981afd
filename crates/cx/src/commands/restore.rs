//! `cx restore`: a data directory out of a backup. All or nothing: until everything is there and checked, no server
//! takes the directory for one.

use std::fs::{DirBuilder, File};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use anyhow::Context as _;
use model::units::format_bytes;
use store::Store;
use store::archive::{ArchiveError, first, unpack, verify};

use super::backup::{ABOUT, About, FORMAT, TOPS, sync_directory};
use super::{App, serve};
use crate::cli::RestoreArgs;
use crate::exit::{Exit, Fault};
use crate::server::{RESTORING, lock};

pub(super) fn run(app: &App, args: &RestoreArgs) -> anyhow::Result<Exit> {
    let data = args.data.clone().unwrap_or_else(|| app.environment.data_dir());
    serve::acquire()?;
    let mut file = File::open(&args.file).map_err(|error| {
        Fault::failed(
            "backup_unreadable",
            format!("cannot read {}: {error}", args.file.display()),
        )
    })?;
    app.terminal.spin("checking the backup");
    let about = check(&mut file).map_err(|error| refuse(&args.file, &error))?;
    if about.format > FORMAT {
        let message = format!(
            "{} was made by cx {}, which is newer",
            args.file.display(),
            about.version
        );
        return Err(Fault::failed("backup_newer", message).hint("upgrade cx").into());
    }
    let made = make_empty(&data)?;
    let done = fill(app, &mut file, args, &data);
    if done.is_err() {
        // Nothing stays of what did not succeed; the error says more than one of cleaning up.
        let _ = std::fs::remove_dir_all(data.join(RESTORING));
        let _ = std::fs::remove_file(data.join("lock"));
        if made {
            let _ = std::fs::remove_dir(&data);
        }
    }
    done?;
    tell(app, &data, &about)?;
    Ok(Exit::Ok)
}

fn check(file: &mut File) -> Result<About, ArchiveError> {
    verify(file)?;
    let about = first(file, ABOUT)?;
    serde_json::from_slice(&about).map_err(|_| ArchiveError::Foreign {
        path: ABOUT.to_owned(),
        why: "it does not say what it is",
    })
}

fn refuse(file: &Path, error: &ArchiveError) -> Fault {
    let code = match error {
        ArchiveError::Truncated => "backup_truncated",
        ArchiveError::Changed => "backup_changed",
        ArchiveError::Foreign { .. } => "backup_foreign",
        ArchiveError::TooLarge { .. } => "disk_full",
        ArchiveError::Io(_) => "backup_unreadable",
    };
    Fault::failed(code, format!("{} cannot be restored: {error}", file.display())).hint("nothing was changed")
}

/// Whether the directory had to be made. One that holds anything is refused.
fn make_empty(data: &Path) -> anyhow::Result<bool> {
    let shown = data.display();
    match std::fs::read_dir(data) {
        Ok(mut entries) => match entries.next() {
            None => Ok(false),
            Some(_) => {
                let message = format!("{shown} is not empty");
                Err(Fault::failed("data_in_use", message)
                    .hint("name an empty or new directory with --data")
                    .into())
            }
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let made = DirBuilder::new().recursive(true).mode(0o700).create(data);
            made.with_context(|| format!("cannot make {shown}"))
                .map(|()| true)
        }
        Err(error) => Err(error).with_context(|| format!("cannot read {shown}")),
    }
}

fn fill(app: &App, file: &mut File, args: &RestoreArgs, data: &Path) -> anyhow::Result<()> {
    let _lock = lock(data)?;
    let inside = data.join(RESTORING);
    DirBuilder::new().mode(0o700).create(&inside)?;
    let room = rustix::fs::statvfs(data)?;
    let bytes_max = room.f_bavail.saturating_mul(room.f_frsize);
    app.terminal.spin("taking it out");
    let unpacked = unpack(file, &inside, &TOPS, bytes_max).map_err(|error| refuse(&args.file, &error))?;
    app.terminal.spin(&format!(
        "checking {} files, {}",
        unpacked.files,
        format_bytes(unpacked.bytes)
    ));
    if !inside.join("state.db").exists() {
        let (path, why) = ("state.db".to_owned(), "it is missing");
        return Err(refuse(&args.file, &ArchiveError::Foreign { path, why }).into());
    }
    // A server without previews had nothing to store.
    if inside.join("store/manifests").exists() {
        let store = Store::open_beside(&inside.join("store"));
        store
            .check()
            .map_err(|error| Fault::failed("backup_damaged", format!("{}: {error}", args.file.display())))?;
        store.vouch()?;
    }
    close(&inside.join("store"))?;
    close(&inside.join("logs"))?;
    // Everything is on disk before anything has its place; the rows come last, and with them it is a data directory.
    rustix::fs::syncfs(File::open(data)?)?;
    let mut names: Vec<_> = std::fs::read_dir(&inside)?
        .map(|entry| entry.map(|entry| entry.file_name()))
        .collect::<Result<_, _>>()?;
    names.sort_by_key(|name| name == "state.db");
    for name in names {
        match name == ABOUT {
            true => std::fs::remove_file(inside.join(name))?,
            false => std::fs::rename(inside.join(&name), data.join(&name))?,
        }
    }
    std::fs::remove_dir(&inside)?;
    Ok(sync_directory(data)?)
}

/// Only the server may look into it.
fn close(directory: &Path) -> std::io::Result<()> {
    match std::fs::set_permissions(directory, std::os::unix::fs::PermissionsExt::from_mode(0o700)) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

fn tell(app: &App, data: &Path, about: &About) -> anyhow::Result<()> {
    if app.terminal.json {
        let shown = data.display().to_string();
        return app
            .terminal
            .json(&serde_json::json!({ "data": shown, "about": about }));
    }
    app.terminal.result(&data.display().to_string());
    app.terminal.say(&format!(
        "{} previews with {} deployments; serve them with `cx serve --data {}`",
        about.previews,
        about.deployments,
        data.display()
    ));
    if !about.with_key {
        app.terminal
            .warn("the key is not in this backup: put the file `key` of the old data directory there first");
    }
    Ok(())
}
