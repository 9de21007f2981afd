//! Keys: the digest of everything that decides what comes out.
//!
//! Guards against building twice what is equal, and far more against taking something for equal that is not. Variables
//! go in as an HMAC, so that a key tells nobody a secret. What is not in a key must not be able to change the result.

use std::collections::BTreeMap;

use hmac::{Hmac, KeyInit, Mac};
use model::Digest;
use model::trust::Trust;
use serde::Serialize;
use sha2::Sha256;

use super::request::BuildRequest;
use crate::toolchain::Resolved;

/// Raised when the meaning of a key changes.
const VERSION: u32 = 1;

/// What the installation itself adds to every key.
pub(super) struct Place {
    /// Keys the HMAC of variables.
    pub(super) installation_key: [u8; 32],
    /// Names the base system and the version of the sandbox.
    pub(super) base_id: String,
}

#[derive(Serialize)]
struct BuildKey<'a> {
    build: u32,
    project: &'a str,
    source: Digest,
    plan: Digest,
    variables: Digest,
    toolchains: Vec<Digest>,
    base: &'a str,
    arch: &'a str,
}

#[derive(Serialize)]
struct InstallKey<'a> {
    install: u32,
    project: &'a str,
    trust: Trust,
    /// The tree of all files that the step can read.
    files: Digest,
    root: &'a str,
    command: &'a str,
    plan_variables: &'a BTreeMap<String, String>,
    variables: Digest,
    network: &'a model::network::Egress,
    toolchains: Vec<Digest>,
    base: &'a str,
    arch: &'a str,
}

impl Place {
    /// The key of a whole build. The trust of its author is not in it: whoever remembers builds says who may use whose.
    pub(super) fn build(&self, request: &BuildRequest, toolchains: &[Resolved]) -> Digest {
        digest(&BuildKey {
            build: VERSION,
            project: request.project.as_str(),
            source: request.tree,
            plan: Digest::of(&request.plan.build_identity()),
            variables: self.variables(&request.variables),
            toolchains: toolchains.iter().map(|resolved| resolved.layer).collect(),
            base: &self.base_id,
            arch: std::env::consts::ARCH,
        })
    }

    /// The key of the dependencies that `trust` wrote, installed over the tree `files`.
    pub(super) fn install(
        &self,
        request: &BuildRequest,
        files: Digest,
        toolchains: &[Resolved],
        trust: Trust,
    ) -> Digest {
        let plan = &request.plan;
        digest(&InstallKey {
            install: VERSION,
            project: request.project.as_str(),
            trust,
            files,
            root: &plan.root,
            command: plan.install.as_ref().map_or("", |step| &step.command),
            plan_variables: &plan.variables,
            variables: self.variables(&request.variables),
            network: &plan.network.install,
            toolchains: toolchains.iter().map(|resolved| resolved.layer).collect(),
            base: &self.base_id,
            arch: std::env::consts::ARCH,
        })
    }

    /// The name of the layer that a build with `key` writes at the level of `trust`.
    pub(super) fn build_layer(key: &Digest, trust: Trust) -> Digest {
        digest(&("build layer", VERSION, key, trust))
    }

    fn variables(&self, variables: &BTreeMap<String, String>) -> Digest {
        let mut hmac =
            Hmac::<Sha256>::new_from_slice(&self.installation_key).expect("any length of key will do");
        let text = serde_json::to_vec(variables).expect("a map of strings always serialises");
        hmac.update(&text);
        Digest::from_bytes(hmac.finalize().into_bytes().into())
    }
}

fn digest(key: &impl Serialize) -> Digest {
    let text = serde_json::to_vec(key).expect("a key of strings and numbers always serialises");
    Digest::of(&text)
}
