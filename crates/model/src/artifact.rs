//! What a build gives: immutable, content-addressed, and enough to start it anywhere.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::plan::Health;
use crate::{Digest, ServiceName};

/// The output of a build, one part per service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Artifact {
    pub services: Vec<Part>,
}

/// What one service is served from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ArtifactPart")]
pub struct Part {
    pub service: ServiceName,
    #[serde(flatten)]
    pub content: Content,
}

/// Files for the edge, or files and a command for an instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[schemars(rename = "ArtifactContent")]
pub enum Content {
    Static { tree: Digest, spa: bool },
    Server(Server),
}

/// A process to run over a stack of immutable layers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ServerPart")]
pub struct Server {
    /// The source tree, at the bottom of the stack.
    pub source: Digest,
    /// Layers over the source, bottom first: dependencies, then what the build wrote.
    pub layers: Vec<LayerKey>,
    /// Toolchain layers, each mounted read-only in a directory of its own, in the order of `PATH`.
    pub toolchains: Vec<ToolchainLayer>,
    /// The directory inside the stack in which the command runs; `""` is its top.
    pub root: String,
    pub command: String,
    pub port: Option<u16>,
    pub health: Health,
    /// Variables of the plan that the process needs to behave.
    pub variables: BTreeMap<String, String>,
}

/// The name of a layer: the digest of everything that decides its content.
pub type LayerKey = Digest;

/// One toolchain as a layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ToolchainLayer {
    /// `node`.
    pub name: String,
    /// The exact version, such as `20.20.2`.
    pub version: String,
    pub layer: LayerKey,
}

impl Artifact {
    /// The part of `service`.
    pub fn part(&self, service: &ServiceName) -> Option<&Part> {
        self.services.iter().find(|part| part.service == *service)
    }

    /// Trees and layers that must stay in the store as long as this artifact is wanted.
    pub fn references(&self) -> Vec<Digest> {
        let mut digests = Vec::new();
        for part in &self.services {
            match &part.content {
                Content::Static { tree, .. } => digests.push(*tree),
                Content::Server(server) => {
                    digests.push(server.source);
                    digests.extend(&server.layers);
                    digests.extend(server.toolchains.iter().map(|toolchain| toolchain.layer));
                }
            }
        }
        digests
    }
}
