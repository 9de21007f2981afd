//! Copying an installation into a staging directory.
//!
//! Guards against taking along more than the toolchain: each kind says what it needs. Links must stay inside; a link that
//! leads out means that the installation is not self-contained, unless the kind does without it.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Component, Path};

use model::Digest;
use sha2::{Digest as _, Sha256};

/// Files of one toolchain at the most.
const ENTRIES_MAX: usize = 50_000;

/// A copy in progress.
pub(super) struct Copy {
    hash: Sha256,
    entries: usize,
    left_out: Vec<&'static str>,
    left_out_starts: Vec<&'static str>,
    outward: Outward,
}

/// What is done with a link that leads out of what is copied.
#[derive(PartialEq)]
enum Outward {
    Refused,
    LeftOut,
}

impl Copy {
    pub(super) fn new() -> Self {
        Self {
            hash: Sha256::new(),
            entries: 0,
            left_out: Vec::new(),
            left_out_starts: Vec::new(),
            outward: Outward::Refused,
        }
    }

    /// From now on, leaves out what is named so, or begins so, wherever it lies.
    pub(super) fn leave_out(&mut self, names: &[&'static str], starts: &[&'static str]) {
        self.left_out = names.to_vec();
        self.left_out_starts = starts.to_vec();
    }

    /// From now on, links that lead out are no reason to refuse an installation.
    pub(super) fn leave_outward_links(&mut self) {
        self.outward = Outward::LeftOut;
    }

    /// Copies all files below `from` to the new directory `to`.
    pub(super) fn directory(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        self.below(from, to, 0)
    }

    fn below(&mut self, from: &Path, to: &Path, depth: usize) -> io::Result<()> {
        fs::create_dir(to)?;
        let mut names: Vec<_> = fs::read_dir(from)?.collect::<Result<Vec<_>, _>>()?;
        names.retain(|entry| !self.leaves_out(&entry.file_name().to_string_lossy()));
        names.sort_by_key(fs::DirEntry::file_name);
        for entry in names {
            self.entries += 1;
            if self.entries > ENTRIES_MAX {
                return Err(io::Error::other("it holds more files than a toolchain has"));
            }
            let (name, kind) = (entry.file_name(), entry.file_type()?);
            self.hash.update(name.as_encoded_bytes());
            let to = to.join(&name);
            if kind.is_dir() {
                self.below(&entry.path(), &to, depth + 1)?;
            } else if kind.is_symlink() {
                self.link(&entry.path(), &to, depth)?;
            } else if kind.is_file() {
                self.file(&entry.path(), &to)?;
            }
        }
        Ok(())
    }

    fn leaves_out(&self, name: &str) -> bool {
        self.left_out.contains(&name) || self.left_out_starts.iter().any(|start| name.starts_with(start))
    }

    fn link(&mut self, from: &Path, to: &Path, depth: usize) -> io::Result<()> {
        let target = fs::read_link(from)?;
        if stays_inside(&target, depth) {
            self.hash.update(target.as_os_str().as_encoded_bytes());
            return symlink(target, to);
        }
        match self.outward {
            Outward::LeftOut => Ok(()),
            Outward::Refused => Err(io::Error::other(format!("{} leads out of it", from.display()))),
        }
    }

    /// Copies one file. It keeps its time, by which tools know that what they derived from it is up to date.
    pub(super) fn file(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        fs::copy(from, to)?;
        self.finish(from, to)
    }

    /// Copies one file with some of its bytes changed.
    pub(super) fn changed(
        &mut self,
        from: &Path,
        to: &Path,
        change: impl FnOnce(&mut [u8]),
    ) -> io::Result<()> {
        let mut bytes = fs::read(from)?;
        change(&mut bytes);
        fs::write(to, bytes)?;
        self.finish(from, to)
    }

    fn finish(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let metadata = fs::metadata(from)?;
        let executable = metadata.permissions().mode() & 0o111 != 0;
        fs::set_permissions(
            to,
            fs::Permissions::from_mode(if executable { 0o755 } else { 0o644 }),
        )?;
        // What was copied counts, not what lies there a moment later.
        let mut copied = fs::File::options().read(true).write(true).open(to)?;
        copied.set_modified(metadata.modified()?)?;
        self.hash.update(copied.metadata()?.len().to_le_bytes());
        io::copy(&mut copied, &mut Hashing(&mut self.hash))?;
        Ok(())
    }

    /// The digest of everything that was copied.
    pub(super) fn digest(self) -> Digest {
        Digest::from_bytes(self.hash.finalize().into())
    }
}

struct Hashing<'a>(&'a mut Sha256);

impl io::Write for Hashing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whether a link `depth` directories below the top stays below it.
fn stays_inside(target: &Path, depth: usize) -> bool {
    let mut depth = depth;
    for component in target.components() {
        match component {
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::ParentDir if depth > 0 => depth -= 1,
            _ => return false,
        }
    }
    true
}
