//! Which packages a Python project names, wherever it names them.
//!
//! Guards against a pyproject.toml that does not parse: the failure names line and column. It does *not* resolve
//! anything, and reads requirements only so far as names and included files go.

use std::collections::{BTreeMap, BTreeSet};

use model::Failure;
use model::failure::{Code, Location};
use toml::{Table, Value};

use crate::plan::view::{View, join, normalise};

/// Files that requirement files may include, in total.
const INCLUDED_MAX: usize = 32;
/// Extras that bring a package of which a server is made, where no lock says so.
const IMPLIED: [(&str, &str, &str); 2] = [("fastapi", "standard", "uvicorn"), ("fastapi", "all", "uvicorn")];

/// What a project depends on.
#[derive(Debug, Default)]
pub(in crate::plan) struct Requirements {
    /// Normalised names, each with the file that has it.
    declared: BTreeMap<String, String>,
    locked: BTreeSet<String>,
    pub(super) pyproject: Table,
    pub(super) pipfile: Table,
}

impl Requirements {
    pub(in crate::plan) fn read(view: &View<'_>) -> Result<Self, Failure> {
        let mut all = Self {
            pyproject: table(view, "pyproject.toml")?,
            pipfile: table(view, "Pipfile")?,
            ..Self::default()
        };
        all.read_files(view)?;
        all.read_pyproject();
        let packages = all.pipfile.get("packages").and_then(Value::as_table).cloned();
        for name in packages.iter().flat_map(Table::keys) {
            all.declare(name, "Pipfile");
        }
        for lock in ["uv.lock", "poetry.lock"] {
            for directory in view.upwards() {
                let text = view.text_in_source(&join(&directory, lock))?.unwrap_or_default();
                let names = text.lines().filter_map(|line| line.strip_prefix("name = "));
                all.locked
                    .extend(names.map(|name| normal(name.trim_matches('"'))));
            }
        }
        Ok(all)
    }

    /// The file in which the project itself names the package `name`.
    pub(in crate::plan) fn declares(&self, name: &str) -> Option<&str> {
        self.declared.get(name).map(String::as_str)
    }

    /// Whether `name` will be installed, as far as can be told.
    pub(super) fn has(&self, name: &str) -> bool {
        self.declared.contains_key(name) || self.locked.contains(name)
    }

    /// Follows a path of keys through pyproject.toml.
    pub(super) fn tool(&self, path: &[&str]) -> Option<&Value> {
        let (first, rest) = path.split_first()?;
        rest.iter()
            .try_fold(self.pyproject.get(*first)?, |value, key| value.get(key))
    }

    /// The range of uv's versions that the project is installed with.
    pub(super) fn uv_version(&self) -> String {
        let required = self
            .tool(&["tool", "uv", "required-version"])
            .and_then(Value::as_str);
        required.map_or_else(|| ">=0.8".to_owned(), super::version::range)
    }

    /// requirements.txt and what it includes.
    fn read_files(&mut self, view: &View<'_>) -> Result<(), Failure> {
        let mut waiting = vec!["requirements.txt".to_owned()];
        let mut seen = BTreeSet::new();
        while let Some(path) = waiting.pop() {
            if seen.len() >= INCLUDED_MAX || !seen.insert(path.clone()) {
                continue;
            }
            let text = view.text(&path)?.unwrap_or_default();
            for line in text.lines().map(str::trim) {
                if let Some(included) = included(line) {
                    let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
                    waiting.extend(normalise(&join(directory, included)));
                } else if let Some((name, extras)) = requirement(line) {
                    self.declare(name, &path);
                    self.imply(name, extras, &path);
                }
            }
        }
        Ok(())
    }

    fn read_pyproject(&mut self) {
        let pyproject = self.pyproject.clone();
        let value = |path: [&str; 2]| pyproject.get(path[0]).and_then(|table| table.get(path[1]));
        let listed = value(["project", "dependencies"]).and_then(Value::as_array);
        let listed = listed.into_iter().flatten().filter_map(Value::as_str);
        for (name, extras) in listed.filter_map(requirement) {
            self.declare(name, "pyproject.toml");
            self.imply(name, extras, "pyproject.toml");
        }
        let poetry = value(["tool", "poetry"]).and_then(|poetry| poetry.get("dependencies"));
        for name in poetry.and_then(Value::as_table).into_iter().flat_map(Table::keys) {
            self.declare(name, "pyproject.toml");
        }
    }

    fn declare(&mut self, name: &str, file: &str) {
        self.declared
            .entry(normal(name))
            .or_insert_with(|| file.to_owned());
    }

    fn imply(&mut self, name: &str, extras: &str, file: &str) {
        let given = |extra: &str| extras.split(',').any(|given| given.trim() == extra);
        let name = normal(name);
        for (_, _, implied) in IMPLIED
            .iter()
            .filter(|(package, extra, _)| *package == name && given(extra))
        {
            self.declare(implied, file);
        }
    }
}

/// The file that a line of a requirements file includes or is constrained by.
pub(crate) fn included(line: &str) -> Option<&str> {
    ["-r", "--requirement", "-c", "--constraint"]
        .iter()
        .find_map(|flag| {
            let rest = line.strip_prefix(flag)?;
            let path = rest.trim_start_matches(['=', ' ', '\t']);
            (path.len() < rest.len() || *flag == "-r" || *flag == "-c")
                .then(|| path.split(" #").next().unwrap_or(path).trim())
        })
}

/// The name and extras of a requirement such as `fastapi[standard]>=0.110 ; python_version > "3.8"`.
fn requirement(line: &str) -> Option<(&str, &str)> {
    if !line.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return None;
    }
    let end = line.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')));
    let (name, rest) = line.split_at(end.unwrap_or(line.len()));
    let extras = rest
        .trim_start()
        .strip_prefix('[')
        .and_then(|rest| rest.split(']').next());
    Some((name, extras.unwrap_or("")))
}

/// Names that differ in case and punctuation are one (PEP 503).
fn normal(name: &str) -> String {
    let lower = name.to_ascii_lowercase();
    lower
        .split(['-', '_', '.'])
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join("-")
}

fn table(view: &View<'_>, name: &str) -> Result<Table, Failure> {
    let text = view.text(name)?.unwrap_or_default();
    parse(&join(view.root(), name), &text)
}

/// The TOML file at `path` of the source.
pub(in crate::plan) fn parse(path: &str, text: &str) -> Result<Table, Failure> {
    text.parse().map_err(|error: toml::de::Error| {
        let start = error.span().map_or(0, |span| span.start.min(text.len()));
        let before = text.get(..start).unwrap_or("");
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
        let what = error
            .message()
            .lines()
            .next()
            .unwrap_or("it is not TOML")
            .to_owned();
        let message = format!("{path}:{line}:{column}: {what}");
        Failure::new(Code::InvalidManifest, message).location(Location {
            file: path.to_owned(),
            line: u32::try_from(line).ok(),
            column: u32::try_from(column).ok(),
            message: Some(what),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirements_have_names_and_extras() {
        let table = [
            ("Flask==3.0", Some(("Flask", ""))),
            ("fastapi[standard,all]>=0.110", Some(("fastapi", "standard,all"))),
            (
                "zope.interface ; python_version > '3'",
                Some(("zope.interface", "")),
            ),
            ("git+https://example.com/x.git", Some(("git", ""))),
            ("-e .", None),
            ("# comment", None),
            ("", None),
        ];
        for (line, expected) in table {
            assert_eq!(requirement(line), expected, "{line}");
        }
        assert_eq!(normal("Zope._Interface"), "zope-interface");
    }

    #[test]
    fn included_files_are_seen() {
        assert_eq!(included("-r base.txt"), Some("base.txt"));
        assert_eq!(included("--requirement=../base.txt # why"), Some("../base.txt"));
        assert_eq!(included("-c constraints.txt"), Some("constraints.txt"));
        assert_eq!(included("requests"), None);
    }

    #[test]
    fn a_syntax_error_is_located() {
        let failure = parse("pyproject.toml", "[project]\nname = oops\n").unwrap_err();
        assert_eq!(failure.code, Code::InvalidManifest);
        let location = &failure.locations[0];
        assert_eq!((location.line, location.column), (Some(2), Some(8)));
    }
}
