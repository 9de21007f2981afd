//! `cx backup`: everything that the previews of a server need, in one file, while it serves.
//!
//! The rows are copied as they are at one moment, then exactly what they name. Only a complete file gets its name.

use std::fs::{File, OpenOptions};
use std::io::BufWriter;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use control::backup::{Snapshot, hold, snapshot};
use model::limits::LOG_BYTES_MAX;
use model::units::format_bytes;
use serde::{Deserialize, Serialize};
use store::Store;
use store::archive::ArchiveWriter;

use super::{App, runtime, serve};
use crate::cli::BackupArgs;
use crate::exit::{Exit, Fault};
use crate::server::SETTINGS_FILE;
use crate::terminal::now_ms;

/// The first entry of a backup.
pub(super) const ABOUT: &str = "backup.json";
/// Raised when older versions of cx could not read it.
pub(super) const FORMAT: u32 = 1;
/// What may stand in a backup, apart from what the store has.
pub(super) const TOPS: [&str; 7] = [ABOUT, "state.db", "key", "token", SETTINGS_FILE, "store", "logs"];

/// What a backup says of itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct About {
    pub(super) format: u32,
    /// The version of cx that made it.
    pub(super) version: String,
    pub(super) created_at_ms: i64,
    pub(super) previews: u64,
    pub(super) deployments: u64,
    /// Whether the key that opens its secrets is in it.
    pub(super) with_key: bool,
}

pub(super) fn run(app: &App, args: &BackupArgs) -> anyhow::Result<Exit> {
    let data = args.data.clone().unwrap_or_else(|| app.environment.data_dir());
    if !data.join("state.db").is_file() {
        let message = format!("{} is not the data directory of a server", data.display());
        return Err(Fault::failed("no_data", message)
            .hint("name it with --data or CX_DATA")
            .into());
    }
    serve::acquire()?;
    let part = part_of(&args.file);
    let made = make(app, args, &data, &part).and_then(|about| {
        std::fs::rename(&part, &args.file)
            .with_context(|| format!("cannot write {}", args.file.display()))?;
        Ok(about)
    });
    if made.is_err() {
        // The error that led here says more than one of cleaning up.
        let _ = std::fs::remove_file(&part);
    }
    let about = made?;
    tell(app, args, &about)?;
    Ok(Exit::Ok)
}

fn make(app: &App, args: &BackupArgs, data: &Path, part: &Path) -> anyhow::Result<About> {
    app.terminal.spin("waiting until nothing is being removed");
    let database = data.join("state.db");
    let _held = hold(&database).with_context(|| format!("cannot hold what is in {}", data.display()))?;
    let scratch =
        tempfile::tempdir_in(directory_of(part)).context("there is no place for the copy of the rows")?;
    let copy = scratch.path().join("state.db");
    let store = Store::open_beside(&data.join("store"));
    app.terminal.spin("copying the rows");
    let snapshot = runtime()?
        .block_on(snapshot(&database, &copy, &store))
        .map_err(|error| Fault::failed("backup_failed", error.to_string()))?;
    let about = About {
        format: FORMAT,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        created_at_ms: now_ms(),
        previews: snapshot.previews,
        deployments: snapshot.deployments,
        with_key: !args.without_key,
    };
    let out = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(part)
        .with_context(|| format!("cannot write {}", part.display()))?;
    let mut archive = ArchiveWriter::new(BufWriter::new(out))?;
    archive.add_bytes(ABOUT, &serde_json::to_vec(&about)?)?;
    archive.add_file("state.db", &copy)?;
    let secrets: &[&str] = if args.without_key { &[] } else { &["key", "token"] };
    for name in secrets.iter().chain(&[SETTINGS_FILE]) {
        let from = data.join(name);
        if from.is_file() {
            archive.add_bytes(name, &std::fs::read(&from)?)?;
        }
    }
    let mut copied = |bytes| app.terminal.spin(&format!("copying: {}", format_bytes(bytes)));
    store
        .export(&snapshot.contents, &mut archive, &mut copied)
        .map_err(|error| {
            Fault::failed("backup_failed", error.to_string()).hint(
                "`cx list` shows the previews; deploy anew the one whose files are lost, and back up again",
            )
        })?;
    add_logs(&mut archive, data, &snapshot)?;
    let out = archive
        .finish()?
        .into_inner()
        .context("the last bytes could not be written")?;
    out.sync_all()?;
    Ok(about)
}

/// Logs go on being written while they are copied, so each file is read at once; they are small.
fn add_logs<W: std::io::Write>(
    archive: &mut ArchiveWriter<W>,
    data: &Path,
    snapshot: &Snapshot,
) -> anyhow::Result<()> {
    for name in &snapshot.logs {
        let directory = data.join("logs").join(name);
        let Ok(files) = std::fs::read_dir(&directory) else {
            continue;
        };
        for file in files {
            let file = file?;
            let is_log = file
                .metadata()
                .is_ok_and(|metadata| metadata.is_file() && metadata.len() <= 2 * LOG_BYTES_MAX);
            if is_log
                && let Some(file_name) = file.file_name().to_str()
                && let Ok(bytes) = std::fs::read(file.path())
            {
                archive.add_bytes(&format!("logs/{name}/{file_name}"), &bytes)?;
            }
        }
    }
    Ok(())
}

fn tell(app: &App, args: &BackupArgs, about: &About) -> anyhow::Result<()> {
    let bytes = std::fs::metadata(&args.file)?.len();
    if app.terminal.json {
        let file = args.file.display().to_string();
        return app
            .terminal
            .json(&serde_json::json!({ "file": file, "bytes": bytes, "about": about }));
    }
    app.terminal.result(&args.file.display().to_string());
    app.terminal.say(&format!(
        "{} previews with {} deployments, {}",
        about.previews,
        about.deployments,
        format_bytes(bytes)
    ));
    match about.with_key {
        true => app
            .terminal
            .warn("the key that opens its secrets is in it: keep it like a password"),
        false => app.terminal.warn(
            "the key that opens its secrets is not in it: keep the file `key` of the data directory as well",
        ),
    }
    Ok(())
}

/// Where it is written until it is complete.
fn part_of(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(format!(".part-{}", std::process::id()));
    PathBuf::from(name)
}

fn directory_of(file: &Path) -> &Path {
    file.parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// Flushes a directory's names to disk.
pub(super) fn sync_directory(directory: &Path) -> std::io::Result<()> {
    File::open(directory)?.sync_all()
}
