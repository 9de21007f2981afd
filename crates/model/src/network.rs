//! Where code may connect to, by what it is doing. Host loopback, private ranges, metadata services and other previews
//! are never among it; only the operator of the server can open one of those.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Hosts that may be contacted from a sandbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Egress {
    /// Nothing.
    None,
    /// Package registries, and what the operator adds to them.
    Registries,
    /// The hosts named: exact, or `*.suffix`.
    Names(Vec<String>),
    /// The public internet.
    Public,
}

/// The policy of each thing that a deployment does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Network {
    pub install: Egress,
    pub build: Egress,
    pub run: Egress,
}

impl Default for Network {
    fn default() -> Self {
        Self {
            install: Egress::Public,
            build: Egress::Public,
            run: Egress::Public,
        }
    }
}

impl Egress {
    /// The stricter of both: a project can narrow what its trust level allows, never widen it.
    pub fn within(&self, ceiling: &Egress) -> Egress {
        match (self, ceiling) {
            (Egress::None, _) | (_, Egress::None) => Egress::None,
            (Egress::Names(names), Egress::Names(allowed)) => Egress::Names(
                names
                    .iter()
                    .filter(|name| allowed.contains(name))
                    .cloned()
                    .collect(),
            ),
            (Egress::Names(_), Egress::Registries) => Egress::Registries,
            (_, Egress::Public) => self.clone(),
            (Egress::Public | Egress::Registries, _) => ceiling.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_only_narrows() {
        let names = Egress::Names(vec!["api.example.com".to_owned()]);
        assert_eq!(Egress::Public.within(&Egress::None), Egress::None);
        assert_eq!(Egress::Public.within(&Egress::Registries), Egress::Registries);
        assert_eq!(names.within(&Egress::Public), names);
        assert_eq!(names.within(&Egress::Registries), Egress::Registries);
        assert_eq!(Egress::Registries.within(&names), names);
    }
}
