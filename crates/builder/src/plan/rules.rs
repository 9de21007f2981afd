//! The rules of `frameworks.toml` and which of them a source meets.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use model::Failure;
use serde::Deserialize;

use super::javascript::Manifest;
use super::python::Requirements;
use super::view::{View, join};

/// How one framework is recognised, built and served; see the head of `frameworks.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    pub(super) name: String,
    #[serde(default)]
    pub(super) language: Tongue,
    #[serde(default)]
    every: Vec<Detector>,
    #[serde(default)]
    some: Vec<Detector>,
    #[serde(default)]
    unless: Vec<Detector>,
    #[serde(default)]
    yields_to: Vec<String>,
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
    pub(super) interface: Option<Interface>,
    #[serde(default)]
    pub(super) application: Vec<String>,
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

/// The language of a rule: whose folder knows the rest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Tongue {
    #[default]
    Javascript,
    Python,
    Go,
    Rust,
}

/// What a Python application object speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Interface {
    Wsgi,
    Asgi,
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

/// Which packages a project says it depends on, read when the first rule asks.
pub(super) struct Manifests<'a> {
    view: &'a View<'a>,
    javascript: OnceCell<Option<Manifest>>,
    python: OnceCell<Requirements>,
}

impl<'a> Manifests<'a> {
    pub(super) fn new(view: &'a View<'a>) -> Self {
        Self {
            view,
            javascript: OnceCell::new(),
            python: OnceCell::new(),
        }
    }

    /// package.json, where there is one.
    pub(super) fn javascript(&self) -> Result<Option<&Manifest>, Failure> {
        if self.javascript.get().is_none() {
            let text = self.view.text("package.json")?;
            let path = join(self.view.root(), "package.json");
            let manifest = text.map(|text| Manifest::parse(&path, &text)).transpose()?;
            let _ = self.javascript.set(manifest);
        }
        Ok(self.javascript.get().and_then(Option::as_ref))
    }

    /// What requirements.txt, pyproject.toml, Pipfile and their locks name.
    pub(super) fn python(&self) -> Result<&Requirements, Failure> {
        if self.python.get().is_none() {
            let _ = self.python.set(Requirements::read(self.view)?);
        }
        Ok(self.python.get().expect("it has just been set"))
    }

    /// What shows that the project depends on `name`, a package of `language`.
    fn depends_on(&self, language: Tongue, name: &str) -> Result<Option<String>, Failure> {
        match language {
            Tongue::Javascript => {
                let there = self
                    .javascript()?
                    .is_some_and(|manifest| manifest.depends_on(name));
                Ok(there.then(|| format!("package.json depends on {name}")))
            }
            Tongue::Python => {
                let file = self.python()?.declares(name);
                Ok(file.map(|file| format!("{file} depends on {name}")))
            }
            Tongue::Go | Tongue::Rust => Ok(None),
        }
    }
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
pub(super) fn choose(view: &View<'_>, manifests: &Manifests<'_>) -> Result<Option<Match>, Failure> {
    let mut met = Vec::new();
    for rule in RULES.iter() {
        if let Some(because) = rule.met(view, manifests)? {
            met.push(Match { rule, because });
        }
    }
    let moot: BTreeSet<&String> = met.iter().flat_map(|found| &found.rule.supersedes).collect();
    Ok(met.into_iter().find(|found| !moot.contains(&found.rule.name)))
}

impl Rule {
    /// Whether package.json says more than this rule does.
    pub(super) fn yields_to(&self, manifest: Option<&Manifest>) -> bool {
        let scripts = self.yields_to.iter().map(String::as_str);
        manifest.is_some_and(|manifest| scripts.into_iter().any(|name| manifest.script(name).is_some()))
    }

    /// What shows that the rule is met.
    fn met(&self, view: &View<'_>, manifests: &Manifests<'_>) -> Result<Option<String>, Failure> {
        let holds = |detector: &Detector| detector.holds(self.language, view, manifests);
        for detector in &self.unless {
            if holds(detector)?.is_some() {
                return Ok(None);
            }
        }
        let mut because = Vec::new();
        for detector in &self.every {
            match holds(detector)? {
                Some(why) => because.push(why),
                None => return Ok(None),
            }
        }
        if !self.some.is_empty() {
            let mut first = None;
            for detector in &self.some {
                first = holds(detector)?;
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
    fn holds(
        &self,
        language: Tongue,
        view: &View<'_>,
        manifests: &Manifests<'_>,
    ) -> Result<Option<String>, Failure> {
        if let Some(name) = &self.dependency {
            return manifests.depends_on(language, name);
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
            for detector in rule.every.iter().chain(&rule.some).chain(&rule.unless) {
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
            let own = rule.toolchain.is_some() || rule.language != Tongue::Javascript;
            let buildable = own || rule.build.is_some();
            assert!(buildable, "{} cannot be built", rule.name);
            assert_eq!(
                rule.interface.is_some(),
                !rule.application.is_empty(),
                "{}",
                rule.name
            );
            assert!(rule.serve == Kind::Server || rule.toolchain.is_some() || !rule.output.is_empty());
        }
    }

    #[test]
    fn patterns_expand() {
        assert_eq!(expand("a.{js,ts}"), ["a.js", "a.ts"]);
        assert_eq!(expand("a.js"), ["a.js"]);
    }
}
