//! From an address to a file of a tree.
//!
//! In order: the file itself, `<path>.html`, `<path>/index.html` (with a final slash; without one the visitor is sent
//! there), the index page of a single-page application, nothing. Links are followed inside the tree only.

use model::tree::Node;
use model::{Digest, Tree};

/// Links followed on the way to one file.
const LINKS_MAX: usize = 16;
const INDEX: &str = "index.html";

/// What a visitor wants, decoded.
pub(super) struct Wanted<'a> {
    /// Begins with `/`.
    pub(super) path: &'a str,
    pub(super) spa: bool,
    /// A page is asked for, not some part of one.
    pub(super) page: bool,
}

/// What there is.
#[derive(Debug, PartialEq)]
pub(super) enum Place<'a> {
    File(Found<'a>),
    Moved(Suffix),
    Nothing,
}

/// How the address must change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Suffix {
    AddSlash,
    DropSlash,
}

/// A file.
#[derive(Debug, PartialEq)]
pub(super) struct Found<'a> {
    pub(super) path: &'a str,
    pub(super) digest: Digest,
    pub(super) size_bytes: u64,
    /// Another `Accept` would have had another answer.
    pub(super) depends_on_accept: bool,
}

/// Finds what answers.
pub(super) fn find<'a>(tree: &'a Tree, wanted: &Wanted<'_>) -> Place<'a> {
    let path = wanted.path.strip_prefix('/').unwrap_or(wanted.path);
    let (inner, slash) = match path.strip_suffix('/') {
        Some(inner) => (inner, true),
        None => (path, path.is_empty()),
    };
    let plain = inner.is_empty() || inner.split('/').all(|name| !matches!(name, "" | "." | ".."));
    if !plain || is_withheld(inner) {
        return Place::Nothing;
    }
    let index = join(inner, INDEX);
    if slash {
        if let Some(found) = file(tree, &index) {
            return Place::File(found);
        }
        if !inner.is_empty() && file(tree, &format!("{inner}.html")).is_some() {
            return Place::Moved(Suffix::DropSlash);
        }
    } else {
        if let Some(found) = file(tree, inner).or_else(|| file(tree, &format!("{inner}.html"))) {
            return Place::File(found);
        }
        if file(tree, &index).is_some() {
            return Place::Moved(Suffix::AddSlash);
        }
    }
    let looks_like_file = inner.rsplit('/').next().is_some_and(|name| name.contains('.'));
    match wanted.spa && (wanted.page || !looks_like_file) {
        true => file(tree, INDEX).map_or(Place::Nothing, |found| {
            Place::File(Found {
                depends_on_accept: looks_like_file,
                ..found
            })
        }),
        false => Place::Nothing,
    }
}

/// The site's own page for what it does not have.
pub(super) fn not_found_page(tree: &Tree) -> Option<Found<'_>> {
    file(tree, "404.html")
}

/// What is in a tree and yet not for visitors, at any depth.
fn is_withheld(path: &str) -> bool {
    path.split('/')
        .any(|name| name == ".git" || name.starts_with(".env"))
        || path.contains("node_modules/.cache")
}

fn join(directory: &str, name: &str) -> String {
    if directory.is_empty() {
        name.to_owned()
    } else {
        format!("{directory}/{name}")
    }
}

/// The file at `path`, links followed.
fn file<'a>(tree: &'a Tree, path: &str) -> Option<Found<'a>> {
    let mut path = path.to_owned();
    for _ in 0..=LINKS_MAX {
        match first_link(tree, &path) {
            Some(next) => path = next?,
            None if is_withheld(&path) => return None,
            None => return entry(tree, &path),
        }
    }
    None
}

fn entry<'a>(tree: &'a Tree, path: &str) -> Option<Found<'a>> {
    let index = tree
        .entries()
        .binary_search_by(|entry| entry.path.as_str().cmp(path))
        .ok()?;
    let entry = &tree.entries()[index];
    match entry.node {
        Node::File {
            digest, size_bytes, ..
        } => Some(Found {
            path: entry.path.as_str(),
            digest,
            size_bytes,
            depends_on_accept: false,
        }),
        Node::Symlink { .. } => None,
    }
}

/// Where `path` leads when its first link is followed: `None` when no part of it is a link, `Some(None)` when the link
/// leads out of the tree.
fn first_link(tree: &Tree, path: &str) -> Option<Option<String>> {
    if matches!(tree.get(path), Some(Node::File { .. })) {
        return None;
    }
    let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
    for end in ends {
        if let Some(Node::Symlink { target }) = tree.get(&path[..end]) {
            let base = path[..end].rsplit_once('/').map_or("", |(parent, _)| parent);
            return Some(resolve(base, target, &path[end..]));
        }
    }
    None
}

fn resolve(base: &str, target: &str, rest: &str) -> Option<String> {
    let mut names: Vec<&str> = base.split('/').filter(|name| !name.is_empty()).collect();
    for name in target.split('/').chain(rest.split('/')) {
        match name {
            "" | "." => {}
            ".." => drop(names.pop()?),
            name => names.push(name),
        }
    }
    Some(names.join("/"))
}

#[cfg(test)]
mod tests {
    use model::TreePath;
    use model::tree::Entry;

    use super::*;

    fn tree(files: &[&str], links: &[(&str, &str)]) -> Tree {
        let node = |path: &str| Node::File {
            digest: Digest::of(path.as_bytes()),
            size_bytes: 1,
            executable: false,
        };
        let entry = |path: &str, node| Entry {
            path: TreePath::new(path).unwrap(),
            node,
        };
        let files = files.iter().map(|path| entry(path, node(path)));
        let links = links.iter().map(|(path, to)| {
            entry(
                path,
                Node::Symlink {
                    target: (*to).to_owned(),
                },
            )
        });
        Tree::new(files.chain(links).collect()).unwrap()
    }

    fn at(tree: &Tree, path: &str, spa: bool, page: bool) -> String {
        match find(tree, &Wanted { path, spa, page }) {
            Place::File(found) => found.path.to_owned(),
            Place::Moved(Suffix::AddSlash) => "+/".to_owned(),
            Place::Moved(Suffix::DropSlash) => "-/".to_owned(),
            Place::Nothing => String::new(),
        }
    }

    #[test]
    fn addresses_find_their_files() {
        let tree = tree(
            &[
                "index.html",
                "about.html",
                "docs/index.html",
                "a.js",
                "both.html",
                "both/index.html",
            ],
            &[],
        );
        let table = [
            ("/", "index.html"),
            ("/index.html", "index.html"),
            ("/about", "about.html"),
            ("/about/", "-/"),
            ("/docs", "+/"),
            ("/docs/", "docs/index.html"),
            ("/both", "both.html"),
            ("/both/", "both/index.html"),
            ("/a.js", "a.js"),
            ("/a.js/", ""),
            ("/nothing", ""),
            ("//a.js", ""),
            ("//docs", ""),
            ("/docs/../a.js", ""),
            ("/./a.js", ""),
        ];
        for (path, found) in table {
            assert_eq!(at(&tree, path, false, true), found, "{path}");
        }
    }

    #[test]
    fn only_pages_fall_back_to_the_index() {
        let tree = tree(&["index.html", "a.js"], &[]);
        assert_eq!(at(&tree, "/deep/link", true, false), "index.html");
        assert_eq!(at(&tree, "/user/john.doe", true, true), "index.html");
        assert_eq!(at(&tree, "/missing.js", true, false), "");
        assert_eq!(at(&tree, "/deep/link/", true, true), "index.html");
        assert_eq!(at(&tree, "/deep/link", false, true), "");
    }

    #[test]
    fn what_is_not_for_visitors_does_not_exist() {
        let files = [
            "index.html",
            ".git/config",
            "a/.env",
            ".env.local",
            ".env/x",
            ".well-known/x",
            "node_modules/.cache/x",
        ];
        let tree = tree(&files, &[("leak", ".git/config"), ("dir", "a")]);
        for path in [
            "/.git/config",
            "/a/.env",
            "/.env.local",
            "/.env/x",
            "/node_modules/.cache/x",
            "/leak",
            "/dir/.env",
        ] {
            assert_eq!(
                at(&tree, path, true, path == "/leak").replace("index.html", ""),
                "",
                "{path}"
            );
        }
        assert_eq!(at(&tree, "/.git/config", true, true), "");
        assert_eq!(at(&tree, "/.well-known/x", false, false), ".well-known/x");
    }

    #[test]
    fn links_are_followed_inside_the_tree_and_not_for_ever() {
        let links = [
            ("latest", "v2"),
            ("v2/up.css", "../main.css"),
            ("loop", "pool"),
            ("pool", "loop"),
        ];
        let tree = tree(&["v2/index.html", "main.css"], &links);
        assert_eq!(at(&tree, "/latest/", false, true), "v2/index.html");
        assert_eq!(at(&tree, "/latest", false, true), "+/");
        assert_eq!(at(&tree, "/latest/up.css", false, true), "main.css");
        assert_eq!(at(&tree, "/loop", false, true), "");
    }
}
