//! What npm reads: manifests and locks of all workspaces, its settings, and files that name a version.

use model::tree::Entry;
use model::{Failure, Plan, Tree};

use crate::plan::Manifest;
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

/// The files that count; `None` where that is not known.
pub(super) fn read(
    plan: &Plan,
    tree: &Tree,
    source: &dyn SourceFiles,
) -> Result<Option<Vec<Entry>>, Failure> {
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
    Ok(Some(entries))
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
