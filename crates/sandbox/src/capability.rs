//! What this machine can enforce, as data: `cx doctor` prints it and callers refuse untrusted work by it.
//!
//! Guards against silent weakening: everything that is clamped or missing is a line here, with advice.

use serde::{Deserialize, Serialize};

/// Everything that was looked at, in a stable order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities {
    /// False when the platform runs in a user namespace of its own, without root.
    pub root: bool,
    pub entries: Vec<Capability>,
}

impl Capabilities {
    /// How far `name` is enforced; a name nobody looked at counts as missing.
    pub fn support(&self, name: &str) -> Support {
        let entry = self.entries.iter().find(|entry| entry.name == name);
        entry.map_or(Support::Missing, |entry| entry.support)
    }

    /// True when egress by name is possible ([`crate::egress::Policy`] other than `None`).
    pub fn egress(&self) -> bool {
        self.support(EGRESS) == Support::Full
    }

    /// True when every limit of [`crate::Limits`] is enforced by the kernel, not by an approximation.
    pub fn limits_hold(&self) -> bool {
        [MEMORY, CPU, PIDS]
            .iter()
            .all(|name| self.support(name) == Support::Full)
    }
}

pub const NAMESPACES: &str = "namespaces";
pub const ID_MAPPED_MOUNTS: &str = "id-mapped mounts";
pub const OVERLAY: &str = "overlay";
pub const SECCOMP: &str = "seccomp";
pub const EGRESS: &str = "egress";
pub const MEMORY: &str = "memory limit";
pub const CPU: &str = "cpu limit";
pub const PIDS: &str = "process limit";
pub const FREEZE: &str = "freeze";
pub const OPEN_FILES: &str = "open files";

/// One thing that the machine gives, partly gives, or does not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capability {
    /// One of the constants of this module.
    pub name: String,
    pub support: Support,
    /// What was found, for people.
    pub detail: String,
    /// What to do about it; empty when `support` is full.
    pub advice: String,
}

impl Capability {
    pub(crate) fn full(name: &str, detail: impl Into<String>) -> Capability {
        Capability {
            name: name.to_owned(),
            support: Support::Full,
            detail: detail.into(),
            advice: String::new(),
        }
    }

    pub(crate) fn clamped(name: &str, detail: impl Into<String>, advice: &str) -> Capability {
        let support = Support::Clamped;
        Capability {
            name: name.to_owned(),
            support,
            detail: detail.into(),
            advice: advice.to_owned(),
        }
    }

    pub(crate) fn missing(name: &str, detail: impl Into<String>, advice: &str) -> Capability {
        let support = Support::Missing;
        Capability {
            name: name.to_owned(),
            support,
            detail: detail.into(),
            advice: advice.to_owned(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Support {
    /// As asked for.
    Full,
    /// Enforced less exactly, or lower than asked for.
    Clamped,
    Missing,
}
