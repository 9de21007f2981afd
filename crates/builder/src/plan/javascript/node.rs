//! Which Node and npm a project asks for.

use model::Failure;
use model::plan::Toolchain;

use super::manifest::Manifest;
use crate::plan::language::{Because, Commands};
use crate::plan::shell;
use crate::plan::view::{View, join};

/// Node and npm, where something runs that needs them.
pub(in crate::plan) fn toolchains(
    view: &View<'_>,
    manifest: Option<&Manifest>,
    commands: &Commands<'_>,
) -> Result<Option<Because<Vec<Toolchain>>>, Failure> {
    let asks = |command: &str| ["node", "npm", "npx"].contains(&shell::program(command));
    let needed = match manifest {
        Some(_) => commands.all().next().is_some(),
        None => commands.all().any(asks),
    };
    if !needed {
        return Ok(None);
    }
    let (version, reason) = node_version(view, manifest)?;
    let npm = manifest
        .and_then(Manifest::package_manager)
        .filter(|(name, _)| *name == "npm");
    let npm = npm.map_or("*", |(_, version)| version);
    let what = vec![Toolchain::new("node", &version), Toolchain::new("npm", npm)];
    Ok(Some(Because { what, reason }))
}

/// The range of Node versions that the project asks for, and where it says so.
fn node_version(view: &View<'_>, manifest: Option<&Manifest>) -> Result<(String, String), Failure> {
    if let Some(range) = manifest.and_then(|manifest| manifest.engine("node")) {
        return Ok((
            range.trim().to_owned(),
            format!("`engines` in package.json asks for Node {range}"),
        ));
    }
    for directory in view.upwards() {
        for name in [".nvmrc", ".node-version"] {
            let path = join(&directory, name);
            let text = view.text_in_source(&path)?.unwrap_or_default();
            let line = text
                .lines()
                .map(str::trim)
                .find(|line| !line.is_empty() && !line.starts_with('#'));
            if let Some(range) = line.and_then(version_file_range) {
                return Ok((
                    range,
                    format!("{path} asks for Node {}", line.unwrap_or_default()),
                ));
            }
        }
    }
    Ok((
        "*".to_owned(),
        "nothing asks for a version of Node, so one with long-term support is taken".to_owned(),
    ))
}

/// `v20.1`, `lts/iron` and so on as ranges. `None` for names that say nothing.
fn version_file_range(text: &str) -> Option<String> {
    const LTS: [(&str, &str); 8] = [
        ("erbium", "12"),
        ("fermium", "14"),
        ("gallium", "16"),
        ("hydrogen", "18"),
        ("iron", "20"),
        ("jod", "22"),
        ("krypton", "24"),
        ("*", "*"),
    ];
    if let Some(name) = text.strip_prefix("lts/") {
        let known = LTS.iter().find(|(known, _)| name.eq_ignore_ascii_case(known));
        return known.map(|(_, range)| (*range).to_owned());
    }
    let version = text.trim_start_matches('v');
    version
        .starts_with(|c: char| c.is_ascii_digit() || "^~<>=".contains(c))
        .then(|| version.to_owned())
}
