//! What `cx up --dev` is besides `cx up`: the development server runs over the directory itself, so a save needs no
//! deployment; what decides how it is installed and started does.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use control::ops::PROOF_PREFIX;
use model::Tree;
use model::tree::Entry;

use crate::client::{Client, Live};
use crate::exit::Fault;

const PROOF_BYTES: usize = 16;
/// Files that decide what is installed and how the server is started, wherever they lie.
const DECIDING: [&str; 9] = [
    "package.json",
    "package-lock.json",
    "npm-shrinkwrap.json",
    "pnpm-lock.yaml",
    "yarn.lock",
    ".npmrc",
    ".nvmrc",
    ".node-version",
    "cx.toml",
];

/// Refuses a server that cannot see the directory.
pub(super) fn check(client: &Client) -> Result<(), Fault> {
    if client.address().local().is_some() {
        return Ok(());
    }
    let message = format!(
        "--dev runs over a directory of the server's own machine, and {} is elsewhere",
        client.address().text()
    );
    Err(Fault::usage(message)
        .hint("leave --dev away: every save is deployed; or use a server on this machine"))
}

/// Whether the server has to be started anew.
pub(super) fn decides(before: &Tree, after: &Tree) -> bool {
    let deciding = |tree: &Tree| -> Vec<Entry> {
        let entries = tree.entries().iter().filter(|entry| {
            let name = entry.path.as_str().rsplit('/').next().unwrap_or_default();
            DECIDING.contains(&name)
        });
        entries.cloned().collect()
    };
    deciding(before) != deciding(after)
}

/// A file that shows that we can write to a directory; gone when this is dropped.
pub(super) struct Proof {
    file: PathBuf,
    pub(super) live: Live,
}

impl Proof {
    pub(super) fn make(directory: &Path) -> anyhow::Result<Self> {
        let directory = directory
            .canonicalize()
            .with_context(|| format!("cannot look into {}", directory.display()))?;
        let mut secret = [0; PROOF_BYTES];
        getrandom::fill(&mut secret).map_err(|error| anyhow::anyhow!("there is no randomness: {error}"))?;
        let name = format!("{PROOF_PREFIX}{}", data_encoding::HEXLOWER.encode(&secret));
        let file = directory.join(&name);
        File::create_new(&file).map_err(|error| {
            Fault::failed(
                "directory_read_only",
                format!("cannot write to {}: {error}", directory.display()),
            )
            .hint("a development server needs a directory that you can write to")
        })?;
        Ok(Self {
            file,
            live: Live {
                directory: directory.to_string_lossy().into_owned(),
                proof: name,
            },
        })
    }
}

impl Drop for Proof {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.file) {
            tracing::warn!(%error, "{} could not be removed", self.file.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::tree;

    #[test]
    fn only_what_decides_starts_it_anew() {
        let before = tree(&[
            ("package.json", "1"),
            ("src/a.js", "1"),
            ("web/package.json", "1"),
        ]);
        let table: [(&[(&str, &str)], bool); 4] = [
            (
                &[
                    ("package.json", "1"),
                    ("src/a.js", "2"),
                    ("web/package.json", "1"),
                ],
                false,
            ),
            (
                &[
                    ("package.json", "2"),
                    ("src/a.js", "1"),
                    ("web/package.json", "1"),
                ],
                true,
            ),
            (&[("package.json", "1"), ("src/a.js", "1")], true),
            (
                &[
                    ("cx.toml", "1"),
                    ("package.json", "1"),
                    ("src/a.js", "1"),
                    ("web/package.json", "1"),
                ],
                true,
            ),
        ];
        for (after, expected) in table {
            assert_eq!(decides(&before, &tree(after)), expected, "{after:?}");
        }
    }

    #[test]
    fn the_proof_goes_again() {
        let directory = tempfile::tempdir().unwrap();
        let proof = Proof::make(directory.path()).unwrap();
        assert!(directory.path().join(&proof.live.proof).exists());
        drop(proof);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
