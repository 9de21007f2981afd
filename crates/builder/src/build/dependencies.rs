//! What an install step can read, so that its layer is named by exactly that.
//!
//! Guards against a layer that is reused though something it was made of has changed: the step runs over a tree that
//! holds only the files that count. Where that set is not known (a command of the project's own, install hooks,
//! dependencies inside the source, settings that name other files), it runs over the whole source and is named by it.

use std::fs;
use std::io;
use std::path::Path;

use model::plan::Step;
use model::tree::Entry;
use model::{Failure, Plan, Tree};
use rustix::fs::XattrFlags;

use crate::plan::{Manifest, is_own_install};
use crate::source::SourceFiles;

/// Files that npm reads, wherever they lie.
const READ_BY_NPM: [&str; 7] = [
    "package.json",
    "package-lock.json",
    "npm-shrinkwrap.json",
    ".npmrc",
    ".nvmrc",
    ".node-version",
    ".npmignore",
];

/// Settings of npm that make it read other files or run something.
const FAR_SETTINGS: [&str; 6] = [
    "cafile",
    "certfile",
    "keyfile",
    "script-shell",
    "node-options",
    "userconfig",
];

/// The part of `tree` that the install step of `plan` can read, or `None` when that is all of it.
pub(super) fn scope(
    plan: &Plan,
    step: &Step,
    tree: &Tree,
    source: &dyn SourceFiles,
) -> Result<Option<Tree>, Failure> {
    if !is_own_install(&step.command) {
        return Ok(None);
    }
    let mut entries: Vec<Entry> = Vec::new();
    for entry in tree.entries() {
        let (path, name) = (entry.path.as_str(), entry.path.file_name());
        if in_node_modules(path) {
            continue;
        }
        if name == "binding.gyp"
            || path.starts_with("patches/")
            || name == ".npmrc" && reaches_far(path, source)
        {
            return Ok(None);
        }
        if !READ_BY_NPM.contains(&name) {
            continue;
        }
        if name == "package.json" && !is_self_contained(path, plan, source)? {
            return Ok(None);
        }
        entries.push(entry.clone());
    }
    Ok(Tree::new(entries).ok())
}

/// Takes the mark "opaque" from directories of an upper layer that was written over only a part of a source.
///
/// Some kernels mark every directory that overlay makes where there was none, as an optimisation. Over the whole source
/// there may be one, and the mark would hide it. Directories of `node_modules` keep it: what install wrote is all there is.
pub(super) fn unhide(upper: &Path, installed_over: &Tree) -> io::Result<()> {
    let mut waiting = vec![String::new()];
    while let Some(below) = waiting.pop() {
        for entry in fs::read_dir(upper.join(&below))? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            if !entry.file_type()?.is_dir() || name == "node_modules" {
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

/// Whether an install of this package runs nothing of the project's own and reads nothing else of it.
fn is_self_contained(path: &str, plan: &Plan, source: &dyn SourceFiles) -> Result<bool, Failure> {
    let Ok(bytes) = source.read(path) else {
        return Ok(false);
    };
    match Manifest::parse(path, &String::from_utf8_lossy(&bytes)) {
        Ok(manifest) => Ok(manifest.install_hook().is_none() && manifest.local_dependency().is_none()),
        // A broken manifest elsewhere, such as a test's fixture, is not ours to judge.
        Err(failure) if path == manifest_path(plan) => Err(failure),
        Err(_) => Ok(true),
    }
}

fn manifest_path(plan: &Plan) -> String {
    if plan.root.is_empty() {
        "package.json".to_owned()
    } else {
        format!("{}/package.json", plan.root)
    }
}

fn reaches_far(path: &str, source: &dyn SourceFiles) -> bool {
    let Ok(bytes) = source.read(path) else { return true };
    let text = String::from_utf8_lossy(&bytes);
    FAR_SETTINGS.iter().any(|setting| text.contains(setting))
}

fn in_node_modules(path: &str) -> bool {
    path.starts_with("node_modules/") || path.contains("/node_modules/")
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
