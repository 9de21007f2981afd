//! Which layer a key stands for.
//!
//! A key names its layer, until a rebuild makes another one: layers are immutable and may be in use, so the new one has
//! a name of its own, and a small file says that the key stands for it from now on.

use std::fs;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use model::Digest;
use model::Failure;
use model::failure::Code;
use store::{Staging, Store};

/// The scratch directory that holds the files.
const SCRATCH: &str = "rebuilt";

/// The layer that `key` stands for, if it is there.
pub(super) fn find(store: &Store, key: &Digest) -> Option<(Digest, PathBuf)> {
    let rebuilt = store
        .scratch(SCRATCH)
        .ok()
        .and_then(|dir| fs::read_to_string(dir.join(key.hex())).ok());
    let rebuilt = rebuilt.and_then(|text| text.parse::<Digest>().ok());
    let names = rebuilt.into_iter().chain([*key]);
    names.filter_map(|name| Some((name, store.layer(&name)?))).next()
}

/// Commits what was made for `key`; a rebuild replaces what the key stood for.
pub(super) fn commit(
    store: &Store,
    staging: Staging,
    key: &Digest,
    rebuild: bool,
) -> Result<(Digest, PathBuf), Failure> {
    let failed = |why: &dyn std::fmt::Display| {
        Failure::new(Code::PlatformError, format!("a layer could not be kept: {why}"))
    };
    if !rebuild {
        let path = staging.commit(key).map_err(|error| failed(&error))?;
        return Ok((*key, path));
    }
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_nanos());
    let name = Digest::of(format!("rebuilt {key} {now}").as_bytes());
    let path = staging.commit(&name).map_err(|error| failed(&error))?;
    let dir = store.scratch(SCRATCH).map_err(|error| failed(&error))?;
    let file = tempfile::NamedTempFile::new_in(&dir).map_err(|error| failed(&error))?;
    fs::write(file.path(), name.to_string()).map_err(|error| failed(&error))?;
    file.persist(dir.join(key.hex()))
        .map_err(|error| failed(&error))?;
    Ok((name, path))
}
