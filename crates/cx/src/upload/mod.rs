//! From a directory to blobs and a tree on the server: walk, leave out, hash, ask what is missing, send only that.
//!
//! Guards against sending what nobody meant to send (`.git`, `.env` files that git does not track, installed
//! dependencies), against links that leave the directory, and against files that change under our hands. It does *not*
//! know what is deployed where.

mod cache;
mod git;
mod hash;
mod largest;
mod open;
mod rules;
mod send;
mod walk;

pub(crate) use hash::{Manifest, Scanner, Source, prepare, root_of};
pub(crate) use open::open_regular;
pub(crate) use send::{Sent, send};
pub(crate) use walk::FoundDirectory;

use std::path::{Path, PathBuf};

/// Files outside of the directory that decide what of it travels: a directory each, and the name in it.
pub(crate) fn deciding(root: &Path) -> Vec<(PathBuf, &'static str)> {
    let Some(repository) = git::repository(root) else {
        return Vec::new();
    };
    let above = root.ancestors().skip(1);
    let mut places: Vec<_> = above
        .take_while(|dir| dir.starts_with(&repository))
        .map(|dir| (dir.to_owned(), rules::GIT_IGNORE))
        .collect();
    places.extend(git::index_of(root).and_then(|file| Some((file.parent()?.to_owned(), git::INDEX))));
    places
}
