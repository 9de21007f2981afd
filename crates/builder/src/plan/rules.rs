//! The rules of `frameworks.toml` and which of them a source meets.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use model::Failure;
use serde::Deserialize;

use super::manifest::Manifest;
use super::view::View;

/// How one framework is recognised, built and served; see the head of `frameworks.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    pub(super) name: String,
    #[serde(default)]
    every: Vec<Detector>,
    #[serde(default)]
    some: Vec<Detector>,
    #[serde(default)]
    supersedes: Vec<String>,
    pub(super) build: Option<String>,
    #[serde(default)]
    pub(super) output: String,
    pub(super) serve: Kind,
    pub(super) start: Option<String>,
    #[serde(default)]
    pub(super) dev: Vec<String>,
    #[serde(default)]
    pub(super) own_server: bool,
    pub(super) develop: Option<Develop>,
    #[serde(default)]
    pub(super) variables: BTreeMap<String, String>,
    pub(super) toolchain: Option<String>,
}

/// Its development server.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Develop {
    pub(super) command: String,
    /// Tell it where to listen.
    #[serde(default)]
    pub(super) flags: String,
    #[serde(default)]
    pub(super) variables: BTreeMap<String, String>,
}

/// How it is served, unless its configuration says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    Static,
    Spa,
    Server,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Detector {
    dependency: Option<String>,
    file: Option<String>,
    contains: Option<String>,
}

/// A rule that was met, and what showed it.
pub(super) struct Match {
    pub(super) rule: &'static Rule,
    pub(super) because: String,
}

static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    #[derive(Deserialize)]
    struct Table {
        framework: Vec<Rule>,
    }
    let table: Table = toml::from_str(include_str!("../frameworks.toml"))
        .expect("frameworks.toml is part of the program and a test reads it");
    table.framework
});

/// The rule that wins, if any is met.
pub(super) fn choose(view: &View<'_>, manifest: Option<&Manifest>) -> Result<Option<Match>, Failure> {
    let mut met = Vec::new();
    for rule in RULES.iter() {
        if let Some(because) = rule.met(view, manifest)? {
            met.push(Match { rule, because });
        }
    }
    let moot: BTreeSet<&String> = met.iter().flat_map(|found| &found.rule.supersedes).collect();
    Ok(met.into_iter().find(|found| !moot.contains(&found.rule.name)))
}

impl Rule {
    /// What shows that the rule is met.
    fn met(&self, view: &View<'_>, manifest: Option<&Manifest>) -> Result<Option<String>, Failure> {
        let mut because = Vec::new();
        for detector in &self.every {
            match detector.holds(view, manifest)? {
                Some(why) => because.push(why),
                None => return Ok(None),
            }
        }
        if !self.some.is_empty() {
            let mut first = None;
            for detector in &self.some {
                first = detector.holds(view, manifest)?;
                if first.is_some() {
                    break;
                }
            }
            match first {
                Some(why) => because.push(why),
                None => return Ok(None),
            }
        }
        Ok(Some(because.join(" and ")))
    }
}

impl Detector {
    fn holds(&self, view: &View<'_>, manifest: Option<&Manifest>) -> Result<Option<String>, Failure> {
        if let Some(name) = &self.dependency {
            let there = manifest.is_some_and(|manifest| manifest.depends_on(name));
            return Ok(there.then(|| format!("package.json depends on {name}")));
        }
        let pattern = self.file.as_deref().unwrap_or_default();
        for path in expand(pattern) {
            let Some(needle) = &self.contains else {
                if view.has(&path) {
                    return Ok(Some(format!("{path} is there")));
                }
                continue;
            };
            if view.text(&path)?.is_some_and(|text| text.contains(needle)) {
                return Ok(Some(format!("{path} contains {needle}")));
            }
        }
        Ok(None)
    }
}

/// `a.{js,ts}` into `a.js` and `a.ts`.
pub(super) fn expand(pattern: &str) -> Vec<String> {
    match pattern
        .split_once('{')
        .and_then(|(before, rest)| Some((before, rest.split_once('}')?)))
    {
        Some((before, (choices, after))) => choices
            .split(',')
            .map(|choice| format!("{before}{choice}{after}"))
            .collect(),
        None => vec![pattern.to_owned()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sound() {
        let names: BTreeSet<&str> = RULES.iter().map(|rule| rule.name.as_str()).collect();
        assert_eq!(names.len(), RULES.len(), "names are unique");
        for rule in RULES.iter() {
            assert!(
                !rule.every.is_empty() || !rule.some.is_empty(),
                "{} is met by anything",
                rule.name
            );
            for detector in rule.every.iter().chain(&rule.some) {
                assert!(
                    detector.dependency.is_some() != detector.file.is_some(),
                    "{}: {detector:?}",
                    rule.name
                );
                assert!(
                    detector.contains.is_none() || detector.file.is_some(),
                    "{}: {detector:?}",
                    rule.name
                );
            }
            for name in &rule.supersedes {
                assert!(
                    names.contains(name.as_str()),
                    "{} supersedes unknown {name}",
                    rule.name
                );
            }
            let buildable = rule.toolchain.is_some() || rule.build.is_some();
            assert!(buildable, "{} cannot be built", rule.name);
            assert!(rule.serve == Kind::Server || rule.toolchain.is_some() || !rule.output.is_empty());
        }
    }

    #[test]
    fn patterns_expand() {
        assert_eq!(expand("a.{js,ts}"), ["a.js", "a.ts"]);
        assert_eq!(expand("a.js"), ["a.js"]);
    }
}
