//! Which of several versions is taken, and what is said when none suits.

use std::collections::BTreeMap;

use model::Failure;
use model::failure::Code;

use super::version::{Range, Version};

/// Which npm runs on which Node, from `engines` of npm's own releases; newest first.
const NPM_NEEDS: [(u64, &str); 5] = [
    (11, "^20.17.0 || >=22.9.0"),
    (10, "^18.17.0 || >=20.5.0"),
    (9, "^14.17.0 || ^16.13.0 || >=18.0.0"),
    (8, "^12.13.0 || ^14.15.0 || >=16.0.0"),
    (6, "*"),
];

/// The newest; of Node the newest with long-term support, if any has it.
pub(super) fn best(name: &str, versions: Vec<Version>) -> Option<Version> {
    versions
        .into_iter()
        .max_by_key(|version| (name == "node" && version.is_long_term(), *version))
}

pub(super) fn npm_runs_on(npm: Version, node: Version) -> bool {
    let needs = NPM_NEEDS.iter().find(|(major, _)| npm.major >= *major);
    let range: Option<Range> = needs.and_then(|(_, range)| range.parse().ok());
    range.is_some_and(|range| range.contains(node)) && npm.major <= NPM_NEEDS[0].0
}

pub(super) fn none_suits(name: &str, range: &Range, offered: impl Iterator<Item = Version>) -> Failure {
    let mut newest: BTreeMap<u64, Version> = BTreeMap::new();
    for version in offered {
        let known = newest.entry(version.major).or_insert(version);
        *known = version.max(*known);
    }
    let offered: Vec<String> = newest.values().rev().take(8).map(Version::to_string).collect();
    let offered = if offered.is_empty() {
        "none at all".to_owned()
    } else {
        offered.join(", ")
    };
    let message = format!("{name} `{range}` is asked for, and the registry has {offered}");
    Failure::new(Code::ToolchainUnavailable, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_term_lines_of_node_come_first() {
        let versions = || {
            vec![
                Version::new(18, 1, 0),
                Version::new(20, 1, 0),
                Version::new(21, 9, 0),
            ]
        };
        assert_eq!(best("node", versions()), Some(Version::new(20, 1, 0)));
        assert_eq!(best("npm", versions()), Some(Version::new(21, 9, 0)));
        assert_eq!(
            best("node", vec![Version::new(21, 0, 0)]),
            Some(Version::new(21, 0, 0))
        );
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
