//! The source as detection sees it: below its root, with the questions that rules ask.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;

use model::Failure;
use model::failure::Code;

use crate::source::SourceFiles;

/// Files that one question of a rule gives at the most.
const PICKED_MAX: usize = 1_000;
/// Directories whose files somebody else wrote.
const NOT_OWN: [&str; 6] = [
    "node_modules",
    ".venv",
    "venv",
    "vendor",
    "site-packages",
    "target",
];

/// The files below one directory of a source.
pub(super) struct View<'a> {
    source: &'a dyn SourceFiles,
    root: String,
    /// Configuration files are looked at by several rules.
    texts: RefCell<HashMap<String, Option<String>>>,
}

impl<'a> View<'a> {
    /// `root` without a `/` at its end; `""` is the whole source.
    pub(super) fn new(source: &'a dyn SourceFiles, root: &str) -> Self {
        Self {
            source,
            root: root.to_owned(),
            texts: RefCell::default(),
        }
    }

    pub(super) fn root(&self) -> &str {
        &self.root
    }

    /// Whether a file or link stands at `path` below the root.
    pub(super) fn has(&self, path: &str) -> bool {
        self.has_in_source(&join(&self.root, path))
    }

    /// Whether one stands at `path` of the whole source.
    pub(super) fn has_in_source(&self, path: &str) -> bool {
        self.source
            .paths()
            .binary_search_by(|known| known.as_str().cmp(path))
            .is_ok()
    }

    /// Whether anything lies below the directory `path` of the whole source.
    pub(super) fn has_directory_in_source(&self, path: &str) -> bool {
        let below = format!("{path}/");
        let start = self
            .source
            .paths()
            .partition_point(|known| known.as_str() < below.as_str());
        self.source
            .paths()
            .get(start)
            .is_some_and(|known| known.starts_with(&below))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.source.paths().is_empty()
    }

    /// The text of a file below the root, or `None` where there is none.
    pub(super) fn text(&self, path: &str) -> Result<Option<String>, Failure> {
        self.text_in_source(&join(&self.root, path))
    }

    /// The bytes of what stands at `path`; `None` where nothing does, and `NotFound` where it is no file.
    pub(super) fn bytes_in_source(&self, path: &str) -> Option<io::Result<Vec<u8>>> {
        self.has_in_source(path).then(|| self.source.read(path))
    }

    pub(super) fn text_in_source(&self, path: &str) -> Result<Option<String>, Failure> {
        if !self.has_in_source(path) {
            return Ok(None);
        }
        if let Some(text) = self.texts.borrow().get(path) {
            return Ok(text.clone());
        }
        let text = match self.source.read(path) {
            Ok(bytes) => {
                let text = String::from_utf8_lossy(&bytes);
                Some(text.trim_start_matches('\u{feff}').to_owned())
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                let message = format!("`{path}` of the source could not be read: {error}");
                return Err(Failure::new(Code::SourceMissing, message));
            }
        };
        self.texts.borrow_mut().insert(path.to_owned(), text.clone());
        Ok(text)
    }

    /// Files below the root that `wanted` picks, at most [`PICKED_MAX`]; paths are below the root.
    pub(super) fn files(&self, wanted: impl Fn(&str) -> bool) -> Vec<String> {
        let below = self
            .source
            .paths()
            .iter()
            .filter_map(|path| match self.root.as_str() {
                "" => Some(path.as_str()),
                root => path.strip_prefix(root)?.strip_prefix('/'),
            });
        let own = below.filter(|path| !path.split('/').any(|part| NOT_OWN.contains(&part)));
        own.filter(|path| wanted(path))
            .take(PICKED_MAX)
            .map(str::to_owned)
            .collect()
    }

    /// The root and the directories above it, nearest first.
    pub(super) fn upwards(&self) -> Vec<String> {
        let mut all = vec![self.root.clone()];
        while let Some(last) = all.last().filter(|last| !last.is_empty()) {
            let parent = last.rsplit_once('/').map_or("", |(parent, _)| parent).to_owned();
            all.push(parent);
        }
        all
    }
}

/// `path` below `directory`, either of which may be `""`.
pub(super) fn join(directory: &str, path: &str) -> String {
    match (directory, path) {
        ("", path) => path.to_owned(),
        (directory, "") => directory.to_owned(),
        (directory, path) => format!("{directory}/{path}"),
    }
}

/// `path` with `.` and `..` worked out; `None` when it leaves the root.
pub(super) fn normalise(path: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}
