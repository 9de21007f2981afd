//! What a step finds around it: paths and variables.
//!
//! Guards against what makes builds differ between machines: nothing of the platform's own environment gets in. The
//! project's variables win over the plan's, and the plan's over ours, but for the few that hold everything together.

use std::collections::BTreeMap;

use model::Plan;
use model::inside::{self, CA_BUNDLE, HOME_DIRECTORY};
use model::network::Egress;

use super::runner::ToolchainMount;
use crate::toolchain::Registries;

/// What is kept from build to build, below the home directory: what package managers fetched, what compilers made.
pub(super) const CACHE_DIRECTORY: &str = "/home/app/.cache";
const CA_VARIABLES: [&str; 7] = [
    "SSL_CERT_FILE",
    "NODE_EXTRA_CA_CERTS",
    "REQUESTS_CA_BUNDLE",
    "PIP_CERT",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "CARGO_HTTP_CAINFO",
];
/// What the tools of a language are told: to stay with the toolchain that the plan names, and where to keep what. What
/// is fetched for a language without a place of its own for it goes below the app, where it becomes a layer.
const TOLD: [(&str, &[(&str, &str)]); 3] = [
    (
        "uv",
        &[
            ("UV_CACHE_DIR", "/home/app/.cache/uv"),
            ("UV_LINK_MODE", "copy"),
            ("UV_COMPILE_BYTECODE", "1"),
            ("UV_PYTHON_DOWNLOADS", "never"),
            ("POETRY_VIRTUALENVS_IN_PROJECT", "true"),
            ("POETRY_CACHE_DIR", "/home/app/.cache/poetry"),
            ("PIPENV_VENV_IN_PROJECT", "1"),
        ],
    ),
    (
        "go",
        &[
            ("GOTOOLCHAIN", "local"),
            ("GOFLAGS", "-modcacherw -buildvcs=false"),
            ("GOMODCACHE", "/app/.cygni/go"),
            ("GOCACHE", "/home/app/.cache/go-build"),
            ("GOPATH", "/home/app/go"),
        ],
    ),
    (
        "rust",
        &[("CARGO_HOME", "/app/.cygni/cargo"), ("CARGO_TERM_COLOR", "never")],
    ),
];

/// Which of the steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Source,
    Install,
    Build,
}

impl Phase {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
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
    pub(super) registries: &'a Registries,
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
        for (name, value) in own_registries(self.registries) {
            set(name, value);
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
        for (_, told) in TOLD.iter().filter(|(name, _)| self.has(name)) {
            told.iter().for_each(|(name, value)| set(name, value));
        }
        let python = self
            .toolchains
            .iter()
            .find(|mount| mount.target.starts_with(&inside::toolchain("python", "")));
        if let Some(python) = python {
            set("UV_PYTHON", &format!("{}/bin/python3", python.target));
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
        all.insert("npm_config_cache".to_owned(), format!("{CACHE_DIRECTORY}/npm"));
        all.insert("PATH".to_owned(), self.path());
        all.into_iter().collect()
    }

    fn path(&self) -> String {
        let targets: Vec<String> = self.toolchains.iter().map(|mount| mount.target.clone()).collect();
        inside::path(&self.plan.root, &targets)
    }

    fn has(&self, name: &str) -> bool {
        let start = inside::toolchain(name, "");
        self.toolchains
            .iter()
            .any(|mount| mount.target.starts_with(&start))
    }
}

/// Settings for registries that are not the public ones. They may hold passwords, so what they are is nobody's to log.
fn own_registries(registries: &Registries) -> Vec<(&'static str, &str)> {
    let public = Registries::default();
    let all = [
        ("npm_config_registry", &registries.npm, &public.npm),
        ("UV_DEFAULT_INDEX", &registries.pypi, &public.pypi),
        ("PIP_INDEX_URL", &registries.pypi, &public.pypi),
        ("GOPROXY", &registries.go_proxy, &public.go_proxy),
        ("GOSUMDB", &registries.go_sumdb, &public.go_sumdb),
    ];
    let own = all
        .into_iter()
        .filter(|(_, own, public)| own.trim_end_matches('/') != *public);
    own.map(|(name, own, _)| (name, own.as_str())).collect()
}
