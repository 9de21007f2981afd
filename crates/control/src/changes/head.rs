//! A head: a pull request or a branch, whose newest commit is what previews are made of.

use std::fmt;
use std::str::FromStr;

use forge::source::{Branch, PullRequest};
use model::commit::CommitSha;
use model::{Digest, NamespaceName};
use serde::{Deserialize, Serialize};

/// Digits of a digest that tell two branches with the same slug apart.
const SUFFIX_CHARS: usize = 6;

/// Which pull request or branch of a repository.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Head {
    PullRequest(u64),
    Branch(String),
}

/// The text is not the name of a head.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` names neither a pull request nor a branch")]
pub(crate) struct ParseHeadError(String);

impl Head {
    pub(crate) fn number(&self) -> Option<u64> {
        match self {
            Self::PullRequest(number) => Some(*number),
            Self::Branch(_) => None,
        }
    }

    /// Where its previews belong, best first: another branch may have taken the first one already.
    pub(crate) fn namespaces(&self, default_branch: &str) -> Vec<NamespaceName> {
        let branch = match self {
            Self::PullRequest(number) => return vec![NamespaceName::from_text(&format!("preview-{number}"))],
            Self::Branch(branch) => branch,
        };
        let plain = NamespaceName::from_text(&format!("branch-{branch}"));
        let digest = Digest::of(branch.as_bytes()).hex();
        let own = model::host::with_suffix(plain.as_str(), &digest[..SUFFIX_CHARS]);
        let main = (branch == default_branch).then(NamespaceName::main);
        main.into_iter()
            .chain([plain, NamespaceName::from_text(&own)])
            .collect()
    }
}

impl FromStr for Head {
    type Err = ParseHeadError;

    fn from_str(text: &str) -> Result<Self, ParseHeadError> {
        let unknown = || ParseHeadError(text.to_owned());
        match text.split_once('/') {
            Some(("pull", number)) => number.parse().map(Self::PullRequest).map_err(|_| unknown()),
            Some(("branch", name)) if !name.is_empty() => Ok(Self::Branch(name.to_owned())),
            _ => Err(unknown()),
        }
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PullRequest(number) => write!(f, "pull/{number}"),
            Self::Branch(name) => write!(f, "branch/{name}"),
        }
    }
}

/// What the forge answered when it was asked last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub(crate) enum Truth {
    PullRequest(PullRequest),
    Branch(Branch),
    /// There is no such thing, or not any more.
    Gone,
}

impl Truth {
    /// Whether nothing more is to be served for it.
    pub(crate) fn is_over(&self) -> bool {
        match self {
            Self::PullRequest(pull) => !pull.open,
            Self::Branch(_) => false,
            Self::Gone => true,
        }
    }

    /// The newest commit.
    pub(crate) fn commit(&self) -> Option<&CommitSha> {
        match self {
            Self::PullRequest(pull) => Some(&pull.head),
            Self::Branch(branch) => Some(&branch.head),
            Self::Gone => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_written_and_read() {
        for head in [Head::PullRequest(12), Head::Branch("release/1.2".to_owned())] {
            assert_eq!(head.to_string().parse::<Head>().unwrap(), head);
        }
        for text in ["", "pull/", "pull/x", "branch/", "main"] {
            assert!(text.parse::<Head>().is_err(), "{text}");
        }
    }

    #[test]
    fn heads_have_namespaces_of_their_own() {
        let names = |head: Head| -> Vec<String> {
            let namespaces = head.namespaces("trunk");
            namespaces.iter().map(ToString::to_string).collect()
        };
        assert_eq!(names(Head::PullRequest(12)), ["preview-12"]);
        // Another branch may have been the default one before, and have taken `main`.
        assert_eq!(
            names(Head::Branch("trunk".to_owned()))[..2],
            ["main", "branch-trunk"]
        );
        let (one, two) = (
            names(Head::Branch("feature/a".to_owned())),
            names(Head::Branch("feature-a".to_owned())),
        );
        assert_eq!((one[0].as_str(), &one[0]), ("branch-feature-a", &two[0]));
        assert_ne!(one[1], two[1]);
        let long = names(Head::Branch("x".repeat(300)));
        assert!(long[1].len() <= 63 && long[1] != long[0], "{long:?}");
    }
}
