//! Which of several versions is taken, and what is said when none suits.

use std::collections::BTreeMap;

use model::Failure;
use model::failure::Code;

use super::kind::Kind;
use super::version::{Range, Version};

/// Which npm runs on which Node, from `engines` of npm's own releases; newest first.
const NPM_NEEDS: [(u64, &str); 5] = [
    (11, "^20.17.0 || >=22.9.0"),
    (10, "^18.17.0 || >=20.5.0"),
    (9, "^14.17.0 || ^16.13.0 || >=18.0.0"),
    (8, "^12.13.0 || ^14.15.0 || >=16.0.0"),
    (6, "*"),
];

/// The newest of the release lines that the kind prefers, with long-term support where some have it.
pub(super) fn best(kind: &dyn Kind, versions: Vec<Version>) -> Option<Version> {
    let preferred: Option<Range> = kind.preferred().and_then(|range| range.parse().ok());
    let is_preferred = |version: Version| preferred.as_ref().is_some_and(|range| range.contains(version));
    versions
        .into_iter()
        .max_by_key(|version| (is_preferred(*version), kind.is_long_term(*version), *version))
}

pub(super) fn npm_runs_on(npm: Version, node: Version) -> bool {
    let needs = NPM_NEEDS.iter().find(|(major, _)| npm.major >= *major);
    let range: Option<Range> = needs.and_then(|(_, range)| range.parse().ok());
    range.is_some_and(|range| range.contains(node)) && npm.major <= NPM_NEEDS[0].0
}

pub(super) fn none_suits(name: &str, range: &Range, offered: impl Iterator<Item = Version>) -> Failure {
    let message = format!(
        "{name} `{range}` is asked for, and the registry has {}",
        listed(offered)
    );
    Failure::new(Code::ToolchainUnavailable, message)
}

/// For what no registry has.
pub(super) fn nothing_suits(name: &str, range: &Range, offered: impl Iterator<Item = Version>) -> Failure {
    let message = format!(
        "{name} `{range}` is asked for, and this machine has {}",
        listed(offered)
    );
    Failure::new(Code::ToolchainUnavailable, message).hint(format!(
        "Ask for a version of {name} that the server has, or install this one on the server and deploy again."
    ))
}

/// The newest of each release line, which for most languages is the second number.
fn listed(offered: impl Iterator<Item = Version>) -> String {
    let versions: Vec<Version> = offered.collect();
    let one_major = versions.iter().all(|version| version.major == versions[0].major);
    let mut newest: BTreeMap<(u64, u64), Version> = BTreeMap::new();
    for version in versions {
        let line = (version.major, if one_major { version.minor } else { 0 });
        let known = newest.entry(line).or_insert(version);
        *known = version.max(*known);
    }
    let offered: Vec<String> = newest.values().rev().take(8).map(Version::to_string).collect();
    match offered.is_empty() {
        true => "none at all".to_owned(),
        false => offered.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::toolchain::kind;

    #[test]
    fn lines_that_are_preferred_come_first() {
        let best = |name: &str, versions: &[&str]| {
            let versions = versions.iter().map(|version| version.parse().unwrap()).collect();
            best(kind::named(name).unwrap(), versions).unwrap().to_string()
        };
        assert_eq!(best("node", &["18.1.0", "20.1.0", "21.9.0"]), "20.1.0");
        assert_eq!(best("node", &["22.13.0", "26.1.0"]), "22.13.0");
        assert_eq!(best("npm", &["18.1.0", "21.9.0"]), "21.9.0");
        assert_eq!(best("node", &["21.0.0"]), "21.0.0");
        assert_eq!(best("python", &["3.10.1", "3.13.0", "3.15.0"]), "3.13.0");
    }

    #[test]
    fn npm_fits_its_node() {
        let table = [
            ((11, 0), (20, 16), false),
            ((11, 0), (20, 17), true),
            ((10, 1), (18, 17), true),
            ((10, 1), (16, 0), false),
        ];
        for ((npm, _), (major, minor), runs) in table {
            assert_eq!(
                npm_runs_on(Version::new(npm, 0, 0), Version::new(major, minor, 0)),
                runs,
                "{npm} on {major}.{minor}"
            );
        }
        assert!(
            !npm_runs_on(Version::new(12, 0, 0), Version::new(26, 0, 0)),
            "what is not known is not chosen"
        );
    }

    #[test]
    fn what_is_offered_is_named() {
        let offered = [
            Version::new(20, 1, 0),
            Version::new(20, 2, 0),
            Version::new(22, 0, 1),
        ];
        let failure = none_suits("node", &"13".parse().unwrap(), offered.into_iter());
        assert_eq!(
            failure.message,
            "node `13` is asked for, and the registry has 22.0.1, 20.2.0"
        );
    }
}
