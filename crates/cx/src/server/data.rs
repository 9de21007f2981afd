//! The data directory: one server at a time, and secrets that only their owner can read.
//!
//! ```text
//! <data>/  server.toml  lock  token  key  state.db  store/  sandboxes/  logs/
//! ```
//!
//! The directory is closed to everybody else. When `sudo` started the server, its user owns the token and may pass
//! through the directory to it, and to nothing beside it.

use std::fs::{DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use data_encoding::BASE32_NOPAD;

use crate::exit::Fault;

/// What a restore takes out lies here until it is complete.
pub(crate) const RESTORING: &str = "restoring";
const KEY_BYTES: usize = 32;
const TOKEN_BYTES: usize = 25;
const TOKEN_PREFIX: &str = "cx_";
/// Bytes of the lock file, or of the token, that are read.
const SMALL_BYTES: u64 = 1 << 10;

/// The directory, held by this process until it is dropped.
#[derive(Debug)]
pub(crate) struct DataDir {
    path: PathBuf,
    pub(crate) token: String,
    pub(crate) key: [u8; KEY_BYTES],
    /// Locked; the lock ends with the process, however it ends.
    _lock: File,
}

impl DataDir {
    /// Makes what is missing and takes the lock. `sudo` is the user and group who may read the token too.
    pub(crate) fn open(path: &Path, sudo: Option<(u32, u32)>) -> anyhow::Result<Self> {
        let shown = path.display();
        let refuse = |error: std::io::Error| {
            Fault::failed(
                "data_unusable",
                format!("cannot use the data directory {shown}: {error}"),
            )
            .hint("choose another one with --data or CX_DATA")
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(refuse)?;
        let path = path.canonicalize().map_err(refuse)?;
        let passable = if sudo.is_some() { 0o711 } else { 0o700 };
        std::fs::set_permissions(&path, Permissions::from_mode(passable)).map_err(refuse)?;
        let lock = lock(&path)?;
        whole(&path)?;
        for inner in ["store", "sandboxes", "logs"] {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(path.join(inner))
                .map_err(refuse)?;
        }
        // The database makes its files as open as this one is.
        OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(path.join("state.db"))
            .map_err(refuse)?;
        let token = token(&path, sudo)?;
        let key = key(&path)?;
        Ok(Self {
            path,
            token,
            key,
            _lock: lock,
        })
    }

    /// The file or directory `name` inside.
    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// Neither half of a backup, nor one without the key of its secrets.
fn whole(path: &Path) -> Result<(), Fault> {
    let shown = path.display();
    if path.join(RESTORING).exists() {
        let message = format!("a backup was being restored to {shown} and is not complete");
        return Err(
            Fault::failed("restore_unfinished", message).hint("delete the directory and restore it again")
        );
    }
    let has_rows = std::fs::metadata(path.join("state.db")).is_ok_and(|metadata| metadata.len() > 0);
    if has_rows && !path.join("key").exists() {
        let message =
            format!("{shown} holds the data of a server, and the key that opens its secrets is missing");
        return Err(Fault::failed("key_missing", message)
            .hint("put the file `key` back; it lies in the old data directory"));
    }
    Ok(())
}

/// Takes the directory for this process alone.
pub(crate) fn lock(dir: &Path) -> anyhow::Result<File> {
    let file = dir.join("lock");
    let mut lock = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&file)?;
    match lock.try_lock() {
        Ok(()) => {
            lock.set_len(0)?;
            write!(lock, "{}", std::process::id())?;
            Ok(lock)
        }
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // The holder is named for people only; without it the message is a little poorer.
            let _ = lock.take(SMALL_BYTES).read_to_string(&mut holder);
            let message = format!(
                "another Cygni server (process {}) uses {}",
                holder.trim(),
                dir.display()
            );
            let hint =
                "stop it, or give this one a directory of its own with --data and an address with --listen";
            Err(Fault::failed("data_in_use", message).hint(hint).into())
        }
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {}", file.display()))
        }
    }
}

fn token(dir: &Path, sudo: Option<(u32, u32)>) -> anyhow::Result<String> {
    let file = dir.join("token");
    let text = match read_small(&file)? {
        Some(bytes) => String::from_utf8_lossy(&bytes).trim().to_owned(),
        None => {
            let text = format!(
                "{TOKEN_PREFIX}{}",
                BASE32_NOPAD
                    .encode(&random::<TOKEN_BYTES>()?)
                    .to_ascii_lowercase()
            );
            write_secret(&file, text.as_bytes())?;
            text
        }
    };
    anyhow::ensure!(
        text.len() >= 20,
        "the token in {} is too short; delete the file to get a new one",
        file.display()
    );
    if let Some((uid, gid)) = sudo {
        chown(&file, Some(uid), Some(gid))
            .with_context(|| format!("cannot give {} to user {uid}", file.display()))?;
    }
    Ok(text)
}

fn key(dir: &Path) -> anyhow::Result<[u8; KEY_BYTES]> {
    let file = dir.join("key");
    match read_small(&file)? {
        Some(bytes) => bytes.try_into().map_err(|_| {
            let message = format!("{} is not a key of {KEY_BYTES} bytes", file.display());
            Fault::failed("key_damaged", message)
                .hint("put the right file back; without it stored secrets cannot be read")
                .into()
        }),
        None => {
            let key = random()?;
            write_secret(&file, &key)?;
            Ok(key)
        }
    }
}

fn read_small(file: &Path) -> anyhow::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    match File::open(file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        opened => opened.and_then(|opened| opened.take(SMALL_BYTES).read_to_end(&mut bytes)),
    }
    .with_context(|| format!("cannot read {}", file.display()))?;
    Ok(Some(bytes))
}

/// Writes a file that is whole or absent, and that nobody else could ever read.
fn write_secret(file: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let part = file.with_extension("part");
    let write = || -> std::io::Result<()> {
        let mut out = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&part)?;
        out.write_all(bytes)?;
        out.sync_all()?;
        std::fs::rename(&part, file)
    };
    write().with_context(|| format!("cannot write {}", file.display()))
}

fn random<const N: usize>() -> anyhow::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|error| anyhow::anyhow!("the system gave no random bytes: {error}"))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::fault_of;

    fn mode(file: &Path) -> u32 {
        std::fs::metadata(file).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn secrets_stay_the_same_and_are_closed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data");
        let first = DataDir::open(&path, None).unwrap();
        let (token, key) = (first.token.clone(), first.key);
        assert_eq!(
            (mode(&path), mode(&path.join("token")), mode(&path.join("key"))),
            (0o700, 0o600, 0o600)
        );
        drop(first);
        let second = DataDir::open(&path, None).unwrap();
        assert_eq!((second.token.as_str(), second.key), (token.as_str(), key));
        assert!(token.starts_with("cx_") && token.len() == 43);
    }

    #[test]
    fn a_second_server_is_refused_and_the_first_one_named() {
        let dir = tempfile::tempdir().unwrap();
        let _first = DataDir::open(dir.path(), None).unwrap();
        let fault = fault_of(&DataDir::open(dir.path(), None).unwrap_err());
        assert_eq!(fault.code, "data_in_use");
        assert!(
            fault.message.contains(&format!("process {}", std::process::id())),
            "{}",
            fault.message
        );
    }

    #[test]
    fn a_damaged_key_is_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("key"), "short").unwrap();
        assert_eq!(
            fault_of(&DataDir::open(dir.path(), None).unwrap_err()).code,
            "key_damaged"
        );
        assert_eq!(std::fs::read(dir.path().join("key")).unwrap(), b"short");
    }
}
