//! What the code must not hold, checked by reading it.

use std::fs;
use std::path::{Path, PathBuf};

use model::failure::Code;

/// Lines of a file before its tests at the most.
const LINES_MAX: usize = 500;
/// Names that say nothing about what is in a module.
const EMPTY_NAMES: [&str; 6] = ["common", "utils", "types", "traits", "core", "context"];

/// Fails with everything that was found.
pub(crate) fn check(root: &Path) -> anyhow::Result<()> {
    let found = findings(root)?;
    anyhow::ensure!(found.is_empty(), "{}", found.join("\n"));
    Ok(())
}

fn findings(root: &Path) -> anyhow::Result<Vec<String>> {
    let mut found = untested_codes(root)?;
    for path in sources(&root.join("crates"))? {
        let text = fs::read_to_string(&path)?;
        let shown = path.strip_prefix(root).unwrap_or(&path).display().to_string();
        let is_test = shown.contains("/tests/") || shown.ends_with("tests.rs");
        let product = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or(&text);
        if !is_test && product.lines().count() > LINES_MAX {
            found.push(format!("{shown} has more than {LINES_MAX} lines"));
        }
        if !is_test && !product.trim_start().starts_with("//!") && !shown.ends_with("/build.rs") {
            found.push(format!("{shown} does not open with what it is for"));
        }
        if path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .is_some_and(|stem| EMPTY_NAMES.contains(&stem))
        {
            found.push(format!("{shown} has a name that says nothing"));
        }
        for (word, why) in [
            ("TODO", "finish it or leave it out"),
            ("FIXME", "mend it"),
            ("todo!", "finish it"),
        ] {
            if product.contains(word) {
                found.push(format!("{shown} holds {word}: {why}"));
            }
        }
        if !shown.contains("crates/control/") && product.contains("sqlx::") {
            found.push(format!("{shown} holds SQL, which belongs to control"));
        }
    }
    Ok(found)
}

/// Codes of failures that no test names: nobody has seen those happen.
fn untested_codes(root: &Path) -> anyhow::Result<Vec<String>> {
    let mut tests = String::new();
    for path in sources(&root.join("crates"))? {
        let text = fs::read_to_string(&path)?;
        let shown = path.to_string_lossy();
        let is_test = shown.contains("/tests/") || shown.ends_with("tests.rs");
        // The table itself names all of them.
        if !shown.ends_with("model/src/failure.rs") {
            let own = text.split_once("#[cfg(test)]").map_or("", |(_, tests)| tests);
            tests.push_str(if is_test { &text } else { own });
        }
    }
    let is_untested = |code: &&Code| {
        let (variant, name) = (format!("Code::{code:?}"), format!("\"{}\"", code.as_str()));
        !tests.contains(&variant) && !tests.contains(&name)
    };
    let words = |code: &Code| format!("the failure code `{}` is in no test", code.as_str());
    Ok(Code::ALL.iter().filter(is_untested).map(words).collect())
}

fn sources(directory: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut waiting = vec![directory.to_owned()];
    while let Some(directory) = waiting.pop() {
        for entry in fs::read_dir(&directory)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                waiting.push(entry.path());
            } else if entry
                .path()
                .extension()
                .is_some_and(|extension| extension == "rs")
            {
                files.push(entry.path());
            }
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_code_is_tidy() {
        super::check(&crate::root()).unwrap();
    }
}
