//! What a step finds around it: paths and variables.
//!
//! Guards against what makes builds differ between machines: nothing of the platform's own environment gets in. The
//! project's variables win over the plan's, and the plan's over ours, but for the few that hold everything together.

use std::collections::BTreeMap;

use model::Plan;
use model::network::Egress;

use super::runner::ToolchainMount;
use crate::toolchain::Resolved;

/// Where the app's files are, inside.
pub const APP_DIRECTORY: &str = "/app";
/// Where toolchains are, inside: each in `<name>-<version>`.
pub const TOOLCHAIN_DIRECTORY: &str = "/opt/toolchains";
/// The home directory, inside.
pub const HOME_DIRECTORY: &str = "/home/app";

const SYSTEM_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Where the sandbox has the host's certificates.
const CA_BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";
const CA_VARIABLES: [&str; 7] = [
    "SSL_CERT_FILE",
    "NODE_EXTRA_CA_CERTS",
    "REQUESTS_CA_BUNDLE",
    "PIP_CERT",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "CARGO_HTTP_CAINFO",
];
const PUBLIC_REGISTRY: &str = "https://registry.npmjs.org";

/// Which of the two steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Install,
    Build,
}

impl Phase {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Install => "install",
            Self::Build => "build",
        }
    }
}

/// What decides the environment of a step.
pub(super) struct Surroundings<'a> {
    pub(super) plan: &'a Plan,
    pub(super) variables: &'a BTreeMap<String, String>,
    pub(super) toolchains: &'a [ToolchainMount],
    pub(super) npm_major: Option<u64>,
    pub(super) registry_url: &'a str,
}

/// Where the toolchain `name` of `version` is mounted.
pub(super) fn toolchain_target(resolved: &Resolved) -> String {
    format!("{TOOLCHAIN_DIRECTORY}/{}-{}", resolved.name, resolved.version)
}

/// The directory in which the steps run.
pub(super) fn directory(plan: &Plan) -> String {
    if plan.root.is_empty() {
        APP_DIRECTORY.to_owned()
    } else {
        format!("{APP_DIRECTORY}/{}", plan.root)
    }
}

impl Surroundings<'_> {
    /// The whole environment of a step.
    pub(super) fn environment(&self, phase: Phase, egress: &Egress) -> Vec<(String, String)> {
        let mut all: BTreeMap<String, String> = BTreeMap::new();
        let mut set = |name: &str, value: &str| {
            all.insert(name.to_owned(), value.to_owned());
        };
        for (name, value) in [
            ("LANG", "C.UTF-8"),
            ("CI", "1"),
            ("TERM", "dumb"),
            ("NO_COLOR", "1"),
        ] {
            set(name, value);
        }
        for name in ["fund", "audit", "update_notifier", "progress"] {
            set(&format!("npm_config_{name}"), "false");
        }
        CA_VARIABLES.iter().for_each(|name| set(name, CA_BUNDLE));
        if self.registry_url.trim_end_matches('/') != PUBLIC_REGISTRY {
            set("npm_config_registry", self.registry_url);
        }
        let node = self
            .toolchains
            .iter()
            .find(|mount| mount.source.join("include/node").is_dir());
        if let Some(node) = node {
            // Else node-gyp fetches the headers from nodejs.org. npm warns of settings that it does not know, from 11 on.
            let own = self.npm_major.is_some_and(|major| major >= 11);
            let prefix = if own {
                "npm_package_config_node_gyp"
            } else {
                "npm_config"
            };
            set(&format!("{prefix}_nodedir"), &node.target);
        }
        if *egress == Egress::None {
            // Else every call of npx waits a minute before it gives up.
            set("npm_config_fetch_retries", "0");
        }
        if phase == Phase::Build {
            set("NODE_ENV", "production");
        }
        all.extend(self.plan.variables.clone());
        all.extend(self.variables.clone());
        if phase == Phase::Install {
            // Builds need development dependencies, whatever the variables say about the run.
            all.remove("NODE_ENV");
            all.insert("npm_config_include".to_owned(), "dev".to_owned());
        }
        for (name, value) in [
            ("HOME", HOME_DIRECTORY),
            ("USER", "app"),
            ("LOGNAME", "app"),
            ("TMPDIR", "/tmp"),
        ] {
            all.insert(name.to_owned(), value.to_owned());
        }
        all.insert("npm_config_cache".to_owned(), format!("{HOME_DIRECTORY}/.npm"));
        all.insert("PATH".to_owned(), self.path());
        all.into_iter().collect()
    }

    /// Toolchains first, then the programs of dependencies, nearest first.
    fn path(&self) -> String {
        let toolchains = self
            .toolchains
            .iter()
            .map(|mount| format!("{}/bin", mount.target));
        let mut parts: Vec<String> = toolchains.collect();
        let mut directory = directory(self.plan);
        while directory.starts_with(APP_DIRECTORY) {
            parts.push(format!("{directory}/node_modules/.bin"));
            directory = directory
                .rsplit_once('/')
                .map_or(String::new(), |(above, _)| above.to_owned());
        }
        parts.push(SYSTEM_PATH.to_owned());
        parts.join(":")
    }
}
