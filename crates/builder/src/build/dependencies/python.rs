//! What uv, Poetry and Pipenv read: manifests and locks, and the requirements that include each other.

use model::Tree;
use model::tree::Entry;

use crate::plan::included_requirements;
use crate::source::SourceFiles;

/// Files that they read, wherever they lie.
const READ: [&str; 8] = [
    "pyproject.toml",
    "uv.lock",
    "uv.toml",
    "poetry.lock",
    "poetry.toml",
    "Pipfile",
    "Pipfile.lock",
    ".python-version",
];

/// The files that count; `None` where something in them leads to others.
pub(super) fn read(tree: &Tree, source: &dyn SourceFiles) -> Option<Vec<Entry>> {
    let mut entries = Vec::new();
    for entry in tree.entries() {
        let (path, name) = (entry.path.as_str(), entry.path.file_name());
        if is_requirements(path) {
            let bytes = source.read(path).ok()?;
            if !String::from_utf8_lossy(&bytes)
                .lines()
                .all(|line| stays_here(line.trim()))
            {
                return None;
            }
        } else if !READ.contains(&name) {
            continue;
        }
        if name == "pyproject.toml" {
            let bytes = source.read(path).ok()?;
            let text = String::from_utf8_lossy(&bytes);
            // Some backends read the list of dependencies from another file.
            if text.contains("dynamic") && text.contains("dependencies") && text.contains("file") {
                return None;
            }
        }
        entries.push(entry.clone());
    }
    Some(entries)
}

/// Whether a file is one that `-r` and `-c` usually name.
fn is_requirements(path: &str) -> bool {
    let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
    let named =
        name.contains("requirements") || name.contains("constraints") || directory.ends_with("requirements");
    named && [".txt", ".in"].iter().any(|end| name.ends_with(end))
}

/// Whether a line of requirements names nothing of the source but other requirements.
fn stays_here(line: &str) -> bool {
    if let Some(included) = included_requirements(line) {
        return is_requirements(included);
    }
    let local = ["-e", "--editable", "-f", "--find-links", ".", "/", "~", "file:"];
    !local.iter().any(|start| line.starts_with(start)) && !line.contains("@ file:") && !line.contains(".whl")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leads_elsewhere_is_seen() {
        for line in [
            "flask==3",
            "-r requirements/base.txt",
            "--hash=sha256:0",
            "",
            "# -e .",
            "-i https://example.com",
        ] {
            assert!(stays_here(line), "{line}");
        }
        for line in [
            "-e .",
            "./lib",
            "lib @ file:///app/lib",
            "-r base.list",
            "--find-links wheels",
            "x-1.0-py3-none-any.whl",
        ] {
            assert!(!stays_here(line), "{line}");
        }
    }

    #[test]
    fn requirements_have_many_names() {
        for path in [
            "requirements.txt",
            "requirements-dev.txt",
            "api/requirements/base.txt",
            "constraints.txt",
        ] {
            assert!(is_requirements(path), "{path}");
        }
        assert!(!is_requirements("robots.txt") && !is_requirements("requirements.py"));
    }
}
