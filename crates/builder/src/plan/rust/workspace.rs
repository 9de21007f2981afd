//! What Cargo's manifests say: packages, binaries, dependencies, and the version of Rust.
//!
//! Source: the Cargo book, "The Manifest Format", "Workspaces" and "Cargo Targets"; rustup's "Overrides". It does *not*
//! resolve features or targets; Cargo itself judges them.

use std::collections::BTreeSet;

use model::Failure;
use model::failure::Code;
use toml::{Table, Value};

use crate::plan::python::parse;
use crate::plan::view::{View, join, normalise};

/// A package, or a workspace of several.
#[derive(Debug, Default)]
pub(super) struct Workspace {
    /// Names of binaries that could serve: those of the root's package, else of all members.
    pub(super) binaries: Vec<String>,
    pub(super) default_run: Option<String>,
    /// Names of all packages of the source.
    pub(super) packages: BTreeSet<String>,
    pub(super) has_dependencies: bool,
    pub(super) is_locked: bool,
    rust_version: Option<String>,
}

impl Workspace {
    pub(super) fn read(view: &View<'_>) -> Result<Self, Failure> {
        let root = manifest(view, "")?.unwrap_or_default();
        let locks = view.upwards();
        let mut all = Self {
            is_locked: locks
                .iter()
                .any(|directory| view.has_in_source(&join(directory, "Cargo.lock"))),
            rust_version: text(&root, &["package", "rust-version"])
                .or_else(|| text(&root, &["workspace", "package", "rust-version"])),
            default_run: text(&root, &["package", "default-run"]),
            binaries: binaries(view, "", &root),
            ..Self::default()
        };
        let members = members(view, &root);
        let mut member_binaries = Vec::new();
        for path in view.files(|path| path == "Cargo.toml" || path.ends_with("/Cargo.toml")) {
            let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
            let Ok(Some(manifest)) = manifest(view, directory) else {
                continue;
            };
            all.packages.extend(text(&manifest, &["package", "name"]));
            all.has_dependencies |= has_dependencies(&manifest);
            if members.contains(directory) {
                member_binaries.extend(binaries(view, directory, &manifest));
                all.default_run = all
                    .default_run
                    .or_else(|| text(&manifest, &["package", "default-run"]));
            }
        }
        if all.binaries.is_empty() {
            all.binaries = member_binaries;
        }
        Ok(all)
    }
}

/// The range of Rust's versions that is asked for, and where.
pub(super) fn version(view: &View<'_>, workspace: &Workspace) -> Result<(String, String), Failure> {
    for directory in view.upwards() {
        for name in ["rust-toolchain.toml", "rust-toolchain"] {
            let path = join(&directory, name);
            let Some(said) = view.text_in_source(&path)? else {
                continue;
            };
            let table = said.parse::<Table>().ok();
            let channel = match &table {
                Some(table) => text(table, &["toolchain", "channel"]),
                None => said
                    .lines()
                    .map(str::trim)
                    .find(|line| !line.is_empty())
                    .map(str::to_owned),
            };
            let Some(channel) = channel else { continue };
            let reason = format!("{path} asks for Rust {channel}");
            return Ok((range(&channel, &path)?, reason));
        }
    }
    Ok(match &workspace.rust_version {
        Some(version) => (
            format!(">={version}"),
            format!("Cargo.toml asks for Rust {version} or newer"),
        ),
        None => ("*".to_owned(), "nothing asks for a version of Rust".to_owned()),
    })
}

/// `stable` is any release; a number without a patch stands for its line.
fn range(channel: &str, path: &str) -> Result<String, Failure> {
    // A host or a target may follow: `1.85.0-x86_64-unknown-linux-gnu`.
    let version = channel.split('-').next().unwrap_or(channel);
    if version == "stable" {
        return Ok("*".to_owned());
    }
    let is_number = version.starts_with(|c: char| c.is_ascii_digit());
    match is_number && version.split('.').all(|part| part.parse::<u64>().is_ok()) {
        true => Ok(version.to_owned()),
        false => {
            let message = format!("{path} asks for Rust `{channel}`, and only releases can be had");
            Err(Failure::new(Code::ToolchainUnavailable, message)
                .hint("Name a release in it, such as `channel = \"1.85\"`, or `stable`."))
        }
    }
}

fn manifest(view: &View<'_>, directory: &str) -> Result<Option<Table>, Failure> {
    let path = join(directory, "Cargo.toml");
    let said = view.text(&path)?;
    said.map(|said| parse(&join(view.root(), &path), &said))
        .transpose()
}

/// Directories of the workspace's members, with `*` standing for any one name.
fn members(view: &View<'_>, root: &Table) -> BTreeSet<String> {
    let listed = root
        .get("workspace")
        .and_then(|workspace| workspace.get("members"));
    let patterns: Vec<String> = listed
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|member| normalise(member.as_str()?))
        .collect();
    let manifests = view.files(|path| path.ends_with("/Cargo.toml"));
    let directories = manifests
        .iter()
        .filter_map(|path| path.strip_suffix("/Cargo.toml"));
    directories
        .filter(|directory| patterns.iter().any(|pattern| fits(pattern, directory)))
        .map(str::to_owned)
        .collect()
}

fn fits(pattern: &str, path: &str) -> bool {
    let (mut one, mut other) = (pattern.split('/'), path.split('/'));
    loop {
        match (one.next(), other.next()) {
            (None, None) => return true,
            (Some("**"), _) => return true,
            (Some(pattern), Some(name)) if fits_name(pattern, name) => {}
            _ => return false,
        }
    }
}

fn fits_name(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        Some((before, after)) => {
            name.len() >= before.len() + after.len() && name.starts_with(before) && name.ends_with(after)
        }
        None => pattern == name,
    }
}

/// Names of the binaries of the package in `directory`.
fn binaries(view: &View<'_>, directory: &str, manifest: &Table) -> Vec<String> {
    let Some(package) = text(manifest, &["package", "name"]) else {
        return Vec::new();
    };
    let mut names: BTreeSet<String> = BTreeSet::new();
    let bins = manifest.get("bin").and_then(Value::as_array);
    let mut own_main = false;
    for bin in bins.into_iter().flatten() {
        names.extend(bin.get("name").and_then(Value::as_str).map(str::to_owned));
        own_main |= bin.get("path").and_then(Value::as_str) == Some("src/main.rs");
    }
    let found = manifest
        .get("package")
        .and_then(|package| package.get("autobins"));
    if found.and_then(Value::as_bool) != Some(false) {
        if view.has(&join(directory, "src/main.rs")) && !own_main {
            names.insert(package);
        }
        let below = join(directory, "src/bin/");
        for path in view.files(|path| path.starts_with(&below)) {
            let inside = &path[below.len()..];
            let name = inside
                .strip_suffix("/main.rs")
                .or_else(|| inside.strip_suffix(".rs"));
            names.extend(name.filter(|name| !name.contains('/')).map(str::to_owned));
        }
    }
    names.into_iter().collect()
}

fn has_dependencies(manifest: &Table) -> bool {
    let filled = |table: Option<&Value>| {
        table
            .and_then(Value::as_table)
            .is_some_and(|table| !table.is_empty())
    };
    let names = ["dependencies", "build-dependencies", "dev-dependencies"];
    names.iter().any(|name| filled(manifest.get(*name))) || filled(manifest.get("target"))
}

fn text(table: &Table, path: &[&str]) -> Option<String> {
    let (first, rest) = path.split_first()?;
    let value = rest
        .iter()
        .try_fold(table.get(*first)?, |value, key| value.get(key))?;
    value.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_named_by_patterns() {
        assert!(fits("crates/*", "crates/web") && !fits("crates/*", "crates/web/sub"));
        assert!(fits("apps/web-*", "apps/web-a") && !fits("apps/web-*", "apps/api"));
        assert!(fits("web", "web") && !fits("web", "webs"));
    }

    #[test]
    fn channels_are_ranges() {
        for (channel, expected) in [
            ("stable", "*"),
            ("1.85", "1.85"),
            ("1.85.1", "1.85.1"),
            ("1.80.0-x86_64-unknown-linux-gnu", "1.80.0"),
        ] {
            assert_eq!(range(channel, "rust-toolchain").unwrap(), expected);
        }
        let failure = range("nightly-2026-01-01", "rust-toolchain.toml").unwrap_err();
        assert_eq!(failure.code, Code::ToolchainUnavailable);
        assert!(
            failure.message.contains("nightly-2026-01-01"),
            "{}",
            failure.message
        );
    }
}
