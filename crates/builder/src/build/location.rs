//! Finding the place in the source that a tool's output names.
//!
//! Reads the forms that compilers use: `file:line:column`, `file:line`, `file(line,column)`. A place counts only when the
//! file is part of the source, so that neither a URL nor a stack frame of a dependency is taken for one.

use model::Tree;
use model::failure::Location;

use super::environment::APP_DIRECTORY;

/// The first place in `lines` that lies in `tree`. Relative paths are below `root`.
pub(super) fn find(lines: &[String], tree: &Tree, root: &str) -> Option<Location> {
    lines.iter().find_map(|line| in_line(line, tree, root))
}

fn in_line(line: &str, tree: &Tree, root: &str) -> Option<Location> {
    let words = line
        .split(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '[' | ']' | '│' | '╭' | '─'));
    words.filter(|word| word.contains('.')).find_map(|word| {
        let (path, line, column) = split(word)?;
        Some(Location {
            file: in_source(path, tree, root)?,
            line: Some(line),
            column,
        })
    })
}

/// The path, line and column of a word such as `src/a.ts:3:5` or `src/a.ts(3,5):`.
fn split(word: &str) -> Option<(&str, u32, Option<u32>)> {
    let word = word
        .trim_start_matches("file://")
        .trim_start_matches('(')
        .trim_end_matches([':', ',', '.', ')', ';']);
    if let Some((path, rest)) = word.split_once('(') {
        let (line, column) = rest.split_once(',').unwrap_or((rest, ""));
        return Some((path, line.parse().ok()?, column.parse().ok()));
    }
    let mut parts = word.splitn(3, ':');
    let path = parts.next()?;
    let line = parts.next()?.parse().ok()?;
    let column = parts.next().and_then(|rest| rest.split(':').next()?.parse().ok());
    Some((path, line, column))
}

/// The path relative to the source, if the source has such a file.
fn in_source(path: &str, tree: &Tree, root: &str) -> Option<String> {
    if path.is_empty() || path.contains("node_modules/") {
        return None;
    }
    if let Some(inside) = path
        .strip_prefix(APP_DIRECTORY)
        .and_then(|rest| rest.strip_prefix('/'))
    {
        return tree.get(inside).is_some().then(|| inside.to_owned());
    }
    let path = path.trim_start_matches("./");
    let below = if root.is_empty() {
        path.to_owned()
    } else {
        format!("{root}/{path}")
    };
    [below, path.to_owned()]
        .into_iter()
        .find(|path| tree.get(path).is_some())
}

#[cfg(test)]
mod tests {
    use model::tree::{Entry, Node};
    use model::{Digest, TreePath};

    use super::*;

    fn tree(paths: &[&str]) -> Tree {
        let entry = |path: &&str| {
            let node = Node::File {
                digest: Digest::of(b""),
                size_bytes: 0,
                executable: false,
            };
            Entry {
                path: TreePath::new(path).unwrap(),
                node,
            }
        };
        Tree::new(paths.iter().map(entry).collect()).unwrap()
    }

    #[test]
    fn the_forms_of_common_tools_are_read() {
        let tree = tree(&["web/src/App.tsx", "web/index.js", "lib/x.ts"]);
        let table = [
            (
                "src/App.tsx(12,5): error TS2322: Type",
                "web/src/App.tsx",
                12,
                Some(5),
            ),
            (
                "src/App.tsx:3:7: ERROR: Expected \";\"",
                "web/src/App.tsx",
                3,
                Some(7),
            ),
            ("    at file:///app/web/index.js:9:1", "web/index.js", 9, Some(1)),
            ("/app/web/index.js:4", "web/index.js", 4, None),
            (
                "    at Object.<anonymous> (/app/lib/x.ts:1:2)",
                "lib/x.ts",
                1,
                Some(2),
            ),
            ("  ╭─[ ./src/App.tsx:8:14 ]", "web/src/App.tsx", 8, Some(14)),
            ("lib/x.ts:7:1 - error", "lib/x.ts", 7, Some(1)),
        ];
        for (line, file, number, column) in table {
            let found = find(&[line.to_owned()], &tree, "web").unwrap_or_else(|| panic!("{line}"));
            assert_eq!(
                (found.file.as_str(), found.line, found.column),
                (file, Some(number), column),
                "{line}"
            );
        }
    }

    #[test]
    fn other_texts_are_no_places() {
        let tree = tree(&["index.js", "node_modules/a/index.js"]);
        for line in [
            "http://localhost:3000/x",
            "/app/node_modules/a/index.js:1:1",
            "v20.1.2:3:4",
            "index.js",
            "other.js:3:4",
            "12:30:45.123 done",
        ] {
            assert_eq!(find(&[line.to_owned()], &tree, ""), None, "{line}");
        }
    }
}
