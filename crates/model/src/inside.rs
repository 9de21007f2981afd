//! What a sandbox looks like inside: the paths on which builds and instances agree.
//!
//! Guards against a program that was built for one place and is run in another: virtual environments and compiled
//! programs name absolute paths. It does *not* know how anything gets there.

use std::fmt;

/// Where the app's files are.
pub const APP_DIRECTORY: &str = "/app";
/// Where toolchains are, each in `<name>-<version>`.
pub const TOOLCHAIN_DIRECTORY: &str = "/opt/toolchains";
/// The home directory.
pub const HOME_DIRECTORY: &str = "/home/app";
/// The host's certificates.
pub const CA_BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";

const SYSTEM_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The directory in which commands run, for the root of a plan.
pub fn directory(root: &str) -> String {
    match root {
        "" => APP_DIRECTORY.to_owned(),
        root => format!("{APP_DIRECTORY}/{root}"),
    }
}

/// Where the toolchain `name` of `version` is.
pub fn toolchain(name: &str, version: impl fmt::Display) -> String {
    format!("{TOOLCHAIN_DIRECTORY}/{name}-{version}")
}

/// The `PATH` of commands in `root`, with toolchains at `toolchains`: virtual environments first, since they stand for
/// an interpreter; then toolchains, then the programs of dependencies, nearest first.
pub fn path(root: &str, toolchains: &[String]) -> String {
    let mut above = vec![directory(root)];
    while let Some((parent, _)) = above.last().and_then(|last| last.rsplit_once('/')) {
        if !parent.starts_with(APP_DIRECTORY) {
            break;
        }
        above.push(parent.to_owned());
    }
    let python = format!("{TOOLCHAIN_DIRECTORY}/python-");
    let environments = above
        .iter()
        .filter(|_| toolchains.iter().any(|toolchain| toolchain.starts_with(&python)))
        .map(|directory| format!("{directory}/.venv/bin"));
    let toolchains = toolchains.iter().map(|toolchain| format!("{toolchain}/bin"));
    let modules = above
        .iter()
        .map(|directory| format!("{directory}/node_modules/.bin"));
    let parts: Vec<String> = environments
        .chain(toolchains)
        .chain(modules)
        .chain([SYSTEM_PATH.to_owned()])
        .collect();
    parts.join(":")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_nearest_first() {
        let node = toolchain("node", "20.1.0");
        assert_eq!(
            path("web", std::slice::from_ref(&node)),
            format!("{node}/bin:/app/web/node_modules/.bin:/app/node_modules/.bin:{SYSTEM_PATH}")
        );
        let python = toolchain("python", "3.12.1");
        assert_eq!(
            path("", std::slice::from_ref(&python)),
            format!("/app/.venv/bin:{python}/bin:/app/node_modules/.bin:{SYSTEM_PATH}")
        );
    }
}
