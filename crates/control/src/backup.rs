//! A copy of the rows as they are at one moment, and the names of everything that they need.
//!
//! Works on the files, beside a platform that runs or without one. What it names must stay until it is copied: whoever
//! copies holds a lock that the passes ask for before they remove anything. The copy of the rows names nothing that is
//! not in the store: remembered builds that nothing serves from, and what was sent and not used, are left out of it.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use model::Artifact;
use model::artifact::Content;
use model::deployment::State;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use store::{Contents, Store};

use crate::control::Control;
use crate::db::MIGRATIONS;
use crate::rows::{self};

/// The lock beside the database.
const LOCK: &str = "backup.lock";

/// The rows at one moment.
#[derive(Debug)]
pub struct Snapshot {
    /// What they need of the store.
    pub contents: Contents,
    /// Directories of logs.
    pub logs: Vec<String>,
    pub previews: u64,
    pub deployments: u64,
}

/// No copy was made.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    #[error("the database could not be copied: {0}")]
    Database(#[from] sqlx::Error),
    #[error("the database was written by another version of cx (schema {found}, this one writes {known})")]
    Version { found: i64, known: usize },
    #[error(transparent)]
    Tree(#[from] store::ReadError),
    #[error("the files of the snapshot could not be looked at: {0}")]
    Io(#[from] io::Error),
}

/// As long as the file is held, nothing is removed that a copy may need. Waits for a removal that has begun. Blocks.
pub fn hold(database: &Path) -> io::Result<File> {
    let lock = open_lock(database)?;
    lock.lock_shared()?;
    Ok(lock)
}

/// Copies the rows of `database` to the new file `to`, and says what they need of `store`.
pub async fn snapshot(database: &Path, to: &Path, store: &Store) -> Result<Snapshot, SnapshotError> {
    let mut source = connect(database, false).await?;
    let found: i64 = sqlx::query_scalar("PRAGMA user_version")
        .fetch_one(&mut source)
        .await?;
    if usize::try_from(found) != Ok(MIGRATIONS.len()) {
        let known = MIGRATIONS.len();
        return Err(SnapshotError::Version { found, known });
    }
    source.close().await?;
    copy_rows(database, to).await?;
    let mut copy = connect(to, true).await?;
    let snapshot = look_into(&mut copy, store).await?;
    copy.close().await?;
    Ok(snapshot)
}

/// Copies the rows of `database` as they are now to the new file `to`, secrets and all, and changes nothing.
pub async fn copy_rows(database: &Path, to: &Path) -> Result<(), SnapshotError> {
    let mut source = connect(database, false).await?;
    sqlx::query("VACUUM INTO $1")
        .bind(to.display().to_string())
        .execute(&mut source)
        .await?;
    Ok(source.close().await?)
}

impl Control {
    /// The right to remove what nobody names, unless a copy is being made.
    pub(crate) fn nobody_copies(&self) -> Option<File> {
        match open_lock(&self.inner.database).map(|lock| (lock.try_lock(), lock)) {
            Ok((Ok(()), lock)) => Some(lock),
            Ok((Err(_), _)) => None,
            Err(error) => {
                tracing::warn!(%error, "whether a backup is being made is not known; nothing is removed");
                None
            }
        }
    }
}

fn open_lock(database: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(database.with_file_name(LOCK))
}

async fn connect(file: &Path, is_ours: bool) -> Result<SqliteConnection, sqlx::Error> {
    let options = SqliteConnectOptions::new().filename(file).foreign_keys(true);
    let options = match is_ours {
        // One file, and nothing beside it.
        true => options.journal_mode(SqliteJournalMode::Delete),
        false => options,
    };
    options.connect().await
}

async fn look_into(copy: &mut SqliteConnection, store: &Store) -> Result<Snapshot, SnapshotError> {
    let serving = "('queued', 'building', 'deploying', 'ready')";
    for sql in [
        format!("UPDATE deployments SET artifact = NULL WHERE state NOT IN {serving}"),
        "DELETE FROM builds WHERE artifact NOT IN (SELECT artifact FROM deployments WHERE artifact IS NOT NULL)".to_owned(),
        // Where it is restored nothing runs yet: the edge holds requests until it does.
        "UPDATE instances SET asleep = 1".to_owned(),
    ] {
        sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&mut *copy).await?;
    }
    let mut contents = Contents::default();
    let mut logs = Vec::new();
    let deployments = rows::deployment::named(&mut *copy).await?;
    for deployment in &deployments {
        logs.push(deployment.id.to_string());
        let needed = deployment.state.is_unfinished() || deployment.state == State::Ready;
        // The source of what has ended may be gone already.
        if let Some(source) = &deployment.source
            && (needed || store.knows_tree(source))
        {
            contents.trees.insert(*source);
        }
        if let Some(artifact) = &deployment.artifact {
            add(&mut contents, artifact);
        }
    }
    logs.extend(rows::instance::ids(&mut *copy).await?);
    let blobs: BTreeSet<_> = store.blobs_of_trees(&contents.trees)?.into_keys().collect();
    rows::blob::keep_only(&mut *copy, &blobs).await?;
    let previews = rows::preview::all(&mut *copy).await?.len() as u64;
    Ok(Snapshot {
        contents,
        logs,
        previews,
        deployments: deployments.len() as u64,
    })
}

fn add(contents: &mut Contents, artifact: &Artifact) {
    for part in &artifact.services {
        match &part.content {
            Content::Static { tree, .. } => {
                contents.trees.insert(*tree);
            }
            Content::Server(server) => {
                contents.trees.insert(server.source);
                contents.layers.extend(&server.layers);
                let toolchains = server.toolchains.iter().map(|toolchain| toolchain.layer);
                contents.layers.extend(toolchains);
            }
        }
    }
}
