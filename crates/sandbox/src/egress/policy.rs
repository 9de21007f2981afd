//! What a sandbox may reach, by name.
//!
//! A name rule alone never opens a private address: that takes an operator's allowance of the address as well
//! (`address.rs`). Names are compared without case and without a final dot; internationalised names in their ASCII
//! form. Two sites that share an address cannot be told apart here: whoever is allowed one reaches both.

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use super::allowance::Allowances;

/// Which names a sandbox may reach.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// Nothing outside the sandbox.
    #[default]
    None,
    /// Only these names: exact (`registry.npmjs.org`), everything below one (`*.example.com`, which is not
    /// `example.com` itself), or a literal address (`203.0.113.9`) for programs that ask no resolver.
    Names(Vec<String>),
    /// Every name and every public address.
    Public,
}

impl Policy {
    /// The policy of a dependency install: the public registries and the operator's own.
    pub fn registries(extra: &[String]) -> Policy {
        let known = super::REGISTRIES.iter().map(|name| (*name).to_owned());
        Policy::Names(known.chain(extra.iter().cloned()).collect())
    }
}

/// Everything the gateway of one sandbox decides by.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    pub policy: Policy,
    /// What the operator opens for every sandbox whose policy is not `None`.
    pub allow: Allowances,
    /// Resolvers to ask, in this order, at most three of them. Empty: the name servers of the host's
    /// `/etc/resolv.conf`, read again when they may have changed.
    pub upstream: Vec<SocketAddr>,
}

impl Rules {
    /// Rules with a policy and nothing else: no allowances, the host's own resolvers.
    pub fn new(policy: Policy) -> Rules {
        Rules {
            policy,
            ..Rules::default()
        }
    }

    /// Whether a name (lower case, no final dot) may be looked up and reached.
    pub(super) fn allows_name(&self, name: &str) -> bool {
        match &self.policy {
            Policy::None => false,
            Policy::Public => true,
            Policy::Names(patterns) => {
                let mut patterns = patterns.iter().chain(&self.allow.names);
                patterns.any(|pattern| matches(pattern, name))
            }
        }
    }

    /// Whether an address may be reached though no allowed name led to it.
    pub(super) fn allows_unnamed(&self, address: IpAddr) -> bool {
        match &self.policy {
            Policy::None => false,
            Policy::Public => true,
            Policy::Names(patterns) => {
                let mut patterns = patterns.iter().chain(&self.allow.names);
                patterns.any(|pattern| pattern.parse() == Ok(address))
            }
        }
    }
}

fn matches(pattern: &str, name: &str) -> bool {
    let pattern = pattern.strip_suffix('.').unwrap_or(pattern);
    match pattern.strip_prefix("*.") {
        None => !pattern.is_empty() && pattern.eq_ignore_ascii_case(name),
        Some(parent) => ends_below(name, parent),
    }
}

/// Whether `name` lies strictly below `parent`.
fn ends_below(name: &str, parent: &str) -> bool {
    let (name, parent) = (name.as_bytes(), parent.as_bytes());
    let Some(cut) = name.len().checked_sub(parent.len() + 1) else {
        return false;
    };
    !parent.is_empty() && cut > 0 && name[cut] == b'.' && name[cut + 1..].eq_ignore_ascii_case(parent)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(patterns: &[&str]) -> Rules {
        Rules::new(Policy::Names(patterns.iter().map(|p| (*p).to_owned()).collect()))
    }

    #[test]
    fn names_match_exactly_or_below_a_star() {
        let rules = names(&["registry.npmjs.org", "*.Example.com.", ""]);
        for name in ["registry.npmjs.org", "a.example.com", "a.b.example.com"] {
            assert!(rules.allows_name(name), "{name} is allowed");
        }
        for name in [
            "npmjs.org",
            "x.registry.npmjs.org",
            "example.com",
            "badexample.com",
            ".example.com",
            "",
            "com",
        ] {
            assert!(!rules.allows_name(name), "{name} is refused");
        }
    }

    #[test]
    fn a_star_alone_and_an_empty_suffix_match_nothing() {
        let rules = names(&["*", "*."]);
        assert!(!rules.allows_name("example.com"));
        assert!(!rules.allows_name("*.com"));
    }

    #[test]
    fn the_operator_adds_names_but_not_to_a_sandbox_with_nothing() {
        let mut rules = names(&[]);
        rules.allow.names = vec!["npm.corp.example".to_owned()];
        assert!(rules.allows_name("npm.corp.example"));
        rules.policy = Policy::None;
        assert!(!rules.allows_name("npm.corp.example"));
    }

    #[test]
    fn a_literal_address_is_reached_without_a_name() {
        let rules = names(&["203.0.113.9", "2001:db8::1"]);
        assert!(rules.allows_unnamed("203.0.113.9".parse().unwrap()));
        assert!(rules.allows_unnamed("2001:db8::1".parse().unwrap()));
        assert!(!rules.allows_unnamed("203.0.113.10".parse().unwrap()));
        assert!(Rules::new(Policy::Public).allows_unnamed("203.0.113.10".parse().unwrap()));
    }

    #[test]
    fn policies_are_stored_in_snake_case() {
        let policy = Policy::Names(vec!["a.example".to_owned()]);
        assert_eq!(
            serde_json::to_string(&policy).unwrap(),
            r#"{"names":["a.example"]}"#
        );
        assert_eq!(
            serde_json::from_str::<Policy>(r#""public""#).unwrap(),
            Policy::Public
        );
        assert_eq!(serde_json::from_str::<Policy>(r#""none""#).unwrap(), Policy::None);
    }

    #[test]
    fn an_install_reaches_the_registries_and_the_company_mirror() {
        let rules = Rules::new(Policy::registries(&["npm.corp.example".to_owned()]));
        for name in ["registry.npmjs.org", "static.crates.io", "npm.corp.example"] {
            assert!(rules.allows_name(name), "{name} is allowed");
        }
        assert!(!rules.allows_name("example.com"));
    }
}
