//! The package manager of a JavaScript project and its install step.
//!
//! Guards against installing with another manager than the project's own: its lock would be ignored. It does *not* know
//! how the manager itself is had; that is the toolchains' part.

use model::Failure;
use model::failure::Code;
use model::plan::Step;

use super::manifest::Manifest;
use crate::plan::language::Because;
use crate::plan::view::{View, join};

const CI: &str = "npm ci --replace-registry-host=always";
const INSTALL: &str = "npm install --replace-registry-host=always";

const NPM_LOCKS: [&str; 2] = ["package-lock.json", "npm-shrinkwrap.json"];
const OTHER_LOCKS: [(&str, &str); 4] = [
    ("pnpm-lock.yaml", "pnpm"),
    ("bun.lock", "bun"),
    ("bun.lockb", "bun"),
    ("yarn.lock", "yarn"),
];

/// The install step of the package manager that the project uses; the lock may lie above the root, in a workspace.
pub(super) fn install(view: &View<'_>, manifest: &Manifest) -> Result<Option<Because<Step>>, Failure> {
    let lock = lock(view);
    if let Some((manager, reason)) = other_manager(manifest, lock.as_deref()) {
        if !manifest.needs_install() && lock.is_none() {
            return Ok(None);
        }
        return Err(unavailable(&manager, &reason));
    }
    Ok(match lock {
        Some(lock) => Some(Because {
            what: Step {
                command: CI.to_owned(),
                fallback: Some(INSTALL.to_owned()),
            },
            reason: format!("npm ci, because {lock} is there"),
        }),
        None if manifest.needs_install() => Some(Because {
            what: Step {
                command: INSTALL.to_owned(),
                fallback: None,
            },
            reason: "npm install, because package.json has dependencies and there is no lock".to_owned(),
        }),
        None => None,
    })
}

/// Whether `command` is an install step made here, so that what it reads is known.
pub(crate) fn is_own_install(command: &str) -> bool {
    matches!(command, CI | INSTALL)
}

/// The nearest lock, upwards from the root; npm's own first.
fn lock(view: &View<'_>) -> Option<String> {
    for directory in view.upwards() {
        let others = OTHER_LOCKS.iter().map(|(lock, _)| *lock);
        for name in NPM_LOCKS.into_iter().chain(others) {
            let path = join(&directory, name);
            if view.has_in_source(&path) {
                return Some(path);
            }
        }
    }
    None
}

/// A package manager other than npm, and what asks for it.
fn other_manager(manifest: &Manifest, lock: Option<&str>) -> Option<(String, String)> {
    if let Some((name, version)) = manifest.package_manager() {
        let asked = || {
            (
                format!("{name} {version}"),
                "`packageManager` in package.json".to_owned(),
            )
        };
        return (name != "npm").then(asked);
    }
    let lock = lock?;
    let file = lock.rsplit('/').next().unwrap_or(lock);
    let (_, name) = OTHER_LOCKS.iter().find(|(known, _)| *known == file)?;
    Some(((*name).to_owned(), lock.to_owned()))
}

fn unavailable(manager: &str, reason: &str) -> Failure {
    let message = format!("the project is installed with {manager} ({reason}), and only npm can be had yet");
    Failure::new(Code::ToolchainUnavailable, message).hint(
        "Set `[build] install` in cx.toml, for example to `npx --yes pnpm install`, or commit a package-lock.json.",
    )
}
