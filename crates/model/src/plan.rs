//! A plan: how to build and run a source, as data. Whoever executes it needs to know no framework.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ServiceName;
use crate::limits::{HEALTH_SECONDS, Limits};
use crate::network::Network;

/// How to build and run one source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    /// The rule that matched, such as `vite`; `custom` where cx.toml says everything.
    pub framework: String,
    /// The directory of the source in which everything happens; `""` is the whole.
    pub root: String,
    /// What must be there besides the base system, in the order of `PATH`.
    pub toolchains: Vec<Toolchain>,
    /// Fetches dependencies. May reach registries.
    pub install: Option<Step>,
    /// Turns sources into what is served.
    pub build: Option<Step>,
    /// Variables that the framework needs to behave, for install, build and run.
    pub variables: BTreeMap<String, String>,
    pub services: Vec<Service>,
    pub limits: Limits,
    pub network: Network,
    /// Why each field is what it is, by field name. Not part of any key.
    #[serde(default)]
    pub reasons: BTreeMap<String, String>,
}

/// A toolchain that is asked for, such as Node 20.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "PlannedToolchain")]
pub struct Toolchain {
    /// `node`, `npm`, `python`, `uv`, `go`, `rust`.
    pub name: String,
    /// A version range in npm's notation, such as `>=18` or `20.x`; `*` is any.
    pub version: String,
    /// Needed by install and build alone: what runs does without.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub only_builds: bool,
}

impl Toolchain {
    /// One that is there whenever something runs.
    pub fn new(name: &str, version: &str) -> Self {
        Self {
            name: name.to_owned(),
            version: version.to_owned(),
            only_builds: false,
        }
    }

    /// One that install and build need, and nothing else.
    pub fn for_builds(name: &str, version: &str) -> Self {
        Self {
            only_builds: true,
            ..Self::new(name, version)
        }
    }
}

/// One command of a build, run by `/bin/sh -c` in the root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "PlannedStep")]
pub struct Step {
    pub command: String,
    /// Tried once when the command fails, such as `npm install` after `npm ci`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<String>,
}

/// One part of a deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "PlannedService")]
pub struct Service {
    pub name: ServiceName,
    #[serde(flatten)]
    pub serve: Serve,
}

/// How a service is served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[schemars(rename = "PlannedServing")]
pub enum Serve {
    /// Files, served by the edge itself.
    Static {
        /// The directory below the root that holds them; `""` is the root itself.
        output: String,
        /// Whether paths without a file answer with the index page.
        spa: bool,
    },
    /// A process that listens.
    Server {
        /// Run by `/bin/sh -c exec …` in the root.
        command: String,
        /// The port it is known to listen on; `None`: `PORT` is given and the listening sockets are looked at.
        port: Option<u16>,
        health: Health,
        /// How many of it run, each with the limits of one.
        #[serde(default = "one", skip_serializing_if = "is_one")]
        instances: u32,
    },
}

fn one() -> u32 {
    1
}

fn is_one(instances: &u32) -> bool {
    *instances == 1
}

/// When a server counts as healthy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "HealthCheck")]
pub struct Health {
    /// `None`: any status below 500 at `/`. Otherwise 2xx or 3xx at this path.
    pub path: Option<String>,
    pub timeout_seconds: u32,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            path: None,
            timeout_seconds: HEALTH_SECONDS,
        }
    }
}

impl Plan {
    /// The part that decides what a build gives: everything but the reasons, and what only matters when it runs.
    pub fn build_identity(&self) -> Vec<u8> {
        let mut plan = self.clone();
        plan.reasons.clear();
        plan.limits = Limits::default();
        for service in &mut plan.services {
            if let Serve::Server { instances, .. } = &mut service.serve {
                *instances = one();
            }
        }
        serde_json::to_vec(&plan).expect("a plan of strings and numbers always serialises")
    }

    /// How many instances of `service` run; 0 where it is files, or none of the plan's.
    pub fn instances(&self, service: &ServiceName) -> u32 {
        let found = self.services.iter().find(|planned| planned.name == *service);
        match found.map(|planned| &planned.serve) {
            Some(Serve::Server { instances, .. }) => *instances,
            Some(Serve::Static { .. }) | None => 0,
        }
    }

    /// Whether anything has to run before it can be served.
    pub fn needs_build(&self) -> bool {
        self.install.is_some() || self.build.is_some()
    }
}
