//! `cx.toml`: what a project may say about itself. Nothing in it is required.
//!
//! It comes with the source and is not trusted: it can narrow limits and network, never widen what the server allows.
//! Unknown keys are errors, because a misspelt key that is ignored is the hardest one to find.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de};

use crate::EnvironmentName;
use crate::git::GitSettings;
use crate::limits::{DEPLOYMENTS_KEPT, HEALTH_SECONDS_MAX, INSTANCES_MAX};
use crate::name::nearest;
use crate::network::Egress;
use crate::preview::TimeToLive;
use crate::units::{parse_bytes, parse_seconds};

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

#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
enum EgressText {
    Word(String),
    Names(Vec<String>),
}

/// What is wrong with the file and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{FILE_NAME}:{line}:{column}: {message}")]
pub struct ProjectFileError {
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
    /// What is wrong and, for a misspelt key, the nearest right one.
    pub message: String,
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

    fn check(&self) -> Result<(), (&'static str, String)> {
        if let Some(name) = &self.project {
            crate::ProjectName::new(name).map_err(|error| ("project", error.to_string()))?;
        }
        for (key, path) in [("root", &self.root), ("build.output", &self.build.output)] {
            let inside = |path: &String| {
                matches!(path.as_str(), "" | ".") || crate::TreePath::new(path.trim_end_matches('/')).is_ok()
            };
            if path.as_ref().is_some_and(|path| !inside(path)) {
                return Err((
                    key,
                    format!(
                        "`{}` is not a directory inside the source",
                        path.as_deref().unwrap_or("")
                    ),
                ));
            }
        }
        if self
            .run
            .health
            .path
            .as_ref()
            .is_some_and(|path| !path.starts_with('/') || path.contains(char::is_whitespace))
        {
            return Err((
                "run.health.path",
                "a path starts with `/` and holds no spaces".to_owned(),
            ));
        }
        if self
            .run
            .health
            .timeout
            .is_some_and(|seconds| !(1..=u64::from(HEALTH_SECONDS_MAX)).contains(&seconds))
        {
            return Err((
                "run.health.timeout",
                "between `1s` and `15m` is possible".to_owned(),
            ));
        }
        if let Some(instances) = self.run.instances
            && !(1..=INSTANCES_MAX).contains(&instances)
        {
            let message = format!("{instances} instances are not possible, 1 to {INSTANCES_MAX} are");
            return Err(("run.instances", message));
        }
        if self.limits.cpu.is_some_and(|cpu| !(0.05..=64.0).contains(&cpu)) {
            return Err(("limits.cpu", "between 0.05 and 64 CPUs are possible".to_owned()));
        }
        if self.limits.memory.is_some_and(|bytes| bytes < 16 << 20) {
            return Err(("limits.memory", "at least `16MiB` are needed".to_owned()));
        }
        if self.preview.keep == Some(0) {
            return Err(("preview.keep", "at least 1 deployment is kept".to_owned()));
        }
        self.check_env()
    }

    fn check_env(&self) -> Result<(), (&'static str, String)> {
        for (name, variable) in &self.env {
            match variable {
                Variable::Environment(own) => {
                    name.parse::<EnvironmentName>()
                        .map_err(|error| ("env", error.to_string()))?;
                    own.keys().try_for_each(|name| check_variable_name(name))
                }
                Variable::Value(_) => check_variable_name(name),
            }
            .map_err(|message| ("env", message))?;
        }
        Ok(())
    }
}

/// Whether `name` can be a variable: letters, digits and `_`, no digit first, and none of the platform's own.
pub fn check_variable_name(name: &str) -> Result<(), String> {
    let shaped = !name.is_empty()
        && name.len() <= 256
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if !shaped {
        return Err(format!(
            "`{name}` cannot be the name of a variable: use letters, digits and `_`"
        ));
    }
    if name.starts_with("CYGNI_") {
        return Err(format!(
            "`{name}` is set by the platform; choose a name without `CYGNI_`"
        ));
    }
    Ok(())
}

/// The JSON Schema of cx.toml.
pub fn json_schema() -> serde_json::Value {
    let mut schema = schemars::schema_for!(ProjectFile).to_value();
    schema["title"] = "cx.toml".into();
    schema
}

fn locate(text: &str, error: &toml::de::Error) -> ProjectFileError {
    let offset = error.span().map_or(0, |span| span.start);
    let mut message = error.message().trim().replace('\n', "; ");
    if message == "duplicate key" {
        let name = error.span().and_then(|span| text.get(span)).unwrap_or("");
        message = format!("`{name}` is given twice");
    }
    if let Some(nearest) = nearest_key(&message) {
        message = format!(
            "{}; did you mean `{nearest}`?",
            message.split(", expected").next().unwrap_or(&message)
        );
    }
    at(text, offset, in_words(&message))
}

/// Types of Rust are no words for people.
fn in_words(message: &str) -> String {
    let words = [
        (
            "expected u16",
            "expected a whole number from 0 to 65535, such as 3000",
        ),
        ("expected u32", "expected a whole number, such as 3"),
        ("expected f64", "expected a number, such as 0.5"),
    ];
    let message = words.iter().fold(message.to_owned(), |message, (rust, plain)| {
        message.replace(rust, plain)
    });
    match message.split_once("expected struct ") {
        Some((before, name)) => format!("{before}expected a table, such as `[{}]`", name.to_lowercase()),
        None => message.replace("a map", "a table"),
    }
}

/// serde says: unknown field `outptu`, expected one of `install`, `command`, `output`.
fn nearest_key(message: &str) -> Option<String> {
    let rest = message.strip_prefix("unknown field `")?;
    let mut quoted = rest.split('`').step_by(2);
    let wrong = quoted.next()?;
    nearest(wrong, quoted).map(str::to_owned)
}

fn find_key(text: &str, key: &str) -> Option<usize> {
    text.match_indices(key).map(|(index, _)| index).find(|index| {
        let before = text[..*index].rsplit('\n').next().unwrap_or("");
        let after = text[index + key.len()..].trim_start();
        before
            .chars()
            .all(|c| c.is_whitespace() || c == '[' || c == '.' || c.is_alphanumeric())
            && (after.starts_with('=') || after.starts_with(']') || after.starts_with('.'))
    })
}

fn at(text: &str, offset: usize, message: String) -> ProjectFileError {
    let before = &text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() as u32 + 1;
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() as u32 + 1;
    ProjectFileError {
        line,
        column,
        message,
    }
}

fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse_seconds(&text).map(Some).map_err(de::Error::custom)
}

fn bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse_bytes(&text).map(Some).map_err(de::Error::custom)
}

fn egress<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Egress>, D::Error> {
    match EgressText::deserialize(deserializer) {
        Ok(EgressText::Names(names)) => Ok(Some(Egress::Names(names))),
        Ok(EgressText::Word(word)) => match word.as_str() {
            "public" => Ok(Some(Egress::Public)),
            "none" => Ok(Some(Egress::None)),
            "registries" => Ok(Some(Egress::Registries)),
            _ => Err(de::Error::custom(format!(
                "`{word}` is not a network policy; use \"public\", \"registries\", \"none\" or a list of host names"
            ))),
        },
        Err(_) => Err(de::Error::custom(
            "a network policy is \"public\", \"registries\", \"none\" or a list of host names",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        ProjectFile::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn nothing_is_required() {
        assert_eq!(ProjectFile::parse("").unwrap(), ProjectFile::default());
    }

    #[test]
    fn everything_can_be_said() {
        let text = r#"
            project = "shop"
            root = "apps/web"
            [build]
            install = "npm ci"
            command = "npm run build"
            output = "dist"
            [run]
            command = "node server.js"
            port = 3000
            instances = 3
            health.path = "/healthz"
            health.timeout = "30s"
            spa = false
            [limits]
            cpu = 0.5
            memory = "512MB"
            disk = "1GiB"
            timeout = "10m"
            idle = "30m"
            [env]
            COLOR = "blue"
            [env.production]
            COLOR = "green"
            [network]
            run = ["api.example.com"]
            build = "none"
            [preview]
            ttl = "7d"
            keep = 3
        "#;
        let file = ProjectFile::parse(text).unwrap();
        assert_eq!(file.limits.memory, Some(512_000_000));
        assert_eq!(file.run.instances, Some(3));
        assert_eq!(file.preview.ttl, Some(TimeToLive::Seconds(604_800)));
        assert_eq!(file.variables(EnvironmentName::Preview)["COLOR"], "blue");
        assert_eq!(file.variables(EnvironmentName::Production)["COLOR"], "green");
        assert_eq!(file.network.build, Some(Egress::None));
    }

    #[test]
    fn errors_say_where_and_what_was_meant() {
        let table = [
            (
                "[build]\noutptu = \"dist\"\n",
                "cx.toml:2:1: unknown field `outptu`; did you mean `output`?",
            ),
            (
                "[bild]\n",
                "cx.toml:1:2: unknown field `bild`; did you mean `build`?",
            ),
            (
                "[limits]\nmemory = \"lots\"\n",
                "cx.toml:2:10: `lots` is not a size; write for example `512MB` or `2GiB`",
            ),
            (
                "root = \"../up\"\n",
                "cx.toml:1:1: `../up` is not a directory inside the source in `root`",
            ),
            (
                "[run]\ninstances = 9\n",
                "cx.toml:2:1: 9 instances are not possible, 1 to 8 are in `run.instances`",
            ),
            (
                "[run]\ninstances = 0\n",
                "cx.toml:2:1: 0 instances are not possible, 1 to 8 are in `run.instances`",
            ),
        ];
        for (text, message) in table {
            assert_eq!(error(text), message);
        }
        assert_eq!(
            error("[run]\nport = 1\nport = 2\n"),
            "cx.toml:3:1: `port` is given twice"
        );
        assert!(
            error("build = 3\n").ends_with("expected a table, such as `[build]`"),
            "{}",
            error("build = 3\n")
        );
        let port = error("[run]\nport = \"abc\"\n");
        assert!(port.contains("such as 3000") && !port.contains("u16"), "{port}");
        assert!(error("project = \n").starts_with("cx.toml:1:"));
        assert!(error("[env]\n\"A B\" = \"x\"\n").contains("`A B` cannot be the name of a variable"));
        assert!(error("[env.staging]\nA = \"x\"\n").contains("`staging` is not an environment"));
        assert!(error("[network]\nrun = \"all\"\n").contains("is not a network policy"));
    }

    #[test]
    fn the_schema_names_the_defaults_that_hold() {
        let schema = json_schema();
        let default = |table: &str, key: &str| schema["$defs"][table]["properties"][key]["default"].clone();
        let text = |key| default("Limits", key).as_str().unwrap().to_owned();
        let limits = crate::limits::Limits::default();
        assert_eq!(
            default("Limits", "cpu").as_f64(),
            Some(f64::from(limits.cpu_millis) / 1000.0)
        );
        assert_eq!(parse_bytes(&text("memory")), Ok(limits.memory_bytes));
        assert_eq!(parse_bytes(&text("disk")), Ok(limits.disk_bytes));
        assert_eq!(
            parse_seconds(&text("timeout")),
            Ok(limits.build_seconds_max.into())
        );
        let health = default("Health", "timeout");
        assert_eq!(
            parse_seconds(health.as_str().unwrap()),
            Ok(crate::limits::HEALTH_SECONDS.into())
        );
        assert_eq!(default("Preview", "keep"), DEPLOYMENTS_KEPT);
    }

    #[test]
    fn bytes_that_are_no_text_are_refused_where_they_are() {
        let read = |bytes: &[u8]| ProjectFile::read(bytes).unwrap_err().to_string();
        assert!(read(b"[build]\nx = \xff").starts_with("cx.toml:2:5: here it is not UTF-8"));
        let large = vec![b'#'; FILE_BYTES_MAX as usize + 1];
        assert_eq!(
            read(&large),
            "cx.toml:1:1: it is larger than the 256 KiB that are read"
        );
        assert!(
            ProjectFile::read(b"\xef\xbb\xbf[build]\n").is_ok(),
            "a mark of the byte order"
        );
    }

    #[test]
    fn the_schema_knows_every_table() {
        let schema = json_schema().to_string();
        for key in ["install", "health", "memory", "ttl", "network"] {
            assert!(schema.contains(key), "{key}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in ".{0,200}") {
            let _ = ProjectFile::parse(&text);
        }
    }
}
