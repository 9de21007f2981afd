//! What go.mod and go.work say, and where the main packages are.
//!
//! Source: the reference of Go modules. Files are read line by line, so far as this needs; Go itself judges them.

use std::collections::BTreeMap;

use model::Failure;

use crate::plan::view::{View, join};

/// A module, or a workspace of several.
pub(super) struct Module {
    /// The last part of its path that is no version, such as `shop` of `example.com/shop/v2`.
    pub(super) name: String,
    pub(super) has_requirements: bool,
    /// Whether nothing says which versions were meant.
    pub(super) is_unlocked: bool,
    /// The file, and the version after `toolchain` or `go`.
    asked: Option<(String, String)>,
}

impl Module {
    /// The module of the root; the version may stand in a go.work above it.
    pub(super) fn read(view: &View<'_>) -> Result<Self, Failure> {
        let own = view.text("go.mod")?.unwrap_or_default();
        let work = view.text("go.work")?.unwrap_or_default();
        let mut asked = None;
        for directory in view.upwards() {
            for file in ["go.work", "go.mod"] {
                let path = join(&directory, file);
                let text = view.text_in_source(&path)?.unwrap_or_default();
                let said = word(&text, "toolchain").and_then(|name| name.strip_prefix("go"));
                let said = said.or_else(|| word(&text, "go"));
                asked = asked.or_else(|| Some((path, said?.to_owned())));
            }
        }
        let path = word(&own, "module").unwrap_or_default();
        let is_version = |part: &&str| {
            part.len() > 1 && part.starts_with('v') && part[1..].bytes().all(|b| b.is_ascii_digit())
        };
        let name = path
            .rsplit('/')
            .find(|part| !is_version(part))
            .unwrap_or_default();
        let has_requirements =
            own.lines().any(|line| line.trim_start().starts_with("require")) || !work.is_empty();
        let locked = view.has("go.sum") || view.has("go.work.sum") || view.has("vendor/modules.txt");
        Ok(Self {
            name: name.to_owned(),
            has_requirements,
            is_unlocked: has_requirements && !locked && work.is_empty(),
            asked,
        })
    }

    /// The range of Go's versions: what a module names is the lowest that will do.
    pub(super) fn version(&self) -> (String, String) {
        match &self.asked {
            Some((file, version)) => (
                format!(">={version}"),
                format!("{file} asks for Go {version} or newer"),
            ),
            None => ("*".to_owned(), "nothing asks for a version of Go".to_owned()),
        }
    }

    /// Directories of main packages below the root; `""` is the root.
    pub(super) fn main_packages(&self, view: &View<'_>) -> Result<Vec<String>, Failure> {
        let mut directories: BTreeMap<String, bool> = BTreeMap::new();
        let own = |path: &str| {
            let hidden = path
                .split('/')
                .any(|part| part.starts_with(['.', '_']) || part == "testdata");
            path.ends_with(".go") && !path.ends_with("_test.go") && !hidden
        };
        for path in view.files(own) {
            let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
            if directories.get(directory) == Some(&true) {
                continue;
            }
            let is_main = view.text(&path)?.is_some_and(|text| is_main(&text));
            *directories.entry(directory.to_owned()).or_default() |= is_main;
        }
        Ok(directories
            .into_iter()
            .filter_map(|(directory, is_main)| is_main.then_some(directory))
            .collect())
    }
}

/// Whether a file belongs to a main package, and to the build: one to be ignored is a tool run by hand.
fn is_main(text: &str) -> bool {
    let head = text
        .lines()
        .map(str::trim)
        .take_while(|line| !line.starts_with("import"));
    let mut is_main = false;
    for line in head {
        if line.starts_with("//go:build ignore") || line.starts_with("// +build ignore") {
            return false;
        }
        is_main |=
            line == "package main" || line.starts_with("package main ") || line.starts_with("package main//");
    }
    is_main
}

/// The word after `key` at the beginning of a line.
fn word<'t>(text: &'t str, key: &str) -> Option<&'t str> {
    text.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        (words.next() == Some(key)).then(|| words.next().map(|word| word.trim_matches('"')))?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn main_packages_are_told_from_others() {
        assert!(is_main("// Serves.\npackage main\n\nimport \"fmt\"\n"));
        assert!(!is_main("//go:build ignore\n\npackage main\n"));
        assert!(!is_main("package mainly\n"));
    }

    #[test]
    fn lines_of_go_mod_are_read() {
        let text = "module example.com/shop/v2\n\ngo 1.22\n\ntoolchain go1.23.4\n";
        assert_eq!(word(text, "module"), Some("example.com/shop/v2"));
        assert_eq!(word(text, "go"), Some("1.22"));
        assert_eq!(word(text, "toolchain"), Some("go1.23.4"));
    }
}
