//! The status of a preview: derived from its rows, never stored.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::deployment::State;
use crate::units::{ParseUnitError, parse_seconds};

/// Where a preview came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Origin {
    /// A directory on somebody's machine.
    Directory { path: String },
    /// Files sent by a program.
    Files,
    /// A pull request of the `repository` (`owner/name`); `url` is its page.
    PullRequest {
        repository: String,
        number: u64,
        url: String,
    },
    /// Pushes to a branch.
    Branch { repository: String, branch: String },
}

/// How long a preview lives after its newest deployment: `never` ends, or a time such as `7d`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimeToLive {
    /// Until somebody deletes it.
    #[default]
    Forever,
    Seconds(u64),
}

/// The text is not a time to live.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseTtlError {
    #[error("{0}, or `never`")]
    Unit(#[from] ParseUnitError),
    #[error("a preview cannot live for `{0}`; give a longer time, or `never`")]
    Zero(String),
}

impl TimeToLive {
    /// The column of a row: `None` is for ever.
    pub fn seconds(self) -> Option<u64> {
        match self {
            Self::Forever => None,
            Self::Seconds(seconds) => Some(seconds),
        }
    }
}

impl From<Option<u64>> for TimeToLive {
    fn from(seconds: Option<u64>) -> Self {
        seconds.map_or(Self::Forever, Self::Seconds)
    }
}

impl FromStr for TimeToLive {
    type Err = ParseTtlError;
    fn from_str(text: &str) -> Result<Self, ParseTtlError> {
        if text.trim() == "never" {
            return Ok(Self::Forever);
        }
        match parse_seconds(text)? {
            0 => Err(ParseTtlError::Zero(text.to_owned())),
            seconds => Ok(Self::Seconds(seconds)),
        }
    }
}

impl fmt::Display for TimeToLive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Forever => f.write_str("never"),
            Self::Seconds(seconds) => write!(f, "{seconds}s"),
        }
    }
}

impl Serialize for TimeToLive {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TimeToLive {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

impl JsonSchema for TimeToLive {
    fn schema_name() -> Cow<'static, str> {
        "TimeToLive".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "Seconds, such as `604800s`, or `never`.",
        })
    }
}

/// What a person sees of a preview.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "PreviewStatus")]
pub enum Status {
    /// Nothing has been deployed yet.
    Empty,
    /// Its newest deployment waits for its turn.
    Queued,
    /// Its newest deployment is on its way; an older one may be serving.
    Deploying,
    /// It serves its newest deployment.
    Live,
    /// It serves, and its newest deployment failed or was cancelled.
    Error,
    /// It serves nothing, because what was tried failed.
    Failed,
    /// It serves on the next request.
    Asleep,
    /// Its time is over.
    Expired,
}

/// What the status is derived from.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// The state of the newest deployment.
    pub newest: Option<State>,
    /// Whether the alias follows a deployment that is ready.
    pub serving: bool,
    /// Whether that deployment's instances sleep.
    pub asleep: bool,
    /// Whether its time to live is over.
    pub expired: bool,
}

/// The status that follows from `facts`.
pub fn status(facts: Facts) -> Status {
    match (facts.newest, facts.serving) {
        _ if facts.expired => Status::Expired,
        (None, _) => Status::Empty,
        (Some(State::Queued), _) => Status::Queued,
        (Some(State::Building | State::Deploying), _) => Status::Deploying,
        (Some(State::Failed), true) => Status::Error,
        (_, true) if facts.asleep => Status::Asleep,
        (_, true) => Status::Live,
        (_, false) => Status::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_to_live_is_a_time_or_never() {
        assert_eq!("7d".parse(), Ok(TimeToLive::Seconds(604_800)));
        assert_eq!("never".parse(), Ok(TimeToLive::Forever));
        for text in ["0", "0s", "", "soon", "-1d"] {
            assert!(text.parse::<TimeToLive>().is_err(), "{text}");
        }
        for ttl in [TimeToLive::Forever, TimeToLive::Seconds(90)] {
            assert_eq!(ttl.to_string().parse(), Ok(ttl));
        }
    }

    #[test]
    fn a_failed_push_over_a_serving_preview_is_an_error_and_not_a_failure() {
        let facts = Facts {
            newest: Some(State::Failed),
            serving: true,
            asleep: false,
            expired: false,
        };
        assert_eq!(status(facts), Status::Error);
        assert_eq!(
            status(Facts {
                serving: false,
                ..facts
            }),
            Status::Failed
        );
        assert_eq!(
            status(Facts {
                newest: Some(State::Cancelled),
                ..facts
            }),
            Status::Live
        );
        assert_eq!(
            status(Facts {
                newest: Some(State::Ready),
                asleep: true,
                ..facts
            }),
            Status::Asleep
        );
        assert_eq!(
            status(Facts {
                expired: true,
                ..facts
            }),
            Status::Expired
        );
    }
}
