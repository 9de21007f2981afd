//! What the spec mounts, in its order, in the new root: the host has no path any more, so a link that the program
//! left in a writable layer cannot lead there.

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

use super::root::tmpfs;
use super::source::Source;
use crate::spec::Mount;
use crate::sys::{self, Attributes};
use crate::zygote::{Failed, Step as _};

/// Holds layers and files until they are mounted where they belong; nobody else is there yet.
const STAGE: &str = "/.stage";
const STAGE_BYTES_MAX: u64 = 4 << 20;

pub(super) fn apply(mounts: &[Mount], sources: Vec<Source>) -> Result<(), Failed> {
    // Taking it away waits for every processor, so it is made only for those who need it.
    let staged = mounts.iter().any(needs_stage);
    if staged {
        fs::create_dir(STAGE).step("stage")?;
        tmpfs(Path::new(STAGE), STAGE_BYTES_MAX, 0o755).step("stage")?;
    }
    for (index, (mount, source)) in mounts.iter().zip(sources).enumerate() {
        let stage = Path::new(STAGE).join(index.to_string());
        one(mount, source, &stage).step(&format!("mount {}", mount.target()))?;
    }
    if staged {
        unmount(STAGE, UnmountFlags::DETACH).step("stage")?;
        fs::remove_dir(STAGE).step("stage")?;
    }
    Ok(())
}

fn needs_stage(mount: &Mount) -> bool {
    matches!(mount, Mount::Overlay { .. } | Mount::File { .. })
}

fn one(mount: &Mount, source: Source, stage: &Path) -> io::Result<()> {
    let target = Path::new(mount.target());
    match (mount, source) {
        (_, Source::Bind { tree, is_dir }) => {
            make_target(target, is_dir)?;
            sys::attach(tree.as_fd(), target)
        }
        (
            _,
            Source::Overlay {
                lowers,
                top,
                upper,
                work,
            },
        ) => {
            make_target(target, true)?;
            overlay(
                target,
                &lowers,
                Top {
                    tree: top,
                    upper,
                    work,
                },
                stage,
            )
        }
        (Mount::Tmpfs { bytes_max, .. }, Source::Nothing) => {
            make_target(target, true)?;
            tmpfs(target, *bytes_max, 0o1777)
        }
        (
            Mount::File {
                contents, executable, ..
            },
            Source::Nothing,
        ) => {
            make_target(target, false)?;
            fs::write(stage, contents)?;
            let mode = if *executable { 0o555 } else { 0o444 };
            fs::set_permissions(stage, fs::Permissions::from_mode(mode))?;
            let tree = sys::clone_tree(stage, false)?;
            sys::set_attributes(
                tree.as_fd(),
                Attributes {
                    read_only: true,
                    devices: false,
                },
            )?;
            sys::attach(tree.as_fd(), target)
        }
        (_, Source::Nothing) => Err(io::Error::from_raw_os_error(libc::EINVAL)),
    }
}

struct Top {
    tree: OwnedFd,
    upper: PathBuf,
    work: PathBuf,
}

/// Layers are attached under short names: the kernel takes all options on one page. `userxattr`, because only real
/// root may write `trusted.` attributes.
fn overlay(target: &Path, lowers: &[OwnedFd], top: Top, stage: &Path) -> io::Result<()> {
    let mut names = Vec::new();
    for (index, lower) in lowers.iter().enumerate() {
        let dir = stage.join(index.to_string());
        fs::create_dir_all(&dir)?;
        sys::attach(lower.as_fd(), &dir)?;
        names.push(dir.display().to_string());
    }
    let dir = stage.join("t");
    fs::create_dir_all(&dir)?;
    sys::attach(top.tree.as_fd(), &dir)?;
    // The names of upper and work are the caller's and could hold a comma; links without one lead there.
    let (upper, work) = (stage.join("u"), stage.join("w"));
    std::os::unix::fs::symlink(dir.join(&top.upper), &upper)?;
    std::os::unix::fs::symlink(dir.join(&top.work), &work)?;
    let options = format!(
        "lowerdir={},upperdir={},workdir={},userxattr",
        names.join(":"),
        upper.display(),
        work.display()
    );
    let options = CString::new(options).map_err(io::Error::other)?;
    Ok(mount(
        "overlay",
        target,
        "overlay",
        MountFlags::NOSUID | MountFlags::NODEV,
        options.as_c_str(),
    )?)
}

/// Makes the place of a mount where it does not exist yet.
fn make_target(target: &Path, is_dir: bool) -> io::Result<()> {
    if is_dir {
        return fs::create_dir_all(target);
    }
    if let Some(parent) = target.parent() {
        fs::create_dir_all(parent)?;
    }
    match fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o444)
        .open(target)
    {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}
