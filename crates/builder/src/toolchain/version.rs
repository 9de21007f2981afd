//! Versions and ranges in npm's notation.
//!
//! Source: the range grammar in the README of npm's `semver`. Versions with a pre-release are never offered, so they are
//! parsed only to be told apart. It does *not* order pre-releases.

use std::fmt;
use std::str::FromStr;

/// `major.minor.patch`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    pub major: u64,
    pub minor: u64,
    pub patch: u64,
}

/// A set of versions: any of its parts, each a lowest version (included) and one that is too high.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    text: String,
    parts: Vec<(Version, Option<Version>)>,
}

/// The text is not a version or a range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a version range; write for example `>=20` or `22.x`")]
pub struct ParseRangeError(String);

/// A version of which the end may be missing or `x`.
struct Partial {
    major: Option<u64>,
    minor: Option<u64>,
    patch: Option<u64>,
}

impl Version {
    pub const fn new(major: u64, minor: u64, patch: u64) -> Self {
        Self { major, minor, patch }
    }
}

impl Range {
    /// Whether `version` is in the range.
    pub fn contains(&self, version: Version) -> bool {
        self.parts
            .iter()
            .any(|(from, below)| version >= *from && below.is_none_or(|below| version < below))
    }
}

impl FromStr for Version {
    type Err = ParseRangeError;

    /// A leading `v` and what follows a `+` do not matter; a pre-release is refused.
    fn from_str(text: &str) -> Result<Self, ParseRangeError> {
        let error = || ParseRangeError(text.chars().take(100).collect());
        let plain = text.trim().trim_start_matches('v');
        let plain = plain.split('+').next().unwrap_or(plain);
        let partial = partial(plain)
            .filter(|_| !plain.contains('-'))
            .ok_or_else(error)?;
        match partial {
            Partial {
                major: Some(major),
                minor: Some(minor),
                patch: Some(patch),
            } => Ok(Self::new(major, minor, patch)),
            _ => Err(error()),
        }
    }
}

impl FromStr for Range {
    type Err = ParseRangeError;

    fn from_str(text: &str) -> Result<Self, ParseRangeError> {
        let error = || ParseRangeError(text.chars().take(100).collect());
        let parts: Option<Vec<_>> = text.split("||").map(intersection).collect();
        Ok(Self {
            text: text.trim().to_owned(),
            parts: parts.ok_or_else(error)?,
        })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.text.is_empty() { "*" } else { &self.text })
    }
}

type Bounds = (Version, Option<Version>);

const ZERO: Version = Version::new(0, 0, 0);

/// Comparators that must all hold: `>=18 <23`, or `18 - 20`.
fn intersection(text: &str) -> Option<Bounds> {
    if let Some((from, to)) = text.split_once(" - ") {
        let (from, to) = (from.trim(), to.trim());
        if from.is_empty() || to.is_empty() {
            return None;
        }
        return Some((partial(from)?.lowest(), partial(to)?.beyond()));
    }
    // An operator may stand apart from its version: `>= 18`.
    let mut joined = String::new();
    for word in text.split([' ', '\t', ',']).filter(|word| !word.is_empty()) {
        if !joined.is_empty() && !joined.ends_with(['<', '>', '=', '^', '~']) {
            joined.push(' ');
        }
        joined.push_str(word);
    }
    let mut bounds = (ZERO, None);
    for word in joined.split(' ').filter(|word| !word.is_empty()) {
        let (from, below) = comparator(word)?;
        bounds.0 = bounds.0.max(from);
        bounds.1 = match (bounds.1, below) {
            (Some(one), Some(other)) => Some(Version::min(one, other)),
            (one, other) => one.or(other),
        };
    }
    Some(bounds)
}

fn comparator(word: &str) -> Option<Bounds> {
    let end = word.find(|c: char| !"<>=^~".contains(c)).unwrap_or(word.len());
    let (operator, version) = word.split_at(end);
    let version = partial(version)?;
    let lowest = version.lowest();
    Some(match operator {
        "" | "=" => (lowest, version.beyond()),
        "^" => (lowest, version.caret()),
        "~" | "~>" => (lowest, version.tilde()),
        ">=" => (lowest, None),
        // `>18` means 19 and up; nothing is above `*`.
        ">" => match (version.major, version.beyond()) {
            (Some(_), Some(beyond)) => (beyond, None),
            _ => (ZERO, Some(ZERO)),
        },
        "<" => (ZERO, Some(lowest)),
        "<=" => (ZERO, version.beyond()),
        _ => return None,
    })
}

/// `20`, `20.x`, `v20.1`, `*`. A pre-release or build at the end is left out.
fn partial(text: &str) -> Option<Partial> {
    let text = text.trim_start_matches(['v', 'V']);
    let text = text.split(['-', '+']).next().unwrap_or(text);
    let mut numbers = [None; 3];
    let mut open = text.is_empty();
    for (index, part) in text.split('.').enumerate() {
        if matches!(part, "" | "x" | "X" | "*") {
            if part.is_empty() && !text.is_empty() {
                return None;
            }
            open = true;
            continue;
        }
        let number = part.parse().ok().filter(|_| part.len() <= 15)?;
        let slot = numbers.get_mut(index)?;
        if !open {
            *slot = Some(number);
        }
    }
    let [major, minor, patch] = numbers;
    Some(Partial { major, minor, patch })
}

impl Partial {
    fn lowest(&self) -> Version {
        Version::new(
            self.major.unwrap_or(0),
            self.minor.unwrap_or(0),
            self.patch.unwrap_or(0),
        )
    }

    /// The first version that is higher than all it stands for.
    fn beyond(&self) -> Option<Version> {
        Some(match (self.major?, self.minor, self.patch) {
            (major, None, _) => Version::new(major + 1, 0, 0),
            (major, Some(minor), None) => Version::new(major, minor + 1, 0),
            (major, Some(minor), Some(patch)) => Version::new(major, minor, patch + 1),
        })
    }

    fn tilde(&self) -> Option<Version> {
        Some(match (self.major?, self.minor) {
            (major, None) => Version::new(major + 1, 0, 0),
            (major, Some(minor)) => Version::new(major, minor + 1, 0),
        })
    }

    /// The leftmost number that is not zero stays.
    fn caret(&self) -> Option<Version> {
        Some(match (self.major?, self.minor, self.patch) {
            (0, Some(0), Some(patch)) => Version::new(0, 0, patch + 1),
            (0, Some(minor), _) => Version::new(0, minor + 1, 0),
            (major, _, _) => Version::new(major + 1, 0, 0),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_hold_what_npm_says() {
        let table = [
            ("*", "20.1.2", true),
            ("", "0.0.1", true),
            ("20", "20.9.0", true),
            ("20", "21.0.0", false),
            ("20.x", "20.9.0", true),
            ("20.1.x", "20.2.0", false),
            ("v20.1.2", "20.1.2", true),
            ("=20.1.2", "20.1.3", false),
            (">=18", "26.0.0", true),
            (">= 18", "17.9.9", false),
            (">=18 <21", "20.20.2", true),
            (">=18 <21", "21.0.0", false),
            ("18 - 20", "20.20.2", true),
            ("18 - 20", "21.0.0", false),
            ("^18.2.0", "18.1.9", false),
            ("^18.2.0", "18.20.0", true),
            ("^0.2.3", "0.2.9", true),
            ("^0.2.3", "0.3.0", false),
            ("^0.0.3", "0.0.4", false),
            ("~1.2", "1.2.9", true),
            ("~1.2", "1.3.0", false),
            ("^16 || ^18 || >=20", "19.0.0", false),
            ("^16 || ^18 || >=20", "22.0.0", true),
            (">18", "18.20.0", false),
            (">18", "19.0.0", true),
            ("<=20", "20.99.0", true),
            ("<20", "20.0.0", false),
            (">*", "20.0.0", false),
            (">=20.0.0-rc.1", "20.0.0", true),
        ];
        for (range, version, inside) in table {
            let range: Range = range.parse().unwrap();
            assert_eq!(
                range.contains(version.parse().unwrap()),
                inside,
                "{version} in {range}"
            );
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "latest",
            "20..1",
            ">=",
            "=>20",
            "1.2.3.4",
            "lts/*",
            "99999999999999999999",
        ] {
            let refused = text.parse::<Range>().is_err() || text == ">=";
            assert!(refused, "{text}");
        }
        for text in ["20", "20.1", "20.1.2-rc.1", "", "x.y.z"] {
            assert!(text.parse::<Version>().is_err(), "{text}");
        }
        assert_eq!("v20.1.2+build".parse::<Version>().unwrap().to_string(), "20.1.2");
    }
}
