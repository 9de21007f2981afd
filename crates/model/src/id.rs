//! Identities of rows: a prefix that says what it names, then 16 lower-case base-32 letters (80 random bits).
//!
//! The random bytes come from the caller, so this stays pure. Identities are opaque: nothing is ever read out of
//! one except its short form, which labels hosts and directories.

use std::fmt;
use std::str::FromStr;

use data_encoding::{BASE32_NOPAD, Encoding};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Random bytes behind one identity.
pub const RANDOM_BYTES: usize = 10;

/// The text is not an identity of the expected kind.
#[derive(Debug, thiserror::Error)]
#[error("`{text}` is not a {what}; it looks like `{prefix}` followed by 16 letters and digits")]
pub struct ParseIdError {
    text: String,
    what: &'static str,
    prefix: &'static str,
}

fn encode(prefix: &str, random: [u8; RANDOM_BYTES]) -> String {
    format!("{prefix}{}", BASE32_NOPAD.encode(&random).to_ascii_lowercase())
}

fn is_body(body: &str) -> bool {
    let encoding: &Encoding = &BASE32_NOPAD;
    body.len() == encoding.encode_len(RANDOM_BYTES)
        && body
            .bytes()
            .all(|b| b.is_ascii_lowercase() || (b'2'..=b'7').contains(&b))
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
        #[serde(try_from = "String", into = "String")]
        #[schemars(extend("pattern" = concat!("^", $prefix, "[a-z2-7]{16}$")))]
        pub struct $name(String);

        impl $name {
            /// Makes an identity of `random` bytes, which the caller draws from the system.
            pub fn from_random(random: [u8; RANDOM_BYTES]) -> Self {
                Self(encode($prefix, random))
            }

            /// The whole text, prefix included.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The first eight letters after the prefix: short enough for a host label.
            pub fn short(&self) -> &str {
                &self.0[$prefix.len()..$prefix.len() + 8]
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;
            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                match text.strip_prefix($prefix) {
                    Some(body) if is_body(body) => Ok(Self(text.to_owned())),
                    _ => Err(ParseIdError { text: text.to_owned(), what: $what, prefix: $prefix }),
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = ParseIdError;
            fn try_from(text: String) -> Result<Self, ParseIdError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }
    };
}

id!(
    /// A codebase with settings.
    ProjectId, "prj_", "project id"
);
id!(
    /// The long-lived environment of one context.
    PreviewId, "pre_", "preview id"
);
id!(
    /// One attempt to serve one revision.
    DeploymentId, "dpl_", "deployment id"
);
id!(
    /// Something running at a provider for a deployment.
    InstanceId, "ins_", "instance id"
);
id!(
    /// A repository at a forge.
    RepositoryId, "rep_", "repository id"
);
id!(
    /// Somebody who is told what happens.
    SubscriberId, "sub_", "subscriber id"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_the_round_trip() {
        let id = DeploymentId::from_random([7; RANDOM_BYTES]);
        assert_eq!(id.as_str().parse::<DeploymentId>().unwrap(), id);
        assert_eq!(id.short().len(), 8);
    }

    #[test]
    fn the_prefix_keeps_kinds_apart() {
        let id = DeploymentId::from_random([7; RANDOM_BYTES]);
        assert!(id.as_str().parse::<PreviewId>().is_err());
        assert!("dpl_../../etc/passwd".parse::<DeploymentId>().is_err());
        assert!("dpl_".parse::<DeploymentId>().is_err());
    }
}
