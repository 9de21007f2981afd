//! The file system that every sandbox begins with: an empty root in memory, the host's /usr, devices, /proc, /etc.
//!
//! Guards against everything else of the host: after `enter` its tree is unmounted and has no path. Set-user-id
//! programs and device files have no effect outside /dev.

use std::fs;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_change, unmount};

use super::etc;
use crate::sys::{self, Attributes};
use crate::zygote::{APP_ID, Failed, Launch, Step as _};

/// Where the new root is built: a directory that every host has. What it covers was taken before.
const BUILD: &str = "/usr";
const ROOT_BYTES_MAX: u64 = 16 << 20;
const SHM_BYTES_MAX: u64 = 64 << 20;
const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];
/// Links between programs of /usr. Hundreds: mounted as they are, since making each again would take longer than
/// everything else.
const ALTERNATIVES: &str = "etc/alternatives";
const LINKS: [&str; 6] = ["bin", "sbin", "lib", "lib32", "lib64", "libx32"];

/// Builds the root and makes it the only one there is.
pub(super) fn enter(launch: &Launch) -> Result<(), Failed> {
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    mount_change("/", private).step("private mounts")?;
    let base = take_base().step("base")?;
    let devices = take_devices().step("devices")?;
    let etc = etc::Host::read(launch.ca_bundle.as_deref()).step("etc")?;
    let alternatives = take_alternatives().step("alternatives")?;
    tmpfs(Path::new(BUILD), ROOT_BYTES_MAX, 0o755).step("root")?;
    place_base(base).step("base")?;
    place_devices(devices).step("devices")?;
    proc().step("proc")?;
    etc.write(&Path::new(BUILD).join("etc"), &launch.spec.hostname)
        .step("etc")?;
    if let Some(tree) = alternatives {
        place_tree(&tree, ALTERNATIVES).step("alternatives")?;
    }
    pivot().step("pivot_root")?;
    default_directories(launch).step("default directories")
}

/// Nothing can be added to the root any more.
pub(super) fn seal(launch: &Launch) -> Result<(), Failed> {
    let usr_local = Path::new("/usr/local");
    for path in [Path::new("/"), usr_local] {
        if path == Path::new("/") || owns(launch, usr_local) {
            let flags = MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV;
            rustix::mount::mount_remount(path, flags | MountFlags::BIND, c"").step("read-only root")?;
        }
    }
    Ok(())
}

/// Whether our own mount at `path` is still the one to be seen there.
fn owns(launch: &Launch, path: &Path) -> bool {
    path.is_dir()
        && !launch
            .spec
            .mounts
            .iter()
            .any(|mount| path.starts_with(mount.target()))
}

enum Base {
    Tree(OwnedFd),
    Link(PathBuf),
}

/// /usr, and beside it what is a link into it on merged hosts and a directory of its own on others.
fn take_base() -> io::Result<Vec<(&'static str, Base)>> {
    let mut base = Vec::new();
    for name in ["usr"].into_iter().chain(LINKS) {
        let path = Path::new("/").join(name);
        match fs::symlink_metadata(&path) {
            Ok(found) if found.is_symlink() => base.push((name, Base::Link(fs::read_link(&path)?))),
            Ok(found) if found.is_dir() => {
                base.push((name, Base::Tree(take_tree(&path)?)));
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(base)
}

fn place_base(base: Vec<(&'static str, Base)>) -> io::Result<()> {
    for (name, what) in base {
        let target = Path::new(BUILD).join(name);
        match what {
            Base::Link(to) => symlink(to, target)?,
            Base::Tree(tree) => place_tree(&tree, name)?,
        }
    }
    // What the operator installed by hand is nobody's business.
    let local = Path::new(BUILD).join("usr/local");
    if local.is_dir() {
        tmpfs(&local, 1 << 20, 0o755)
    } else {
        Ok(())
    }
}

fn take_alternatives() -> io::Result<Option<OwnedFd>> {
    let path = Path::new("/").join(ALTERNATIVES);
    path.is_dir().then(|| take_tree(&path)).transpose()
}

/// A directory or file of the host, to be read only.
pub(super) fn take_tree(path: &Path) -> io::Result<OwnedFd> {
    let tree = sys::clone_tree(path, true)?;
    sys::set_attributes(
        tree.as_fd(),
        Attributes {
            read_only: true,
            devices: false,
        },
    )?;
    Ok(tree)
}

fn place_tree(tree: &OwnedFd, name: &str) -> io::Result<()> {
    let target = Path::new(BUILD).join(name);
    fs::create_dir(&target)?;
    sys::attach(tree.as_fd(), &target)
}

fn take_devices() -> io::Result<Vec<OwnedFd>> {
    DEVICES
        .iter()
        .map(|name| {
            let tree = sys::clone_tree(&Path::new("/dev").join(name), false)?;
            sys::set_attributes(
                tree.as_fd(),
                Attributes {
                    read_only: false,
                    devices: true,
                },
            )?;
            Ok(tree)
        })
        .collect()
}

fn place_devices(devices: Vec<OwnedFd>) -> io::Result<()> {
    let dev = Path::new(BUILD).join("dev");
    fs::create_dir(&dev)?;
    for (name, tree) in DEVICES.iter().zip(devices) {
        fs::write(dev.join(name), "")?;
        sys::attach(tree.as_fd(), &dev.join(name))?;
    }
    for dir in ["shm", "pts"] {
        fs::create_dir(dev.join(dir))?;
    }
    tmpfs(&dev.join("shm"), SHM_BYTES_MAX, 0o1777)?;
    // Terminals are counted for the whole machine: without `max` one sandbox takes all.
    let flags = MountFlags::NOSUID | MountFlags::NOEXEC;
    mount(
        "devpts",
        dev.join("pts"),
        "devpts",
        flags,
        c"newinstance,ptmxmode=0666,mode=0620,max=64",
    )?;
    symlink("pts/ptmx", dev.join("ptmx"))?;
    symlink("/proc/self/fd", dev.join("fd"))?;
    for (name, number) in [("stdin", 0), ("stdout", 1), ("stderr", 2)] {
        symlink(format!("/proc/self/fd/{number}"), dev.join(name))?;
    }
    Ok(())
}

/// A fresh /proc shows this pid namespace only. The kernel grants it only while the host's is still in sight.
fn proc() -> io::Result<()> {
    let target = Path::new(BUILD).join("proc");
    fs::create_dir(&target)?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    Ok(mount("proc", &target, "proc", flags, c"")?)
}

/// The new root over the old one, then the old one away: both under the same path, so no directory is needed.
fn pivot() -> io::Result<()> {
    rustix::process::chdir(BUILD)?;
    rustix::process::pivot_root(".", ".")?;
    unmount(".", UnmountFlags::DETACH)?;
    Ok(rustix::process::chdir("/")?)
}

/// Writable places that programs expect, where the spec names none.
fn default_directories(launch: &Launch) -> io::Result<()> {
    let spec = &launch.spec;
    let home = super::app::home(spec);
    for target in ["/tmp", "/var/tmp", "/run", home] {
        let target = Path::new(target);
        let covered = spec.mounts.iter().any(|mount| target.starts_with(mount.target()));
        if !covered {
            fs::create_dir_all(target)?;
            tmpfs(target, spec.limits.memory_bytes / 2, 0o1777)?;
        }
    }
    Ok(())
}

/// An empty file system in memory that belongs to the program.
pub(super) fn tmpfs(target: &Path, bytes_max: u64, mode: u32) -> io::Result<()> {
    let data = format!("size={bytes_max},mode={mode:o},uid={APP_ID},gid={APP_ID}");
    let data = std::ffi::CString::new(data).map_err(io::Error::other)?;
    mount(
        "tmpfs",
        target,
        "tmpfs",
        MountFlags::NOSUID | MountFlags::NODEV,
        data.as_c_str(),
    )?;
    fs::set_permissions(target, fs::Permissions::from_mode(mode))
}
