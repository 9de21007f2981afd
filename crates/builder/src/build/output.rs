//! What a build wrote, as a tree of static files.

use std::path::{Path, PathBuf};

use model::failure::Code;
use model::limits::{FILE_BYTES_MAX, SOURCE_BYTES_MAX};
use model::tree::ENTRIES_MAX;
use model::{Failure, Tree};
use store::{ImportError, ImportLimits, Store};

const LIMITS: ImportLimits = ImportLimits {
    entries_max: ENTRIES_MAX,
    file_bytes_max: FILE_BYTES_MAX,
    bytes_max: SOURCE_BYTES_MAX,
};

/// Where builds write when nothing says where.
const USUAL: [&str; 9] = [
    "dist",
    "build",
    "out",
    "public",
    "_site",
    "www",
    "site",
    "dist/client",
    "build/client",
];

/// The layers of a finished build.
pub(super) struct Built {
    /// Topmost first: what the build wrote, dependencies, the source.
    pub(super) layers: Vec<PathBuf>,
    /// The directory of the source in which it ran.
    pub(super) root: String,
}

/// The files to be served, and where they were found if that is another place than `output`.
pub(super) fn collect(
    store: &Store,
    built: &Built,
    output: &str,
    guessed: bool,
) -> Result<(Tree, Option<&'static str>), Failure> {
    match built.import(store, output) {
        Ok(tree) if !tree.entries().is_empty() => return Ok((tree, None)),
        Ok(_) | Err(ImportError::NotADirectory(_)) => {}
        Err(error) => return Err(refused(error)),
    }
    let elsewhere = USUAL
        .into_iter()
        .find(|place| guessed && *place != output && built.wrote_index(place));
    if let Some(place) = elsewhere {
        let tree = built.import(store, place).map_err(refused)?;
        return Ok((tree, Some(place)));
    }
    let written = built.written();
    let written = if written.is_empty() {
        "it wrote no directory at all".to_owned()
    } else {
        format!("it wrote {}", written.join(", "))
    };
    let message = format!(
        "the build was expected to write files to `{}`; {written}",
        join(&built.root, output)
    );
    Err(Failure::new(Code::OutputMissing, message))
}

impl Built {
    fn import(&self, store: &Store, output: &str) -> Result<Tree, ImportError> {
        let layers: Vec<&Path> = self.layers.iter().map(PathBuf::as_path).collect();
        store.import_merged(&layers, &join(&self.root, output), LIMITS)
    }

    /// Whether the build itself wrote an index page to `place`.
    fn wrote_index(&self, place: &str) -> bool {
        let upper = self
            .layers
            .first()
            .map(|upper| upper.join(&self.root).join(place).join("index.html"));
        upper.is_some_and(|page| page.symlink_metadata().is_ok_and(|metadata| metadata.is_file()))
    }

    /// Directories that the build wrote to, ten at the most.
    fn written(&self) -> Vec<String> {
        let Some(upper) = self.layers.first() else {
            return Vec::new();
        };
        let entries = std::fs::read_dir(upper.join(&self.root))
            .into_iter()
            .flatten()
            .flatten();
        let directories = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        let names = directories.filter_map(|entry| entry.file_name().into_string().ok());
        let mut names: Vec<String> = names
            .filter(|name| name != "node_modules")
            .map(|name| format!("`{name}`"))
            .collect();
        names.sort();
        names.truncate(10);
        names
    }
}

fn refused(error: ImportError) -> Failure {
    match error {
        ImportError::Put { .. } => Failure::new(Code::PlatformError, error.to_string()),
        error => Failure::new(
            Code::OutputInvalid,
            format!("the built files cannot be served: {error}"),
        ),
    }
}

fn join(root: &str, path: &str) -> String {
    [root, path]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join("/")
}
