//! Which Python a project asks for.
//!
//! Interpreters differ in what is installed on a machine, so a file that names a patch release is met by any of the same
//! minor line. Source: version specifiers of PEP 440, `.python-version` of pyenv and uv, `runtime.txt` of Heroku.

use model::Failure;
use toml::Value;

use super::requirements::Requirements;
use crate::plan::view::{View, join};

/// The range of versions, in npm's notation, and where it comes from.
pub(super) fn asked(view: &View<'_>, requirements: &Requirements) -> Result<(String, String), Failure> {
    for directory in view.upwards() {
        let path = join(&directory, ".python-version");
        let text = view.text_in_source(&path)?.unwrap_or_default();
        let mut lines = text.lines().map(str::trim);
        let line = lines.find(|line| !line.is_empty() && !line.starts_with('#'));
        if let Some((line, range)) = line.and_then(|line| Some((line, minor(line)?))) {
            return Ok((range, format!("{path} asks for Python {line}")));
        }
    }
    let runtime = view.text("runtime.txt")?.unwrap_or_default();
    if let Some(range) = minor(runtime.trim()) {
        return Ok((range, format!("runtime.txt asks for {}", runtime.trim())));
    }
    let text = |path: &[&str]| requirements.tool(path).and_then(Value::as_str);
    if let Some(required) = text(&["project", "requires-python"]) {
        let reason = format!("pyproject.toml asks for Python {required}");
        return Ok((range(required), reason));
    }
    if let Some(required) = text(&["tool", "poetry", "dependencies", "python"]) {
        let reason = format!("pyproject.toml asks for Python {required}");
        return Ok((range(required), reason));
    }
    let pipfile = requirements.pipfile.get("requires");
    let pipfile = pipfile.and_then(|requires| requires.get("python_version")?.as_str());
    if let Some(range) = pipfile.and_then(minor) {
        return Ok((range, "the Pipfile asks for it".to_owned()));
    }
    let reason = "nothing asks for a version of Python".to_owned();
    Ok(("*".to_owned(), reason))
}

/// The minor line of `3.12.4`, `python-3.12.4` or `cpython@3.12`. `None` for names that say nothing.
fn minor(text: &str) -> Option<String> {
    let start = text.find(|c: char| c.is_ascii_digit())?;
    let known = ["", "python-", "cpython-", "cpython@", "v"];
    if !known.contains(&&text[..start]) {
        return None;
    }
    let mut numbers = text[start..].split(['.', '-', '+']);
    let major = number(numbers.next()?)?;
    Some(match numbers.next().and_then(number) {
        Some(minor) => format!("{major}.{minor}.x"),
        None => format!("{major}.x"),
    })
}

fn number(text: &str) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text[..end].parse().ok()
}

/// A specifier of PEP 440, or Poetry's, in npm's notation. What excludes single versions is left out.
pub(super) fn range(specifier: &str) -> String {
    let alternatives: Vec<String> = specifier.split("||").map(all_of).collect();
    alternatives.join(" || ")
}

fn all_of(text: &str) -> String {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    let parts: Vec<String> = parts.filter_map(comparator).collect();
    if parts.is_empty() {
        "*".to_owned()
    } else {
        parts.join(" ")
    }
}

fn comparator(text: &str) -> Option<String> {
    let end = text.find(|c: char| !"<>=^~!".contains(c)).unwrap_or(text.len());
    let (operator, version) = text.split_at(end);
    let version = without_pre_release(version.trim());
    let numbers = version.split('.').filter(|part| *part != "*").count();
    Some(match operator {
        "!=" => return None,
        // "Compatible": the last number may grow.
        "~=" if numbers >= 3 => format!("~{version}"),
        "~=" => format!("^{version}"),
        "==" | "===" | "=" | "" if numbers >= 3 => minor(&version)?,
        "==" | "===" | "=" | "" => version.replace('*', "x"),
        operator => format!("{operator}{}", version.trim_end_matches(".*")),
    })
}

/// `3.13.0` of `3.13.0a1`.
fn without_pre_release(version: &str) -> String {
    let end = version.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '*')));
    version[..end.unwrap_or(version.len())]
        .trim_end_matches('.')
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specifiers_are_translated() {
        let table = [
            (">=3.9", ">=3.9"),
            (">=3.9,<4.0", ">=3.9 <4.0"),
            ("~=3.11", "^3.11"),
            ("~=3.11.2", "~3.11.2"),
            ("==3.12.*", "3.12.x"),
            ("==3.12.4", "3.12.x"),
            (">=3.8, !=3.9.*, <3.13.0a1", ">=3.8 <3.13.0"),
            ("^3.10", "^3.10"),
            ("^3.8 || ^3.11", "^3.8 || ^3.11"),
            ("", "*"),
        ];
        for (specifier, expected) in table {
            assert_eq!(range(specifier), expected, "{specifier}");
        }
    }

    #[test]
    fn a_patch_release_stands_for_its_line() {
        let table = [
            ("3.12.4", Some("3.12.x")),
            ("python-3.11.9", Some("3.11.x")),
            ("cpython@3.13", Some("3.13.x")),
            ("3", Some("3.x")),
            ("pypy3.10", None),
            ("system", None),
        ];
        for (text, expected) in table {
            assert_eq!(minor(text).as_deref(), expected, "{text}");
        }
    }
}
