//! A tree: the files of a source or of an artifact, by path and digest.
//!
//! Guards against everything a hostile manifest can say: paths that leave the root, links that point outside, a file
//! that is also a directory, duplicates, absurd numbers. A `Tree` value is always valid, sorted and free of
//! duplicates; its digest is that of its canonical form. It does *not* know where the bytes are.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Digest;

/// Entries of one tree at the most.
pub const ENTRIES_MAX: usize = 200_000;
/// Bytes of one path at the most.
pub const PATH_BYTES_MAX: usize = 1_024;
/// What a path looks like, for schemas: names between `/`, none of them empty, `.` or `..`, no control characters.
const PATH_PATTERN: &str = concat!(
    r"^([^./\u0000-\u001f\u007f-\u009f]|\.[^./\u0000-\u001f\u007f-\u009f]|\.\.[^/\u0000-\u001f\u007f-\u009f])[^/\u0000-\u001f\u007f-\u009f]*",
    r"(/([^./\u0000-\u001f\u007f-\u009f]|\.[^./\u0000-\u001f\u007f-\u009f]|\.\.[^/\u0000-\u001f\u007f-\u009f])[^/\u0000-\u001f\u007f-\u009f]*)*$",
);
/// Bytes of one path component at the most: what file systems take.
pub const COMPONENT_BYTES_MAX: usize = 255;

/// A relative path inside a tree: UTF-8, `/` between components, never empty, no `.`, `..` or control characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(extend("maxLength" = PATH_BYTES_MAX, "pattern" = PATH_PATTERN))]
pub struct TreePath(String);

/// What stands at a path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[schemars(rename = "TreeNode")]
pub enum Node {
    /// A regular file of `size_bytes`; only the executable bit of its mode is kept.
    File {
        digest: Digest,
        #[serde(deserialize_with = "crate::units::whole")]
        size_bytes: u64,
        executable: bool,
    },
    /// A symbolic link whose target is relative and stays inside the tree.
    Symlink { target: String },
}

/// One path of a tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "TreeEntry")]
pub struct Entry {
    pub path: TreePath,
    #[serde(flatten)]
    pub node: Node,
}

/// A valid, sorted set of entries. Directories are implied; empty ones are not kept.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Vec<Entry>", into = "Vec<Entry>")]
pub struct Tree {
    entries: Vec<Entry>,
}

/// Why a manifest is not a tree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    #[error("`{path}` is not a path inside the tree: {why}; send relative paths with `/` between names")]
    Path { path: String, why: &'static str },
    #[error("`{0}` is listed twice; list every path once")]
    Duplicate(TreePath),
    #[error("`{0}` is a file and also the directory of another entry; one of them must go")]
    FileIsDirectory(TreePath),
    #[error("the link `{path}` points to `{target}`, outside the tree; make it relative and keep it inside")]
    LinkLeaves { path: TreePath, target: String },
    #[error(
        "the tree has {0} entries and at most {ENTRIES_MAX} are taken; ignore generated directories in .cxignore"
    )]
    TooMany(usize),
}

impl TreePath {
    /// Checks `text`; see the type for what is taken.
    pub fn new(text: &str) -> Result<Self, TreeError> {
        let refuse = |why| {
            Err(TreeError::Path {
                path: text.chars().take(200).collect(),
                why,
            })
        };
        if text.is_empty() {
            return refuse("it is empty");
        }
        if text.len() > PATH_BYTES_MAX {
            return refuse("it is longer than 1,024 bytes");
        }
        if text.chars().any(char::is_control) {
            return refuse("it holds a control character");
        }
        for component in text.split('/') {
            match component {
                "" => return refuse("it is absolute or holds an empty name"),
                "." | ".." => return refuse("it holds `.` or `..`"),
                long if long.len() > COMPONENT_BYTES_MAX => return refuse("a name is longer than 255 bytes"),
                _ => {}
            }
        }
        Ok(Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last component.
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// The directory above, or `None` at the root.
    pub fn parent(&self) -> Option<&str> {
        self.0.rsplit_once('/').map(|(parent, _)| parent)
    }
}

impl Tree {
    /// Sorts and checks `entries`.
    pub fn new(mut entries: Vec<Entry>) -> Result<Self, TreeError> {
        if entries.len() > ENTRIES_MAX {
            return Err(TreeError::TooMany(entries.len()));
        }
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        for pair in entries.windows(2) {
            if pair[0].path == pair[1].path {
                return Err(TreeError::Duplicate(pair[0].path.clone()));
            }
        }
        let tree = Self { entries };
        for entry in &tree.entries {
            tree.check_ancestors(entry)?;
            check_link(entry)?;
        }
        Ok(tree)
    }

    fn check_ancestors(&self, entry: &Entry) -> Result<(), TreeError> {
        let mut above = entry.path.parent();
        while let Some(directory) = above {
            if self.position(directory).is_ok() {
                return Err(TreeError::FileIsDirectory(TreePath(directory.to_owned())));
            }
            above = directory.rsplit_once('/').map(|(parent, _)| parent);
        }
        Ok(())
    }

    fn position(&self, path: &str) -> Result<usize, usize> {
        self.entries
            .binary_search_by(|entry| entry.path.as_str().cmp(path))
    }

    /// All entries, sorted by the bytes of their paths.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// What stands at `path`.
    pub fn get(&self, path: &str) -> Option<&Node> {
        self.position(path).ok().map(|index| &self.entries[index].node)
    }

    /// Whether some entry lies below the directory `path`.
    pub fn has_directory(&self, path: &str) -> bool {
        let below = format!("{path}/");
        let start = self
            .entries
            .partition_point(|entry| entry.path.as_str() < below.as_str());
        self.entries
            .get(start)
            .is_some_and(|entry| entry.path.as_str().starts_with(&below))
    }

    /// The part below the directory `path`, with paths relative to it. `""` is the whole tree.
    pub fn subtree(&self, path: &str) -> Tree {
        if path.is_empty() {
            return self.clone();
        }
        let below = format!("{path}/");
        let entries = self.entries.iter().filter_map(|entry| {
            let rest = entry.path.as_str().strip_prefix(&below)?;
            Some(Entry {
                path: TreePath(rest.to_owned()),
                node: entry.node.clone(),
            })
        });
        Tree {
            entries: entries.collect(),
        }
    }

    /// Digests of all files, each once.
    pub fn digests(&self) -> std::collections::BTreeSet<Digest> {
        let file = |entry: &Entry| match &entry.node {
            Node::File { digest, .. } => Some(*digest),
            Node::Symlink { .. } => None,
        };
        self.entries.iter().filter_map(file).collect()
    }

    /// Sum of the sizes of all files, in bytes.
    pub fn size_bytes(&self) -> u64 {
        let size = |entry: &Entry| match entry.node {
            Node::File { size_bytes, .. } => size_bytes,
            Node::Symlink { .. } => 0,
        };
        self.entries.iter().map(size).fold(0, u64::saturating_add)
    }

    /// The bytes whose SHA-256 names this tree: one JSON object per line, in order.
    pub fn canonical(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.entries.len() * 160);
        for entry in &self.entries {
            serde_json::to_writer(&mut bytes, entry)
                .expect("an entry of strings and numbers always serialises");
            bytes.push(b'\n');
        }
        bytes
    }

    /// The digest of the canonical form.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.canonical())
    }
}

fn check_link(entry: &Entry) -> Result<(), TreeError> {
    let Node::Symlink { target } = &entry.node else {
        return Ok(());
    };
    let leaves = || TreeError::LinkLeaves {
        path: entry.path.clone(),
        target: target.chars().take(200).collect(),
    };
    if target.is_empty() || target.starts_with('/') || target.len() > PATH_BYTES_MAX || target.contains('\0')
    {
        return Err(leaves());
    }
    let mut depth = entry.path.as_str().matches('/').count();
    for component in target.split('/') {
        match component {
            "" | "." => {}
            ".." => depth = depth.checked_sub(1).ok_or_else(leaves)?,
            _ => depth += 1,
        }
    }
    Ok(())
}

impl fmt::Display for TreePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for TreePath {
    type Err = TreeError;
    fn from_str(text: &str) -> Result<Self, TreeError> {
        Self::new(text)
    }
}

impl TryFrom<String> for TreePath {
    type Error = TreeError;
    fn try_from(text: String) -> Result<Self, TreeError> {
        Self::new(&text)
    }
}

impl From<TreePath> for String {
    fn from(path: TreePath) -> String {
        path.0
    }
}

impl TryFrom<Vec<Entry>> for Tree {
    type Error = TreeError;
    fn try_from(entries: Vec<Entry>) -> Result<Self, TreeError> {
        Self::new(entries)
    }
}

impl From<Tree> for Vec<Entry> {
    fn from(tree: Tree) -> Vec<Entry> {
        tree.entries
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn file(path: &str) -> Entry {
        let node = Node::File {
            digest: Digest::of(path.as_bytes()),
            size_bytes: 1,
            executable: false,
        };
        Entry {
            path: TreePath::new(path).unwrap(),
            node,
        }
    }

    fn link(path: &str, target: &str) -> Entry {
        Entry {
            path: TreePath::new(path).unwrap(),
            node: Node::Symlink {
                target: target.to_owned(),
            },
        }
    }

    #[test]
    fn the_order_of_entries_does_not_change_the_digest() {
        let one = Tree::new(vec![file("a"), file("b/c")]).unwrap();
        let two = Tree::new(vec![file("b/c"), file("a")]).unwrap();
        assert_eq!(one.digest(), two.digest());
    }

    #[test]
    fn paths_that_leave_the_tree_are_refused() {
        for path in [
            "",
            "/etc/passwd",
            "a//b",
            "a/../b",
            "..",
            "./a",
            "a/",
            "a\0b",
            "a\nb",
            &"x".repeat(300),
        ] {
            assert!(TreePath::new(path).is_err(), "{path:?}");
        }
    }

    #[test]
    fn links_that_leave_the_tree_are_refused() {
        for (path, target) in [
            ("a", "/etc"),
            ("a", ".."),
            ("d/a", "../../x"),
            ("a", "b/../../x"),
            ("a", ""),
        ] {
            assert!(Tree::new(vec![link(path, target)]).is_err(), "{path} -> {target}");
        }
        assert!(Tree::new(vec![link("d/a", "../b"), file("b")]).is_ok());
    }

    #[test]
    fn a_file_is_not_also_a_directory() {
        assert!(matches!(
            Tree::new(vec![file("a"), file("a/b")]),
            Err(TreeError::FileIsDirectory(_))
        ));
        // `a-b` sorts between `a` and `a/b`, so neighbours alone would not show it.
        assert!(Tree::new(vec![link("a", "x"), file("a-b"), file("a/b")]).is_err());
        assert!(matches!(
            Tree::new(vec![file("a"), file("a")]),
            Err(TreeError::Duplicate(_))
        ));
    }

    #[test]
    fn a_subtree_is_relative_to_its_root() {
        let tree = Tree::new(vec![file("a/b"), file("a/c/d"), file("ab")]).unwrap();
        let paths: Vec<_> = tree
            .subtree("a")
            .entries
            .iter()
            .map(|e| e.path.to_string())
            .collect();
        assert_eq!(paths, ["b", "c/d"]);
        assert!(tree.has_directory("a/c") && !tree.has_directory("ab"));
    }

    proptest! {
        #[test]
        fn any_accepted_path_stays_below_the_root(text in ".{0,40}") {
            if let Ok(path) = TreePath::new(&text) {
                let joined = std::path::Path::new("/root").join(path.as_str());
                prop_assert!(joined.components().all(|c| !matches!(c, std::path::Component::ParentDir)));
                prop_assert!(joined.starts_with("/root") && joined != std::path::Path::new("/root"));
            }
        }
    }
}
