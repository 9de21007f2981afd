//! What a server finds around it: its variables, and where things are.
//!
//! The project's variables win over the plan's, and the plan's over ours, but for the few that hold everything together.

use std::collections::BTreeMap;

use model::artifact::{Server, ToolchainLayer};

use crate::InstanceSpec;

/// Where the app's files are, inside; the same as when it was built.
pub(super) const APP_DIRECTORY: &str = "/app";
/// The home directory, inside.
pub(super) const HOME_DIRECTORY: &str = "/home/app";
/// What an instance is told to listen on where nothing else is known.
pub(super) const PORT: u16 = 3000;

const TOOLCHAIN_DIRECTORY: &str = "/opt/toolchains";
const SYSTEM_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Where the sandbox has the host's certificates.
const CA_BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Where a toolchain is mounted.
pub(super) fn toolchain_target(toolchain: &ToolchainLayer) -> String {
    format!("{TOOLCHAIN_DIRECTORY}/{}-{}", toolchain.name, toolchain.version)
}

/// The directory in which the server runs.
pub(super) fn directory(server: &Server) -> String {
    match server.root.as_str() {
        "" => APP_DIRECTORY.to_owned(),
        root => format!("{APP_DIRECTORY}/{root}"),
    }
}

/// The whole environment of an instance.
pub(super) fn environment(spec: &InstanceSpec) -> Vec<(String, String)> {
    let port = spec.server.port.unwrap_or(PORT).to_string();
    let ours = [
        ("LANG", "C.UTF-8"),
        ("NODE_ENV", "production"),
        ("HOST", "0.0.0.0"),
        ("PORT", &port),
        ("SSL_CERT_FILE", CA_BUNDLE),
        ("NODE_EXTRA_CA_CERTS", CA_BUNDLE),
    ];
    let mut all: BTreeMap<String, String> = ours
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    all.extend(spec.server.variables.clone());
    all.extend(spec.variables.iter().cloned());
    for (name, value) in [
        ("HOME", HOME_DIRECTORY),
        ("USER", "app"),
        ("LOGNAME", "app"),
        ("TMPDIR", "/tmp"),
    ] {
        all.insert(name.to_owned(), value.to_owned());
    }
    all.insert("PATH".to_owned(), path(&spec.server));
    all.into_iter().collect()
}

/// Toolchains first, then the programs of dependencies, nearest first.
fn path(server: &Server) -> String {
    let toolchains = server
        .toolchains
        .iter()
        .map(|toolchain| format!("{}/bin", toolchain_target(toolchain)));
    let mut parts: Vec<String> = toolchains.collect();
    let mut directory = directory(server);
    while directory.starts_with(APP_DIRECTORY) {
        parts.push(format!("{directory}/node_modules/.bin"));
        directory = directory
            .rsplit_once('/')
            .map_or(String::new(), |(above, _)| above.to_owned());
    }
    parts.push(SYSTEM_PATH.to_owned());
    parts.join(":")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::specification::tests::spec;

    #[test]
    fn the_projects_variables_win_but_not_over_the_path() {
        let mut spec = spec();
        spec.server
            .variables
            .insert("NODE_ENV".to_owned(), "staging".to_owned());
        spec.server.variables.insert("A".to_owned(), "plan".to_owned());
        spec.variables = vec![
            ("A".to_owned(), "mine".to_owned()),
            ("PATH".to_owned(), "/evil".to_owned()),
        ];
        let all: BTreeMap<_, _> = environment(&spec).into_iter().collect();
        assert_eq!(
            (all["A"].as_str(), all["NODE_ENV"].as_str(), all["PORT"].as_str()),
            ("mine", "staging", "3000")
        );
        assert_eq!(
            all["PATH"],
            format!(
                "/opt/toolchains/node-20.1.0/bin:/app/web/node_modules/.bin:/app/node_modules/.bin:{SYSTEM_PATH}"
            )
        );
    }
}
