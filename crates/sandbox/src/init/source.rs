//! Directories and files of the host that a spec names, taken once as detached mounts, before anything moves.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use crate::spec::Mount;
use crate::sys::{self, Attributes};
use crate::zygote::{Failed, Step as _};

/// What one entry of `Spec::mounts` needs from the host.
pub(crate) enum Source {
    /// Tmpfs and files need nothing.
    Nothing,
    Bind {
        tree: OwnedFd,
        is_dir: bool,
    },
    Overlay {
        lowers: Vec<OwnedFd>,
        /// The directory that holds both upper and work: the kernel wants them on one mount.
        top: OwnedFd,
        upper: PathBuf,
        work: PathBuf,
    },
}

/// Takes the sources of all mounts, in order; with a namespace, owners are mapped by it.
pub(crate) fn take_sources(mounts: &[Mount], namespace: Option<&OwnedFd>) -> Result<Vec<Source>, Failed> {
    mounts
        .iter()
        .map(|mount| take(mount, namespace).step(&format!("mount {}", mount.target())))
        .collect()
}

fn take(mount: &Mount, namespace: Option<&OwnedFd>) -> io::Result<Source> {
    match mount {
        Mount::Tmpfs { .. } | Mount::File { .. } => Ok(Source::Nothing),
        Mount::ReadOnly { source, .. } => bind(source, true, namespace),
        Mount::Writable { source, .. } => bind(source, false, namespace),
        Mount::Overlay {
            lowers, upper, work, ..
        } => {
            let lowers = lowers
                .iter()
                .map(|lower| tree(lower, true, namespace))
                .collect::<io::Result<Vec<_>>>()?;
            let (upper, work) = (canonical(upper)?, canonical(work)?);
            let common: PathBuf = upper
                .components()
                .zip(work.components())
                .take_while(|(a, b)| a == b)
                .map(|(a, _)| a)
                .collect();
            let below = |path: &Path| {
                path.strip_prefix(&common)
                    .map(Path::to_owned)
                    .map_err(io::Error::other)
            };
            let (upper, work) = (below(&upper)?, below(&work)?);
            Ok(Source::Overlay {
                lowers,
                top: tree(&common, false, namespace)?,
                upper,
                work,
            })
        }
    }
}

fn bind(source: &Path, read_only: bool, namespace: Option<&OwnedFd>) -> io::Result<Source> {
    let is_dir = std::fs::metadata(source)
        .map_err(|error| named(source, error))?
        .is_dir();
    Ok(Source::Bind {
        tree: tree(source, read_only, namespace)?,
        is_dir,
    })
}

fn tree(source: &Path, read_only: bool, namespace: Option<&OwnedFd>) -> io::Result<OwnedFd> {
    // What is mounted below is left out, unless the kernel insists (without root it must not be uncovered).
    let tree = sys::clone_tree(source, false)
        .or_else(|error| match error.raw_os_error() {
            Some(libc::EINVAL) => sys::clone_tree(source, true),
            _ => Err(error),
        })
        .map_err(|error| named(source, error))?;
    if let Some(namespace) = namespace {
        sys::map_ids(tree.as_fd(), namespace).map_err(|error| {
            io::Error::other(format!(
                "owners of {} cannot be mapped: {error}",
                source.display()
            ))
        })?;
    }
    sys::set_attributes(
        tree.as_fd(),
        Attributes {
            read_only,
            devices: false,
        },
    )?;
    Ok(tree)
}

fn canonical(path: &Path) -> io::Result<PathBuf> {
    path.canonicalize().map_err(|error| named(path, error))
}

fn named(path: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}
