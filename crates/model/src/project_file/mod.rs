//! `cx.toml`: what a project may say about itself. Nothing in it is required.
//!
//! It comes with the source and is not trusted: it can narrow limits and network, never widen what the server allows.
//! Unknown keys are errors, because a misspelt key that is ignored is the hardest one to find.

mod check;
mod mistake;
#[cfg(test)]
mod tests;
mod values;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::check::check_variable_name;
pub use self::mistake::ProjectFileError;
use self::mistake::{at, find_key, locate};
use self::values::{EgressText, bytes, egress, seconds};
use crate::EnvironmentName;
use crate::git::GitSettings;
use crate::limits::{DEPLOYMENTS_KEPT, INSTANCES_MAX};
use crate::network::Egress;
use crate::preview::TimeToLive;

/// The name of the file.
pub const FILE_NAME: &str = "cx.toml";
/// Bytes of it that are read at the most.
pub const FILE_BYTES_MAX: u64 = 256 << 10;

/// The whole file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ProjectFile {
    /// The project's name; the directory's name by default.
    pub project: Option<String>,
    /// The directory of the source in which everything happens.
    pub root: Option<String>,
    pub build: Build,
    pub run: Run,
    pub limits: Limits,
    /// Variables: `NAME = "value"` for every environment, `[env.preview]` for one.
    pub env: BTreeMap<String, Variable>,
    pub network: Network,
    pub preview: Preview,
    /// Which changes of the repository become previews; read from the base branch.
    pub git: GitSettings,
}

/// How to make what is served.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Build {
    /// Fetches dependencies; `""` for none.
    pub install: Option<String>,
    /// Builds; `""` for none.
    pub command: Option<String>,
    /// The directory of static files that the build writes.
    pub output: Option<String>,
}

/// How to serve it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Run {
    /// Starts the server.
    pub command: Option<String>,
    /// The port it listens on; found by looking where it is not given.
    pub port: Option<u16>,
    /// How many instances of the server run; requests are spread over them.
    #[schemars(extend("default" = 1, "minimum" = 1, "maximum" = INSTANCES_MAX))]
    pub instances: Option<u32>,
    pub health: Health,
    /// Whether paths without a file answer with the index page of a static site.
    pub spa: Option<bool>,
}

/// When the server counts as healthy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Health {
    /// Must answer 2xx or 3xx; without it, anything below 500 at `/` will do.
    pub path: Option<String>,
    /// How long it may take until it is, such as `60s`.
    #[serde(deserialize_with = "seconds")]
    #[schemars(with = "Option<String>", extend("default" = "60s", "x-range" = "`1s` to `15m`"))]
    pub timeout: Option<u64>,
}

/// What it may use.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// CPUs, such as `0.5`.
    #[schemars(extend("default" = 2, "minimum" = 0.05, "maximum" = 64))]
    pub cpu: Option<f64>,
    /// Of a server and each of its processes together, such as `512MB`.
    #[serde(deserialize_with = "bytes")]
    #[schemars(with = "Option<String>", extend("default" = "1GiB", "x-range" = "from `16MiB`"))]
    pub memory: Option<u64>,
    /// What it may write, such as `2GB`.
    #[serde(deserialize_with = "bytes")]
    #[schemars(with = "Option<String>", extend("default" = "4GiB"))]
    pub disk: Option<u64>,
    /// How long a build may take, such as `10m`.
    #[serde(deserialize_with = "seconds")]
    #[schemars(with = "Option<String>", extend("default" = "15m"))]
    pub timeout: Option<u64>,
    /// How long without a request before it sleeps, such as `30m`; never by default.
    #[serde(deserialize_with = "seconds")]
    #[schemars(with = "Option<String>")]
    pub idle: Option<u64>,
}

/// Where it may connect to: `"public"`, `"none"`, `"registries"`, or a list of host names.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Network {
    /// While dependencies are fetched.
    #[serde(deserialize_with = "egress")]
    #[schemars(with = "Option<EgressText>", extend("default" = "public"))]
    pub install: Option<Egress>,
    /// While it is built.
    #[serde(deserialize_with = "egress")]
    #[schemars(with = "Option<EgressText>", extend("default" = "public"))]
    pub build: Option<Egress>,
    /// While it serves.
    #[serde(deserialize_with = "egress")]
    #[schemars(with = "Option<EgressText>", extend("default" = "public"))]
    pub run: Option<Egress>,
}

/// How long its previews live.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Preview {
    /// Such as `7d`, counted from the newest deployment, or `never`; what the server says by default.
    #[schemars(with = "Option<String>")]
    pub ttl: Option<TimeToLive>,
    /// Deployments that are kept for going back, the current one included.
    #[schemars(extend("default" = DEPLOYMENTS_KEPT, "minimum" = 1))]
    pub keep: Option<u32>,
}

/// A value, or a table of values for one environment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Variable {
    Value(String),
    Environment(BTreeMap<String, String>),
}

impl ProjectFile {
    /// Reads the bytes of a cx.toml: at most [`FILE_BYTES_MAX`] of UTF-8.
    pub fn read(bytes: &[u8]) -> Result<Self, ProjectFileError> {
        if bytes.len() as u64 > FILE_BYTES_MAX {
            let message = format!("it is larger than the {} KiB that are read", FILE_BYTES_MAX >> 10);
            return Err(at("", 0, message));
        }
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::parse(text.trim_start_matches('\u{feff}')),
            Err(error) => {
                let good = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
                Err(at(
                    &good,
                    good.len(),
                    "here it is not UTF-8; save the file as UTF-8".to_owned(),
                ))
            }
        }
    }

    /// Reads the text of a cx.toml.
    pub fn parse(text: &str) -> Result<Self, ProjectFileError> {
        let file: Self = toml::from_str(text).map_err(|error| locate(text, &error))?;
        file.check().map_err(|(key, message)| {
            let offset = key
                .rsplit('.')
                .next()
                .and_then(|name| find_key(text, name))
                .unwrap_or(0);
            at(text, offset, format!("{message} in `{key}`"))
        })?;
        Ok(file)
    }

    /// The variables that `environment` is given.
    pub fn variables(&self, environment: EnvironmentName) -> BTreeMap<String, String> {
        let mut variables = BTreeMap::new();
        for (name, variable) in &self.env {
            if let Variable::Value(value) = variable {
                variables.insert(name.clone(), value.clone());
            }
        }
        if let Some(Variable::Environment(own)) = self.env.get(environment.as_str()) {
            variables.extend(own.clone());
        }
        variables
    }
}

/// The JSON Schema of cx.toml.
pub fn json_schema() -> serde_json::Value {
    let mut schema = schemars::schema_for!(ProjectFile).to_value();
    schema["title"] = "cx.toml".into();
    schema
}
