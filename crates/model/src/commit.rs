//! Commits: the names of revisions where there is git, and where a source comes from when it is one.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The full name of a commit: 40 hexadecimal digits, or 64 in a repository that uses SHA-256.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(extend("pattern" = "^([0-9a-f]{40}|[0-9a-f]{64})$"))]
pub struct CommitSha(String);

/// The text is not a commit's full name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a commit; a commit is 40 (or 64) lower-case hexadecimal digits")]
pub struct ParseCommitError(String);

impl CommitSha {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first seven digits, as people write it.
    pub fn short(&self) -> &str {
        &self.0[..7]
    }
}

impl FromStr for CommitSha {
    type Err = ParseCommitError;

    fn from_str(text: &str) -> Result<Self, ParseCommitError> {
        let digits = text
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if digits && matches!(text.len(), 40 | 64) {
            return Ok(Self(text.to_owned()));
        }
        Err(ParseCommitError(text.chars().take(100).collect()))
    }
}

impl TryFrom<String> for CommitSha {
    type Error = ParseCommitError;

    fn try_from(text: String) -> Result<Self, ParseCommitError> {
        text.parse()
    }
}

impl From<CommitSha> for String {
    fn from(sha: CommitSha) -> String {
        sha.0
    }
}

impl fmt::Display for CommitSha {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A commit of a repository as the source of a deployment; what it holds is fetched when the deployment begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Revision {
    /// The name of the configured forge.
    pub forge: String,
    /// `owner/name`, as it was when the deployment was made.
    pub repository: String,
    /// What to ask the server for, such as `refs/pull/12/head` or `refs/heads/main`. It may have moved on since: the
    /// commit below is what counts.
    pub reference: String,
    pub commit: CommitSha,
    /// Its page at the forge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The branch it was proposed from or pushed to, for people; somebody else chose it, so it is never acted upon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pull_request: Option<u64>,
    /// The directory of the repository that the project is; empty is all of it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub root: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_is_named_in_full() {
        let sha: CommitSha = "0123456789abcdef0123456789abcdef01234567".parse().unwrap();
        assert_eq!(sha.short(), "0123456");
        for text in ["", "main", "0123456", &"A".repeat(40), &"0".repeat(41)] {
            assert!(text.parse::<CommitSha>().is_err(), "{text}");
        }
    }
}
