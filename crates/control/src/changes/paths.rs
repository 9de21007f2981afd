//! Which changes touch a project: globs as in `.gitignore`'s cousins, over paths of the repository.

use forge::source::ChangedFiles;
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

/// Whether one of `files` is one of `paths`. Without paths everything is; where the forge does not tell all files, it
/// may be.
pub(crate) fn touches(paths: &[String], files: &ChangedFiles) -> Result<bool, String> {
    if paths.is_empty() {
        return Ok(true);
    }
    let set = globs(paths)?;
    Ok(match files {
        ChangedFiles::All(files) => files.iter().any(|file| set.is_match(file)),
        ChangedFiles::TooMany => true,
    })
}

/// Whether `branch` is one of `patterns`.
pub(crate) fn names_branch(patterns: &[String], branch: &str) -> Result<bool, String> {
    Ok(globs(patterns)?.is_match(branch))
}

fn globs(patterns: &[String]) -> Result<GlobSet, String> {
    let mut set = GlobSetBuilder::new();
    let invalid = |pattern: &str, error: globset::Error| {
        format!(
            "`{pattern}` in cx.toml of the base branch is not a pattern: {}",
            error.kind()
        )
    };
    for pattern in patterns {
        // A directory stands for everything in it.
        let whole = match pattern.strip_suffix('/') {
            Some(directory) => format!("{directory}/**"),
            None => pattern.trim_start_matches("./").to_owned(),
        };
        let glob = GlobBuilder::new(&whole).literal_separator(true).build();
        set.add(glob.map_err(|error| invalid(pattern, error))?);
    }
    set.build().map_err(|error| invalid("", error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touched(paths: &[&str], files: &[&str]) -> bool {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        touches(&owned(paths), &ChangedFiles::All(owned(files))).unwrap()
    }

    #[test]
    fn paths_are_globs_over_the_repository() {
        assert!(touched(&[], &["anything"]) && touched(&[], &[]));
        assert!(touched(&["apps/web/**"], &["README.md", "apps/web/src/a.ts"]));
        assert!(touched(&["apps/web/"], &["apps/web/src/a.ts"]));
        assert!(touched(&["./package.json"], &["package.json"]));
        assert!(!touched(&["apps/web/**"], &["apps/website/a.ts", "apps/web"]));
        assert!(!touched(&["*.md"], &["docs/a.md"]) && touched(&["**/*.md"], &["docs/a.md", "x"]));
    }

    #[test]
    fn what_the_forge_does_not_tell_may_be_touched() {
        assert!(touches(&["apps/web/**".to_owned()], &ChangedFiles::TooMany).unwrap());
    }

    #[test]
    fn a_pattern_that_is_none_is_said() {
        let error = touches(&["a[".to_owned()], &ChangedFiles::TooMany).unwrap_err();
        assert!(error.contains("`a[`"), "{error}");
    }

    #[test]
    fn branches_are_globs_too() {
        let patterns = ["main".to_owned(), "release/*".to_owned()];
        let named = |branch: &str| names_branch(&patterns, branch).unwrap();
        assert!(named("main") && named("release/1.2"));
        assert!(!named("mainly") && !named("release/1/2") && !named("feature"));
    }
}
