//! What an install step can read, so that its layer is named by exactly that.
//!
//! Guards against a layer that is reused though something it was made of has changed: the step runs over a tree that
//! holds only the files that count. Where that set is not known (a command of the project's own, install hooks,
//! dependencies inside the source, settings that name other files), it runs over the whole source and is named by it.
//! Each language has a file that knows what its package managers read.

mod cargo;
mod go;
mod npm;
mod python;

use std::fs;
use std::io;
use std::path::Path;

use model::plan::Step;
use model::tree::Entry;
use model::{Failure, Plan, Tree};
use rustix::fs::XattrFlags;

use crate::plan::{is_cargo_install, is_go_install, is_npm_install, is_python_install};
use crate::source::SourceFiles;

/// Directories that an install owns as a whole: what it wrote there is all there is.
const OWNED: [&str; 2] = ["node_modules", ".venv"];

/// The part of `tree` that the install step of `plan` can read, or `None` when that is all of it.
pub(super) fn scope(
    plan: &Plan,
    step: &Step,
    tree: &Tree,
    source: &dyn SourceFiles,
) -> Result<Option<Tree>, Failure> {
    let command = step.command.as_str();
    let read: Option<Vec<Entry>> = match () {
        () if is_npm_install(command) => npm::read(plan, tree, source)?,
        () if is_python_install(command) => python::read(tree, source),
        () if is_go_install(command) => Some(go::read(tree)),
        () if is_cargo_install(command) => cargo::read(tree, source),
        () => None,
    };
    Ok(read.and_then(|entries| Tree::new(entries).ok()))
}

/// Takes the mark "opaque" from directories of an upper layer that was written over only a part of a source.
///
/// Some kernels mark every directory that overlay makes where there was none, as an optimisation. Over the whole source
/// there may be one, and the mark would hide it. Directories that the
/// install owns keep it.
pub(super) fn unhide(upper: &Path, installed_over: &Tree) -> io::Result<()> {
    let mut waiting = vec![String::new()];
    while let Some(below) = waiting.pop() {
        for entry in fs::read_dir(upper.join(&below))? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            if !entry.file_type()?.is_dir() || OWNED.contains(&name.as_str()) {
                continue;
            }
            let path = if below.is_empty() {
                name
            } else {
                format!("{below}/{name}")
            };
            if !installed_over.has_directory(&path) {
                clear_opaque(&entry.path())?;
            }
            waiting.push(path);
        }
    }
    Ok(())
}

fn clear_opaque(dir: &Path) -> io::Result<()> {
    let mut value = [0; 4];
    match rustix::fs::lgetxattr(dir, "user.overlay.opaque", &mut value) {
        Ok(1) if value[0] == b'y' => {
            // Any value but `y` means nothing to overlay.
            rustix::fs::lsetxattr(dir, "user.overlay.opaque", b"n", XattrFlags::empty())?;
            Ok(())
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use model::tree::Node;
    use model::{Digest, TreePath};

    use super::*;

    #[test]
    fn marks_stay_only_where_something_was_replaced() {
        let upper = tempfile::tempdir().unwrap();
        let opaque = |path: &str| {
            let mut value = [0; 4];
            let size = rustix::fs::lgetxattr(upper.path().join(path), "user.overlay.opaque", &mut value);
            size == Ok(1) && value[0] == b'y'
        };
        for path in ["lib/inner", "node_modules", "packages/a/made", "replaced"] {
            let dir = upper.path().join(path);
            fs::create_dir_all(&dir).unwrap();
            rustix::fs::lsetxattr(&dir, "user.overlay.opaque", b"y", XattrFlags::empty()).unwrap();
        }
        let entry = |path: &str| Entry {
            path: TreePath::new(path).unwrap(),
            node: Node::File {
                digest: Digest::of(b""),
                size_bytes: 0,
                executable: false,
            },
        };
        let over = Tree::new(vec![
            entry("packages/a/package.json"),
            entry("replaced/package.json"),
        ])
        .unwrap();
        unhide(upper.path(), &over).unwrap();
        assert!(!opaque("lib/inner") && !opaque("packages/a/made"));
        assert!(opaque("node_modules") && opaque("replaced"));
    }
}
