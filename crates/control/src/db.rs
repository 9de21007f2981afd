//! The database: one writer, readers apart, write-ahead log, migrations in order.
//!
//! `BEGIN IMMEDIATE` on the single writer connection means that a transaction never fails half-way because another one
//! came first. A write survives the death of the process at any moment (`synchronous = NORMAL` in WAL mode can lose the
//! last writes only when the whole machine loses power, and never corrupts). What is acknowledged to somebody who will
//! not say it again is on the disk first: [`Db::flush`].

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection as _, Sqlite, SqlitePool, Transaction};

use crate::flush::Flushes;

/// In order; one that has shipped is never changed.
pub(crate) const MIGRATIONS: &[&str] = &[
    include_str!("../migrations/0001_begin.sql"),
    include_str!("../migrations/0002_upkeep.sql"),
    include_str!("../migrations/0003_watched.sql"),
    include_str!("../migrations/0004_replicas.sql"),
    include_str!("../migrations/0005_forges.sql"),
    include_str!("../migrations/0006_changes.sql"),
    include_str!("../migrations/0007_told.sql"),
];

const READERS_MAX: u32 = 4;
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Says whether a commit may be made: `false` refuses it, as a full disk would. Called in the thread of the database.
pub type CommitCheck = Arc<dyn Fn() -> bool + Send + Sync>;

/// The database of one installation.
#[derive(Clone)]
pub(crate) struct Db {
    writer: SqlitePool,
    readers: SqlitePool,
    flushing: Arc<Flushes>,
}

/// The database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenDbError {
    #[error(
        "the database {path} could not be opened: {source}; check its permissions and the free space of its disk"
    )]
    Open { path: String, source: sqlx::Error },
    #[error(
        "the database {path} was written by a newer version (schema {found}, this one knows {known}); upgrade cx or restore a backup"
    )]
    Newer { path: String, found: i64, known: usize },
}

impl Db {
    /// Opens or creates the file at `path` and brings it to the newest schema.
    pub(crate) async fn open(path: &Path, check: Option<CommitCheck>) -> Result<Self, OpenDbError> {
        let failed = |source| OpenDbError::Open {
            path: path.display().to_string(),
            source,
        };
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT);
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .after_connect(move |connection, _| {
                let check = check.clone();
                Box::pin(async move {
                    if let Some(check) = check {
                        let mut handle = connection.lock_handle().await?;
                        handle.set_commit_hook(move || check());
                    }
                    Ok(())
                })
            })
            // When a commit fails (a full disk), SQLite has rolled back already and the connection believes for ever that
            // it is in a transaction: nothing could be written through it any more. The ping lets it end what it began.
            .after_release(|connection, _| {
                Box::pin(async move {
                    connection.ping().await?;
                    Ok(!connection.is_in_transaction())
                })
            })
            .connect_with(options.clone())
            .await
            .map_err(failed)?;
        migrate(&writer, path).await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS_MAX)
            .connect_with(options.read_only(true))
            .await
            .map_err(failed)?;
        // The log lies beside the file for as long as somebody has it open.
        let mut log = path.as_os_str().to_owned();
        log.push("-wal");
        let flushing = Arc::new(Flushes::of(PathBuf::from(log)));
        Ok(Self {
            writer,
            readers,
            flushing,
        })
    }

    /// Where to read from.
    pub(crate) fn read(&self) -> &SqlitePool {
        &self.readers
    }

    /// Where single statements write to.
    pub(crate) fn write(&self) -> &SqlitePool {
        &self.writer
    }

    /// A transaction that holds the only write lock from its first moment on.
    pub(crate) async fn begin(&self) -> Result<Transaction<'static, Sqlite>, sqlx::Error> {
        self.writer.begin_with("BEGIN IMMEDIATE").await
    }

    /// Returns when everything that was committed before the call is on the disk, also should the machine lose power.
    pub(crate) async fn flush(&self) -> io::Result<()> {
        self.flushing.flush().await
    }

    /// Waits for what is under way and closes the file.
    pub(crate) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

async fn migrate(writer: &SqlitePool, path: &Path) -> Result<(), OpenDbError> {
    let failed = |source| OpenDbError::Open {
        path: path.display().to_string(),
        source,
    };
    let found: i64 = sqlx::query_scalar("PRAGMA user_version")
        .fetch_one(writer)
        .await
        .map_err(failed)?;
    if found as usize > MIGRATIONS.len() {
        return Err(OpenDbError::Newer {
            path: path.display().to_string(),
            found,
            known: MIGRATIONS.len(),
        });
    }
    for (index, sql) in MIGRATIONS.iter().enumerate().skip(found as usize) {
        let mut tx = writer.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
        sqlx::raw_sql(*sql).execute(&mut *tx).await.map_err(failed)?;
        let version = format!("PRAGMA user_version = {}", index + 1);
        sqlx::raw_sql(sqlx::AssertSqlSafe(version))
            .execute(&mut *tx)
            .await
            .map_err(failed)?;
        tx.commit().await.map_err(failed)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Brings a database to the schema of the first `count` migrations.
    async fn at_schema(path: &Path, count: usize) -> SqlitePool {
        let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
        let pool = SqlitePool::connect_with(options).await.unwrap();
        for sql in &MIGRATIONS[..count] {
            sqlx::raw_sql(*sql).execute(&pool).await.unwrap();
        }
        let version = format!("PRAGMA user_version = {count}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(version))
            .execute(&pool)
            .await
            .unwrap();
        pool
    }

    #[tokio::test]
    async fn an_instance_from_before_is_the_first_of_its_service() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("cygni.db");
        let before = at_schema(&path, 3).await;
        let rows = "INSERT INTO projects VALUES ('prj', 'shop', 1); \
            INSERT INTO previews (id, project_id, namespace, environment, origin, keep, created_at_ms) \
                VALUES ('pre', 'prj', 'main', 'preview', '{}', 5, 1); \
            INSERT INTO deployments (id, preview_id, sequence, state, environment, trust, source, rebuild, created_at_ms) \
                VALUES ('dpl', 'pre', 1, 'ready', 'preview', 'owner', 'x', 0, 1); \
            INSERT INTO instances (id, deployment_id, service, wanted, port, restarts, created_at_ms) \
                VALUES ('ins', 'dpl', 'web', 'awake', 3000, 2, 1);";
        sqlx::raw_sql(rows).execute(&before).await.unwrap();
        before.close().await;

        let db = Db::open(&path, None).await.unwrap();
        let found: (String, i64, i64, i64) =
            sqlx::query_as("SELECT id, replica, port, restarts FROM instances WHERE deployment_id = 'dpl'")
                .fetch_one(db.read())
                .await
                .unwrap();
        assert_eq!(found, ("ins".to_owned(), 1, 3000, 2));
        // It still goes with its deployment.
        sqlx::query("DELETE FROM deployments")
            .execute(db.write())
            .await
            .unwrap();
        let left: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM instances")
            .fetch_one(db.read())
            .await
            .unwrap();
        assert_eq!(left, 0);
        db.close().await;
    }
}
