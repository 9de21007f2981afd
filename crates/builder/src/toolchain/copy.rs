//! Copying an installation into a staging directory.
//!
//! Guards against taking along more than the toolchain: of Node its program and headers, of npm its own directory.
//! Links must stay inside; a link that leads out means that the installation is not self-contained.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Component, Path};

use model::Digest;
use sha2::{Digest as _, Sha256};

/// Files of one toolchain at the most.
const ENTRIES_MAX: usize = 50_000;

/// Copies Node from `prefix` to `to` and gives the digest of what was copied.
pub(super) fn node(prefix: &Path, to: &Path) -> io::Result<Digest> {
    let mut copy = Copy {
        hash: Sha256::new(),
        entries: 0,
    };
    fs::create_dir(to.join("bin"))?;
    copy.file(&prefix.join("bin/node"), &to.join("bin/node"))?;
    let headers = prefix.join("include/node");
    if headers.is_dir() {
        fs::create_dir(to.join("include"))?;
        copy.directory(&headers, &to.join("include/node"), 0)?;
    }
    Ok(copy.digest())
}

/// Copies npm from `prefix` to `to` and gives the digest of what was copied.
pub(super) fn npm(prefix: &Path, to: &Path) -> io::Result<Digest> {
    let mut copy = Copy {
        hash: Sha256::new(),
        entries: 0,
    };
    fs::create_dir_all(to.join("lib/node_modules"))?;
    copy.directory(
        &prefix.join("lib/node_modules/npm"),
        &to.join("lib/node_modules/npm"),
        0,
    )?;
    link_npm(to)?;
    Ok(copy.digest())
}

/// `bin/npm` and `bin/npx`, as every distribution has them.
pub(super) fn link_npm(to: &Path) -> io::Result<()> {
    fs::create_dir_all(to.join("bin"))?;
    for name in ["npm", "npx"] {
        let program = format!("lib/node_modules/npm/bin/{name}-cli.js");
        fs::set_permissions(to.join(&program), fs::Permissions::from_mode(0o755))?;
        symlink(format!("../{program}"), to.join("bin").join(name))?;
    }
    Ok(())
}

struct Copy {
    hash: Sha256,
    entries: usize,
}

impl Copy {
    fn directory(&mut self, from: &Path, to: &Path, depth: usize) -> io::Result<()> {
        fs::create_dir(to)?;
        let mut names: Vec<_> = fs::read_dir(from)?.collect::<Result<Vec<_>, _>>()?;
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
                self.directory(&entry.path(), &to, depth + 1)?;
            } else if kind.is_symlink() {
                let target = fs::read_link(entry.path())?;
                if !stays_inside(&target, depth) {
                    let what = format!("{} leads out of it", entry.path().display());
                    return Err(io::Error::other(what));
                }
                self.hash.update(target.as_os_str().as_encoded_bytes());
                symlink(target, to)?;
            } else if kind.is_file() {
                self.file(&entry.path(), &to)?;
            }
        }
        Ok(())
    }

    fn file(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        fs::copy(from, to)?;
        let executable = fs::metadata(from)?.permissions().mode() & 0o111 != 0;
        fs::set_permissions(
            to,
            fs::Permissions::from_mode(if executable { 0o755 } else { 0o644 }),
        )?;
        // What was copied counts, not what lies there a moment later.
        let mut copied = fs::File::open(to)?;
        self.hash.update(copied.metadata()?.len().to_le_bytes());
        io::copy(&mut copied, &mut Hashing(&mut self.hash))?;
        Ok(())
    }

    fn digest(self) -> Digest {
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
pub(super) fn stays_inside(target: &Path, depth: usize) -> bool {
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
