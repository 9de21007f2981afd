//! `server.toml` in the data directory: what the operator of the server decides for good.
//!
//! Flags and the environment come before it, and what nobody says has a default. Guards against typing errors: a key
//! that is not known ends the start, with its line.

use std::net::SocketAddr;
use std::path::Path;

use control::Policy;
use model::preview::TimeToLive;
use model::units::{parse_bytes, parse_seconds};
use reqwest::Url;
use serde::{Deserialize, Deserializer, de};

use crate::cli::platform_url;
use crate::exit::Fault;

/// The name of the file.
pub(crate) const FILE: &str = "server.toml";
/// The code of a failure to read it at all.
pub(crate) const UNREADABLE: &str = "settings_unreadable";
/// Bytes of it that are read; more is no settings file.
const BYTES_MAX: u64 = 64 << 10;

/// The whole file.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// Where to listen.
    pub(crate) listen: Vec<SocketAddr>,
    /// The domain below which previews get their hosts.
    pub(crate) domain: Option<String>,
    /// The host of API and dashboard.
    pub(crate) dashboard_host: Option<String>,
    /// Where both are reached from outside, where something stands in front of the server.
    #[serde(deserialize_with = "url")]
    pub(crate) public_url: Option<Url>,
    pub(crate) previews: Previews,
    pub(crate) retention: Retention,
    pub(crate) disk: Disk,
    pub(crate) builds: Builds,
}

/// What holds for previews where neither request nor project says.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Previews {
    ttl: Option<TimeToLive>,
    keep: Option<u32>,
}

/// How long is kept what nothing serves from.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Retention {
    #[serde(deserialize_with = "seconds")]
    history: Option<u64>,
    #[serde(deserialize_with = "seconds")]
    caches: Option<u64>,
    #[serde(deserialize_with = "bytes")]
    package_caches: Option<u64>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Disk {
    #[serde(deserialize_with = "bytes")]
    floor: Option<u64>,
}

/// Builds that run at the same time.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Builds {
    pub(crate) at_once: Option<usize>,
    pub(crate) per_project: Option<usize>,
}

impl Settings {
    /// Reads the file of the data directory `data`; one that is not there says nothing.
    pub(crate) fn read(data: &Path) -> Result<Self, Fault> {
        use std::io::Read as _;
        let path = data.join(FILE);
        let shown = path.display();
        let unreadable = |error: std::io::Error| {
            Fault::failed(UNREADABLE, format!("cannot read {shown}: {error}")).hint("check its permissions")
        };
        let mut text = String::new();
        match std::fs::File::open(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            opened => opened
                .and_then(|file| file.take(BYTES_MAX).read_to_string(&mut text))
                .map_err(unreadable)?,
        };
        Self::parse(&text).map_err(|(line, why)| {
            Fault::failed("settings_invalid", format!("{shown}, line {line}: {why}"))
                .hint("docs/guides/server.md lists every setting")
        })
    }

    /// What `text` says, or the line that cannot be understood and why.
    fn parse(text: &str) -> Result<Self, (usize, String)> {
        let settings: Self = toml::from_str(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            (line_of(text, at), error.message().replace('\n', "; "))
        })?;
        let none = |what: &str| {
            let at = text.find(what).unwrap_or(0);
            Err((line_of(text, at), format!("`{what}` must be at least 1")))
        };
        match &settings {
            Self {
                previews: Previews { keep: Some(0), .. },
                ..
            } => none("keep"),
            Self {
                builds: Builds { at_once: Some(0), .. },
                ..
            } => none("at_once"),
            Self {
                builds: Builds {
                    per_project: Some(0), ..
                },
                ..
            } => none("per_project"),
            _ => Ok(settings),
        }
    }

    /// What it says about time and room, and the defaults for the rest.
    pub(crate) fn policy(&self) -> Policy {
        let default = Policy::default();
        Policy {
            ttl: self.previews.ttl.unwrap_or(default.ttl),
            keep: self.previews.keep.unwrap_or(default.keep),
            history_seconds: self.retention.history.unwrap_or(default.history_seconds),
            cache_seconds: self.retention.caches.unwrap_or(default.cache_seconds),
            package_caches_bytes: self
                .retention
                .package_caches
                .unwrap_or(default.package_caches_bytes),
            floor_bytes: self.disk.floor.or(default.floor_bytes),
        }
    }
}

fn line_of(text: &str, at: usize) -> usize {
    text.get(..at).unwrap_or(text).matches('\n').count() + 1
}

fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse_seconds(&text).map(Some).map_err(de::Error::custom)
}

fn url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Url>, D::Error> {
    let text = String::deserialize(deserializer)?;
    platform_url(&text).map(Some).map_err(de::Error::custom)
}

fn bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse_bytes(&text).map(Some).map_err(de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_is_taken() {
        let text = r#"
            listen = ["127.0.0.1:8080", "[::1]:8080"]
            domain = "previews.example.org"
            dashboard_host = "cygni.example.org"
            public_url = "https://cygni.example.org"
            [previews]
            ttl = "14d"
            keep = 3
            [retention]
            history = "90d"
            caches = "1d"
            package_caches = "4GiB"
            [disk]
            floor = "20GiB"
            [builds]
            at_once = 4
            per_project = 2
        "#;
        let settings = Settings::parse(text).unwrap();
        assert_eq!((settings.listen.len(), settings.builds.at_once), (2, Some(4)));
        let policy = settings.policy();
        assert_eq!((policy.ttl, policy.keep), (TimeToLive::Seconds(1_209_600), 3));
        assert_eq!(
            (policy.history_seconds, policy.cache_seconds),
            (7_776_000, 86_400)
        );
        assert_eq!(
            (policy.package_caches_bytes, policy.floor_bytes),
            (4 << 30, Some(20 << 30))
        );
        assert_eq!(Settings::parse("").unwrap().policy(), Policy::default());
    }

    #[test]
    fn what_is_not_understood_is_told_with_its_line() {
        let table = [
            ("domain = \"a\"\nport = 1\n", 2, "port"),
            ("[disk]\n\nfloor = \"much\"\n", 3, "size"),
            ("[previews]\nttl = \"0s\"\n", 2, "never"),
            ("\n[builds]\nat_once = 0\n", 3, "at least 1"),
            ("listen = [\"here\"]\n", 1, "socket address"),
            ("listen = [\n", 1, ""),
            ("public_url = \"cygni.example.org\"\n", 1, "https://"),
        ];
        for (text, line, word) in table {
            let (at, why) = Settings::parse(text).unwrap_err();
            assert!(
                why.contains(word) && (at == line || word.is_empty()),
                "{text}: line {at}: {why}"
            );
        }
    }

    #[test]
    fn a_file_that_is_wrong_ends_the_start() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Settings::read(dir.path()).unwrap(), Settings::default());
        std::fs::write(dir.path().join(FILE), "# ours\ndomian = \"x\"\n").unwrap();
        let fault = Settings::read(dir.path()).unwrap_err();
        assert!(
            fault.message.contains("line 2") && fault.message.contains("domian"),
            "{}",
            fault.message
        );
    }
}
