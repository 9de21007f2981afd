//! Names that people choose: projects, namespaces, services, environments. All become part of host labels, so they
//! are what a host label takes: lower-case letters, digits and hyphens.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Characters of a name at the most: a host label holds 63.
pub const NAME_CHARS_MAX: usize = 63;
/// What a name looks like, for schemas.
const NAME_PATTERN: &str = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$";

/// The text cannot be a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` cannot be the name of a {what}: use 1 to 63 lower-case letters, digits and hyphens, with a letter or digit at both ends, such as `{suggestion}`"
)]
pub struct ParseNameError {
    text: String,
    what: &'static str,
    suggestion: String,
}

/// Turns any text into a name: lower case, runs of anything else become one hyphen. `fallback` when nothing is left.
pub fn slugify(text: &str, fallback: &str) -> String {
    let mut slug = String::new();
    for c in text.chars().flat_map(char::to_lowercase) {
        if c.is_ascii_alphanumeric() {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.truncate(NAME_CHARS_MAX);
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() {
        fallback.to_owned()
    } else {
        slug.to_owned()
    }
}

/// The one of `names` that was probably meant by `wanted`, if one is near enough.
pub fn nearest<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let named = names.into_iter().filter(|name| !name.is_empty());
    let near = named.map(|name| (strsim::damerau_levenshtein(wanted, name), name));
    let (distance, name) = near.min_by_key(|(distance, _)| *distance)?;
    (distance <= name.len().max(wanted.len()) / 2).then_some(name)
}

fn is_name(text: &str) -> bool {
    let bytes = text.as_bytes();
    (1..=NAME_CHARS_MAX).contains(&bytes.len())
        && bytes
            .iter()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-')
        && bytes[0] != b'-'
        && bytes[bytes.len() - 1] != b'-'
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
        #[serde(try_from = "String", into = "String")]
        #[schemars(extend("pattern" = NAME_PATTERN))]
        pub struct $name(String);

        impl $name {
            /// Checks `text`.
            pub fn new(text: &str) -> Result<Self, ParseNameError> {
                if is_name(text) {
                    return Ok(Self(text.to_owned()));
                }
                let text: String = text.chars().take(100).collect();
                Err(ParseNameError { suggestion: slugify(&text, $what), text, what: $what })
            }

            /// Makes a name of any text, for example of a directory's name.
            pub fn from_text(text: &str) -> Self {
                Self(slugify(text, $what))
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = ParseNameError;
            fn from_str(text: &str) -> Result<Self, ParseNameError> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = ParseNameError;
            fn try_from(text: String) -> Result<Self, ParseNameError> {
                Self::new(&text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }
    };
}

name!(
    /// The name of a project, unique in an installation.
    ProjectName, "project"
);
name!(
    /// The name of a namespace: the previews of one or more projects that belong to one change.
    NamespaceName, "namespace"
);
name!(
    /// The name of a service within a deployment; `web` is the one that is routed by default.
    ServiceName, "service"
);

impl NamespaceName {
    /// `main`, the namespace whose previews carry the bare project name as their host.
    pub fn main() -> Self {
        Self("main".to_owned())
    }
}

impl ServiceName {
    /// `web`, the service of a deployment that has only one.
    pub fn web() -> Self {
        Self("web".to_owned())
    }
}

/// The set of variables and limits a deployment is given.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum EnvironmentName {
    #[default]
    Preview,
    Development,
    Production,
}

/// The text is not one of the three environments.
#[derive(Debug, Clone, thiserror::Error)]
#[error("`{0}` is not an environment; use `preview`, `development` or `production`")]
pub struct ParseEnvironmentError(String);

impl EnvironmentName {
    pub const ALL: [Self; 3] = [Self::Preview, Self::Development, Self::Production];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Preview => "preview",
            Self::Development => "development",
            Self::Production => "production",
        }
    }
}

impl fmt::Display for EnvironmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for EnvironmentName {
    type Err = ParseEnvironmentError;
    fn from_str(text: &str) -> Result<Self, ParseEnvironmentError> {
        let known = Self::ALL.into_iter().find(|name| name.as_str() == text);
        known.ok_or_else(|| ParseEnvironmentError(text.chars().take(100).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for text in ["a", "guestbook", "a-b", "9", "preview-123"] {
            assert!(ProjectName::new(text).is_ok(), "{text}");
        }
        for text in ["", "-a", "a-", "A", "a.b", "a_b", "ä", &"a".repeat(64)] {
            assert!(ProjectName::new(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_slip_of_the_pen_is_understood() {
        assert_eq!(nearest("mian", ["demo", "main"]), Some("main"));
        assert_eq!(nearest("shop", ["guestbook", "x"]), None);
        assert_eq!(nearest("shop", []), None);
    }

    #[test]
    fn any_directory_name_becomes_a_name() {
        let table = [
            ("My App", "my-app"),
            ("---", "project"),
            ("été", "t"),
            ("a__b..c", "a-b-c"),
            ("", "project"),
        ];
        for (text, name) in table {
            assert_eq!(ProjectName::from_text(text).as_str(), name);
        }
        assert!(is_name(&slugify(&format!("{}-b", "a".repeat(62)), "x")));
    }
}
