//! Tokens of installations, kept while they are good. Each is for one purpose: to read and report for one repository, or
//! for git to read a few. So a token that gets lost opens little, and not for long.

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

/// A token is made anew this long before it expires: a fetch or build that was given it still ends.
const SLACK: Duration = Duration::from_secs(300);
/// Most tokens, and repositories with their installations, that are remembered.
const KEPT_MAX: usize = 1_000;

/// What a token opens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Scope {
    /// Everything that the App may do, in one repository.
    Repository { id: u64 },
    /// Which repositories the installation may see, and how they are called now.
    Metadata,
    /// To read what is in these repositories of the installation.
    Contents { ids: Vec<u64> },
}

impl Scope {
    /// What the forge is asked for.
    pub(super) fn body(&self) -> Value {
        match self {
            Self::Repository { id } => json!({ "repository_ids": [id] }),
            Self::Metadata => json!({ "permissions": { "metadata": "read" } }),
            Self::Contents { ids } => {
                json!({ "repository_ids": ids, "permissions": { "contents": "read", "metadata": "read" } })
            }
        }
    }
}

#[derive(Default)]
pub(super) struct Tokens {
    tokens: Mutex<HashMap<(String, Scope), Token>>,
    /// Installations by the number of the repository.
    installations: Mutex<BTreeMap<String, String>>,
}

struct Token {
    value: String,
    expires: Timestamp,
}

impl Tokens {
    /// One that is good for a while yet.
    pub(super) fn get(&self, installation: &str, scope: &Scope, now: Timestamp) -> Option<String> {
        let tokens = self.tokens.lock().expect("nobody panics holding it");
        let token = tokens.get(&(installation.to_owned(), scope.clone()))?;
        (token.expires > now + SLACK).then(|| token.value.clone())
    }

    pub(super) fn put(
        &self,
        (installation, scope): (&str, &Scope),
        (value, expires): (&str, Timestamp),
        now: Timestamp,
    ) {
        let mut tokens = self.tokens.lock().expect("nobody panics holding it");
        if tokens.len() >= KEPT_MAX {
            tokens.retain(|_, token| token.expires > now + SLACK);
        }
        if tokens.len() >= KEPT_MAX {
            tokens.clear();
        }
        let value = value.to_owned();
        tokens.insert((installation.to_owned(), scope.clone()), Token { value, expires });
    }

    /// The forge did not take it any more.
    pub(super) fn forget(&self, value: &str) {
        let mut tokens = self.tokens.lock().expect("nobody panics holding it");
        tokens.retain(|_, token| token.value != value);
    }

    pub(super) fn installation(&self, repository: &str) -> Option<String> {
        let installations = self.installations.lock().expect("nobody panics holding it");
        installations.get(repository).cloned()
    }

    /// The installation that may see a repository was found, or turned out not to be any more.
    pub(super) fn set_installation(&self, repository: &str, installation: Option<&str>) {
        let mut installations = self.installations.lock().expect("nobody panics holding it");
        match installation {
            Some(found) => {
                if installations.len() >= KEPT_MAX {
                    installations.clear();
                }
                installations.insert(repository.to_owned(), found.to_owned());
            }
            None => drop(installations.remove(repository)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_kept_while_it_is_good_and_for_its_purpose_alone() {
        let (tokens, now) = (Tokens::default(), Timestamp::UNIX_EPOCH);
        let scope = Scope::Repository { id: 1 };
        let hour = now + Duration::from_secs(3600);
        tokens.put(("7", &scope), ("t", hour), now);
        assert_eq!(tokens.get("7", &scope, now).as_deref(), Some("t"));
        assert_eq!(tokens.get("8", &scope, now), None);
        assert_eq!(tokens.get("7", &Scope::Repository { id: 2 }, now), None);
        let git = Scope::Contents { ids: vec![1] };
        assert_eq!(tokens.get("7", &git, now), None);
        assert_eq!(tokens.get("7", &scope, hour - SLACK), None);
        tokens.forget("t");
        assert_eq!(tokens.get("7", &scope, now), None);
    }

    #[test]
    fn what_is_remembered_has_an_end() {
        let (tokens, now) = (Tokens::default(), Timestamp::UNIX_EPOCH);
        for id in 0..3 * KEPT_MAX as u64 {
            let expires = now + Duration::from_secs(3600);
            tokens.put(("7", &Scope::Repository { id }), ("t", expires), now);
            tokens.set_installation(&id.to_string(), Some("7"));
        }
        assert!(tokens.tokens.lock().unwrap().len() <= KEPT_MAX);
        assert!(tokens.installations.lock().unwrap().len() <= KEPT_MAX);
        assert_eq!(tokens.installation("2999").as_deref(), Some("7"));
    }
}
