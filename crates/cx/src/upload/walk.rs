//! Lists what of a directory travels. Never follows a link, and looks into nothing that is left out.

use std::fs::{DirEntry, Metadata};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use model::limits::{FILE_BYTES_MAX, SOURCE_BYTES_MAX};
use model::tree::{ENTRIES_MAX, PATH_BYTES_MAX};
use model::units::format_bytes;

use super::git::Tracked;
use super::hash::unread;
use super::largest::largest;
use super::rules::{Candidate, Rules, Verdict};
use crate::exit::Fault;

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) files: Vec<FoundFile>,
    pub(super) links: Vec<FoundLink>,
    /// Every directory that was looked into, the root first.
    pub(super) directories: Vec<FoundDirectory>,
    /// What was left out that the person should hear about, in the order found.
    pub(super) notes: Vec<String>,
}

/// A file that travels.
#[derive(Clone, Debug)]
pub(super) struct FoundFile {
    /// Relative, with `/`.
    pub(super) path: String,
    pub(super) on_disk: PathBuf,
    pub(super) stamp: Stamp,
    pub(super) executable: bool,
}

/// A directory, and which one it is: another may come by the same name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FoundDirectory {
    pub(crate) path: PathBuf,
    pub(crate) inode: u64,
}

/// A symbolic link, kept as one.
#[derive(Clone, Debug)]
pub(super) struct FoundLink {
    pub(super) path: String,
    pub(super) target: String,
}

/// By which a file that did not change is known again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Stamp {
    pub(super) size_bytes: u64,
    pub(super) modified_ns: i128,
    pub(super) changed_ns: i128,
    pub(super) inode: u64,
}

/// Lists `root`, an absolute path without links; `tracked` is what git tracks in it.
pub(super) fn walk(root: &Path, tracked: Arc<Tracked>) -> anyhow::Result<Found> {
    let mut walk = Walk {
        rules: Rules::new(root, tracked)?,
        found: Found::default(),
        bytes: 0,
        secrets: Vec::new(),
    };
    let metadata = std::fs::metadata(root).with_context(|| format!("cannot look at {}", root.display()))?;
    walk.directory((root, metadata.ino()), "", false)?;
    walk.notes_on_secrets();
    Ok(walk.found)
}

struct Walk {
    rules: Rules,
    found: Found,
    bytes: u64,
    secrets: Vec<String>,
}

impl Walk {
    fn directory(
        &mut self,
        (dir, inode): (&Path, u64),
        prefix: &str,
        only_tracked: bool,
    ) -> anyhow::Result<()> {
        self.found.directories.push(FoundDirectory {
            path: dir.to_owned(),
            inode,
        });
        let mark = self.rules.enter(dir)?;
        let listing = std::fs::read_dir(dir).and_then(Iterator::collect::<std::io::Result<Vec<DirEntry>>>);
        let mut entries = listing.map_err(|error| unread(dir, &error))?;
        entries.sort_by_key(DirEntry::file_name);
        let beside_manifest = entries.iter().any(|entry| entry.file_name() == "package.json");
        for entry in entries {
            let (path, name) = utf8_path(prefix, &entry)?;
            let metadata = match entry.metadata() {
                Ok(metadata) => metadata,
                // Editors and build tools remove files while we look.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error).with_context(|| format!("cannot look at {path}")),
            };
            let is_dir = metadata.is_dir();
            let candidate = Candidate {
                path: &path,
                name: &name,
                is_dir,
                only_tracked,
                beside_manifest,
            };
            match self.rules.judge(&candidate) {
                Verdict::Take if is_dir => self.directory((&entry.path(), metadata.ino()), &path, false)?,
                Verdict::OnlyTracked => self.directory((&entry.path(), metadata.ino()), &path, true)?,
                Verdict::Take => self.leaf(path, entry.path(), &metadata)?,
                Verdict::Ignored | Verdict::Repository => {}
                Verdict::Secret => self.secrets.push(path),
                Verdict::Dependencies => {
                    self.found.notes.push(format!(
                        "left out {path}: dependencies are installed from package.json"
                    ));
                }
            }
        }
        self.rules.leave(mark);
        Ok(())
    }

    fn leaf(&mut self, path: String, on_disk: PathBuf, metadata: &Metadata) -> anyhow::Result<()> {
        if self.found.files.len() + self.found.links.len() >= ENTRIES_MAX {
            let message = format!("the directory holds more than {ENTRIES_MAX} files");
            let counted = self.found.files.iter().map(|file| (file.path.as_str(), 1));
            let shown = |count: u64| format!("{count} files");
            return Err(Fault::failed("too_many_files", message)
                .hint(leave_out(largest(counted), shown))
                .into());
        }
        if metadata.is_symlink() {
            let target =
                std::fs::read_link(&on_disk).with_context(|| format!("cannot read the link {path}"))?;
            let Some(target) = target.to_str() else {
                return Err(not_utf8(&target.to_string_lossy()).into());
            };
            self.found.links.push(FoundLink {
                path,
                target: target.to_owned(),
            });
        } else if metadata.is_file() {
            self.check_size(&path, metadata.len())?;
            let executable = metadata.mode() & 0o100 != 0;
            self.found.files.push(FoundFile {
                path,
                on_disk,
                stamp: Stamp::of(metadata),
                executable,
            });
        } else {
            self.found
                .notes
                .push(format!("left out {path}: {} cannot be deployed", kind(metadata)));
        }
        Ok(())
    }

    fn check_size(&mut self, path: &str, size_bytes: u64) -> Result<(), Fault> {
        self.bytes = self.bytes.saturating_add(size_bytes);
        if size_bytes > FILE_BYTES_MAX {
            let (size, most) = (format_bytes(size_bytes), format_bytes(FILE_BYTES_MAX));
            let message = format!("{path} is {size}, and a file may be {most} at the most");
            let hint = format!(
                "leave it out with the line `/{path}` in .cxignore, and let the app fetch it when it runs"
            );
            return Err(Fault::failed("too_large", message).hint(hint));
        }
        if self.bytes > SOURCE_BYTES_MAX {
            let most = format_bytes(SOURCE_BYTES_MAX);
            let message = format!("the files are more than {most} together, and no more are taken");
            let sizes = self
                .found
                .files
                .iter()
                .map(|file| (file.path.as_str(), file.stamp.size_bytes));
            let hint = leave_out(largest(sizes), format_bytes);
            return Err(Fault::failed("too_large", message).hint(hint));
        }
        Ok(())
    }

    fn notes_on_secrets(&mut self) {
        if self.secrets.is_empty() {
            return;
        }
        let names = self.secrets.join(", ");
        self.found.notes.push(format!(
            "withheld {names}: not tracked by git, may hold secrets; set variables with `cx env set`, or let a file \
             through with `!name` in .cxignore"
        ));
    }
}

impl Stamp {
    pub(super) fn of(metadata: &Metadata) -> Self {
        let nanoseconds = |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
        Self {
            size_bytes: metadata.len(),
            modified_ns: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
            changed_ns: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
            inode: metadata.ino(),
        }
    }
}

/// What to do about too much.
fn leave_out(largest: Vec<(String, u64)>, shown: impl Fn(u64) -> String) -> String {
    let named: Vec<String> = largest
        .into_iter()
        .map(|(path, weight)| format!("`{path}` ({})", shown(weight)))
        .collect();
    match named.is_empty() {
        true => "leave out what is not needed in .cxignore".to_owned(),
        false => format!(
            "leave out what is not needed in .cxignore; the most lies in {}",
            named.join(", ")
        ),
    }
}

fn utf8_path(prefix: &str, entry: &DirEntry) -> Result<(String, String), Fault> {
    let name = entry.file_name();
    let Some(name) = name.to_str() else {
        return Err(not_utf8(&entry.path().to_string_lossy()));
    };
    let path = if prefix.is_empty() {
        name.to_owned()
    } else {
        format!("{prefix}/{name}")
    };
    // The server would refuse it too, but only when everything else has been read.
    if path.chars().any(char::is_control) {
        let message = format!("the name {path:?} holds a control character");
        return Err(Fault::failed("name_not_plain", message)
            .hint("rename the file, or leave out its directory in .cxignore"));
    }
    if path.len() > PATH_BYTES_MAX {
        let start: String = path.chars().take(60).collect();
        let message = format!("the path `{start}…` is longer than the {PATH_BYTES_MAX} bytes that are taken");
        return Err(Fault::failed("path_too_long", message)
            .hint("shorten its names, or leave out its directory in .cxignore"));
    }
    Ok((path, name.to_owned()))
}

fn not_utf8(shown: &str) -> Fault {
    Fault::failed("name_not_utf8", format!("the name `{shown}` is not UTF-8"))
        .hint("rename the file, or leave out its directory in .cxignore")
}

fn kind(metadata: &Metadata) -> &'static str {
    let kind = metadata.file_type();
    if kind.is_socket() {
        "a socket"
    } else if kind.is_fifo() {
        "a pipe"
    } else {
        "a device"
    }
}

#[cfg(test)]
#[path = "walk_tests.rs"]
mod tests;
