//! A live directory: a development server runs over a directory of this machine, and may write to it.
//!
//! Guards against a token that becomes a key to the whole machine: whoever names a directory has to show that he can
//! write to it, by a file that he made there just now. So only who works on this machine can name one, and only one of
//! his own, whatever stands between him and the server. The platform's own data is never one.

use std::fs;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use super::{Kind, OpError};
use crate::control::Control;

/// How the names of files begin that show that somebody can write to a directory.
pub const PROOF_PREFIX: &str = ".cygni-proof-";
/// How old such a file may be.
const PROOF_AGE: Duration = Duration::from_secs(60);
/// The part of its name that nobody guesses.
const PROOF_BYTES: std::ops::RangeInclusive<usize> = 16..=64;

/// A directory of this machine, and what shows that it may be named.
#[derive(Clone, Debug)]
pub struct LiveDirectory {
    /// Absolute, without links.
    pub path: String,
    /// The name of a file in it that was made just now.
    pub proof: String,
}

impl Control {
    /// The path, where it may be used.
    pub(super) async fn check_live(&self, live: LiveDirectory) -> Result<String, OpError> {
        let data = self.inner.logs.parent().map(Path::to_owned).unwrap_or_default();
        let checked = tokio::task::spawn_blocking(move || check(&live, &data).map(|()| live.path));
        checked.await.map_err(OpError::internal)?
    }
}

fn check(live: &LiveDirectory, data: &Path) -> Result<(), OpError> {
    let path = PathBuf::from(&live.path);
    let plain = path
        .components()
        .all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
    let real = fs::canonicalize(&path)
        .ok()
        .filter(|real| *real == path && real.is_dir());
    if !plain || !path.is_absolute() || real.is_none() || path.parent().is_none() {
        let message = format!(
            "`{}` is not a directory of this machine by its real name",
            live.path
        );
        return Err(OpError::invalid("invalid_live_directory", message)
            .hint("Give its absolute path, without links; it has to be on the machine of the server."));
    }
    let data = fs::canonicalize(data).unwrap_or_else(|_| data.to_owned());
    if path.starts_with(&data) || data.starts_with(&path) {
        let message = format!("`{}` holds the platform's own data or lies in it", live.path);
        return Err(OpError::new(Kind::Forbidden, "live_directory_refused", message));
    }
    match is_proven(&path, &live.proof) {
        true => Ok(()),
        false => {
            let message = format!("nothing shows that whoever asks can write to `{}`", live.path);
            Err(OpError::new(Kind::Forbidden, "live_directory_refused", message)
                .hint("`cx up --dev` on the machine of the server shows it; a directory cannot be named from afar."))
        }
    }
}

fn is_proven(directory: &Path, name: &str) -> bool {
    let Some(secret) = name.strip_prefix(PROOF_PREFIX) else {
        return false;
    };
    if !PROOF_BYTES.contains(&secret.len()) || !secret.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return false;
    }
    let Ok(found) = fs::symlink_metadata(directory.join(name)) else {
        return false;
    };
    let fresh = found
        .modified()
        .is_ok_and(|at| at.elapsed().unwrap_or_default() <= PROOF_AGE);
    found.is_file() && fresh
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROOF: &str = ".cygni-proof-0123456789abcdef";

    fn code(path: &Path, proof: &str, data: &Path) -> Option<&'static str> {
        let live = LiveDirectory {
            path: path.to_string_lossy().into_owned(),
            proof: proof.to_owned(),
        };
        check(&live, data).err().map(|error| error.code)
    }

    #[test]
    fn only_who_can_write_to_a_directory_may_name_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().canonicalize().unwrap();
        let data = Path::new("/nowhere/data");
        assert_eq!(code(&path, PROOF, data), Some("live_directory_refused"));
        fs::write(path.join(PROOF), "").unwrap();
        assert_eq!(code(&path, PROOF, data), None);
        for proof in [
            "",
            ".cygni-proof-",
            "index.html",
            ".cygni-proof-../../x",
            ".cygni-proof-short",
        ] {
            assert_eq!(
                code(&path, proof, data),
                Some("live_directory_refused"),
                "{proof}"
            );
        }
        let old = fs::File::options().write(true).open(path.join(PROOF)).unwrap();
        old.set_modified(std::time::SystemTime::now() - PROOF_AGE * 2)
            .unwrap();
        assert_eq!(
            code(&path, PROOF, data),
            Some("live_directory_refused"),
            "long ago"
        );
        fs::remove_file(path.join(PROOF)).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", path.join(PROOF)).unwrap();
        assert_eq!(code(&path, PROOF, data), Some("live_directory_refused"), "a link");
    }

    #[test]
    fn only_real_names_of_directories_count_and_never_our_own_data() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().canonicalize().unwrap();
        let (data, inner) = (path.join("data"), path.join("data/inner"));
        fs::create_dir_all(&inner).unwrap();
        for place in [&path, &data, &inner] {
            fs::write(place.join(PROOF), "").unwrap();
            assert_eq!(
                code(place, PROOF, &data),
                Some("live_directory_refused"),
                "{place:?}"
            );
        }
        std::os::unix::fs::symlink(&data, path.join("link")).unwrap();
        for wrong in [
            Path::new("relative"),
            Path::new("/"),
            &path.join("link"),
            &path.join("data/.."),
        ] {
            assert_eq!(
                code(wrong, PROOF, Path::new("/x/y")),
                Some("invalid_live_directory"),
                "{wrong:?}"
            );
        }
    }
}
