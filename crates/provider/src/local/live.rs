//! What an instance stands on that runs over a directory of this machine, as it is and as it changes.
//!
//! The directory is mounted as it is, because only so does the kernel tell the development server of every save. Its
//! dependencies are not taken from there: each `node_modules` is the installed layer, with what is written to it kept
//! apart. The repository is hidden: what is written there would be run by the next git command of the person.
//!
//! A mount needs a directory to lie on. One that has to be made for it is removed again, if it is still empty and no
//! other instance lies on it.

use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::{Path, PathBuf};
use std::{fs, io};

use model::inside::APP_DIRECTORY;
use model::{Digest, InstanceId};
use sandbox::Mount;
use store::Store;

use super::specification::{LayError, Scratch, scratch_root};
use crate::InstanceSpec;

const DEPENDENCIES: &str = "node_modules";
const REPOSITORY: &str = ".git";
const REPOSITORY_BYTES: u64 = 1 << 20;
/// How deep a workspace keeps packages of its own.
const DEPTH_MAX: usize = 4;
/// Directories of dependencies at the most; every one is a mount.
const DEPENDENCIES_MAX: usize = 32;
/// In the scratch directory: the directories that were made to mount on, one path a line.
const MADE: &str = "mountpoints";

/// The mounts for the directory and its dependencies.
pub(super) fn mounts(
    store: &Store,
    spec: &InstanceSpec,
    scratch: &Scratch,
    directory: &Path,
) -> Result<Vec<Mount>, LayError> {
    // It was looked at when it was named; a link that came since must not lead elsewhere.
    if fs::canonicalize(directory)? != directory || !directory.is_dir() {
        return Err(LayError::LiveMoved(directory.to_owned()));
    }
    let mut mounts = vec![Mount::Writable {
        source: directory.to_owned(),
        target: APP_DIRECTORY.to_owned(),
    }];
    if directory.join(REPOSITORY).is_dir() {
        mounts.push(Mount::Tmpfs {
            target: format!("{APP_DIRECTORY}/{REPOSITORY}"),
            bytes_max: REPOSITORY_BYTES,
        });
    }
    let layer = |key: &Digest| store.layer(key).ok_or(LayError::LayerMissing(*key));
    let layers = spec.server.layers.iter().rev().map(layer);
    let layers = layers.collect::<Result<Vec<PathBuf>, _>>()?;
    let work = scratch.work()?;
    for (number, place) in dependencies(&layers)?.into_iter().enumerate() {
        let lowers: Vec<PathBuf> = layers
            .iter()
            .map(|layer| layer.join(&place))
            .filter(|lower| lower.is_dir())
            .collect();
        if !mount_point(scratch, directory, &place)? {
            continue;
        }
        let (upper, work) = (
            scratch.upper().join(number.to_string()),
            work.join(number.to_string()),
        );
        fs::create_dir_all(&upper)?;
        fs::create_dir(&work)?;
        mounts.push(Mount::Overlay {
            lowers,
            upper,
            work,
            target: format!("{APP_DIRECTORY}/{}", place.display()),
        });
    }
    Ok(mounts)
}

/// Where the layers hold dependencies, below their root.
fn dependencies(layers: &[PathBuf]) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for layer in layers {
        look(layer, Path::new(""), &mut found)?;
    }
    found.sort();
    found.dedup();
    found.truncate(DEPENDENCIES_MAX);
    Ok(found)
}

fn look(layer: &Path, below: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(layer.join(below))? {
        let entry = entry?;
        let path = below.join(entry.file_name());
        if !entry.file_type()?.is_dir() {
            continue;
        }
        if entry.file_name() == DEPENDENCIES {
            found.push(path);
        } else if path.components().count() < DEPTH_MAX {
            look(layer, &path, found)?;
        }
    }
    Ok(())
}

/// Makes sure that there is a directory to mount on. `false`: the package that it belongs to is gone.
fn mount_point(scratch: &Scratch, directory: &Path, place: &Path) -> io::Result<bool> {
    let path = directory.join(place);
    let Some(parent) = path.parent().filter(|parent| parent.is_dir()) else {
        return Ok(false);
    };
    // What a link leads to is somebody else's.
    if fs::canonicalize(parent)? != parent || path.is_symlink() {
        return Ok(false);
    }
    let empty = match fs::read_dir(&path) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => true,
        Err(_) => return Ok(false),
    };
    if empty {
        // Written down before it is made, so that nothing is left of a crash.
        let list = scratch.root.join(MADE);
        let mut text = fs::read_to_string(&list).unwrap_or_default();
        let line = path.to_string_lossy();
        if !text.lines().any(|known| known == line) {
            text.push_str(&format!("{line}\n"));
            fs::write(&list, text)?;
        }
    }
    if !path.is_dir() {
        fs::create_dir(&path)?;
        let owner = parent.metadata()?;
        if let Err(error) = chown(&path, Some(owner.uid()), Some(owner.gid())) {
            tracing::debug!(%error, "a directory to mount on belongs to the platform's user");
        }
    }
    Ok(true)
}

/// Removes the directories that were made for `instance` to mount on, where they are empty and no other lies on them.
/// Before its scratch directory goes.
pub(super) fn tidy(store: &Store, instance: &InstanceId) {
    let list = |name: &str| fs::read_to_string(store.directory().join("scratch").join(name).join(MADE));
    let Ok(made) = fs::read_to_string(scratch_root(store, instance).join(MADE)) else {
        return;
    };
    let others = store.scratches().unwrap_or_default();
    let held: Vec<String> = others
        .iter()
        .filter(|name| *name != instance.as_str())
        .filter_map(|name| list(name).ok())
        .collect();
    for path in made.lines() {
        if held.iter().any(|text| text.lines().any(|other| other == path)) {
            continue;
        }
        if let Err(error) = fs::remove_dir(path) {
            tracing::debug!(%error, path, "a directory that was mounted on stays");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::specification::tests::spec;

    #[test]
    fn dependencies_are_found_where_packages_are_and_not_inside_each_other() {
        let layer = tempfile::tempdir().unwrap();
        for path in [
            "node_modules/a/node_modules/b",
            "packages/web/node_modules/c",
            "packages/web/src",
            "a/b/c/d/node_modules",
        ] {
            fs::create_dir_all(layer.path().join(path)).unwrap();
        }
        let found = dependencies(&[layer.path().to_owned()]).unwrap();
        let found: Vec<_> = found.iter().map(|path| path.to_str().unwrap()).collect();
        assert_eq!(found, ["node_modules", "packages/web/node_modules"]);
    }

    #[test]
    fn what_was_made_to_mount_on_goes_with_the_last_that_lies_on_it() {
        let (root, live) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let live = live.path().canonicalize().unwrap();
        let store = Store::open(root.path()).unwrap();
        let mut other = spec();
        other.instance = InstanceId::from_random([2; 10]);
        let place = Path::new("node_modules");
        for spec in [&spec(), &other] {
            let scratch = Scratch::open(&store, &spec.instance).unwrap();
            assert!(mount_point(&scratch, &live, place).unwrap());
        }
        let made = live.join(place);
        tidy(&store, &spec().instance);
        assert!(made.is_dir(), "the other one lies on it");
        store.remove_scratch(spec().instance.as_str()).unwrap();
        tidy(&store, &other.instance);
        assert!(!made.exists());
    }

    #[test]
    fn what_was_there_stays() {
        let (root, live) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let live = live.path().canonicalize().unwrap();
        fs::create_dir_all(live.join("node_modules/mine")).unwrap();
        std::os::unix::fs::symlink("/usr", live.join("link")).unwrap();
        let store = Store::open(root.path()).unwrap();
        let scratch = Scratch::open(&store, &spec().instance).unwrap();
        assert!(mount_point(&scratch, &live, Path::new("node_modules")).unwrap());
        assert!(!mount_point(&scratch, &live, Path::new("link/node_modules")).unwrap());
        assert!(!mount_point(&scratch, &live, Path::new("gone/node_modules")).unwrap());
        tidy(&store, &spec().instance);
        assert!(live.join("node_modules/mine").is_dir());
    }

    #[test]
    fn a_directory_that_a_link_has_taken_the_place_of_is_refused() {
        let (root, live) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let link = live.path().join("project");
        std::os::unix::fs::symlink("/etc", &link).unwrap();
        let store = Store::open(root.path()).unwrap();
        let scratch = Scratch::open(&store, &spec().instance).unwrap();
        let error = mounts(&store, &spec(), &scratch, &link).unwrap_err();
        assert!(matches!(error, LayError::LiveMoved(_)), "{error}");
    }
}
