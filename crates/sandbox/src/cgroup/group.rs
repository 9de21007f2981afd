//! Makes and removes the groups of one sandbox.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::Tree;
use super::handles::Handles;
use crate::spec::Limits;

/// Busy groups are tried again for this long: processes leave theirs a moment after their end.
const REMOVE_WAIT: Duration = Duration::from_secs(5);
const CPU_PERIOD_US: u64 = 100_000;

/// Makes all groups of `name` and sets their limits. The directories are returned deepest first; on an error
/// nothing is left.
pub(crate) fn create(tree: &Tree, name: &str, limits: &Limits) -> io::Result<(Vec<PathBuf>, Handles)> {
    let mut made = Vec::new();
    let handles = make(tree, name, limits, &mut made);
    made.reverse();
    match handles {
        Ok(handles) => Ok((made, handles)),
        Err(error) => {
            for dir in &made {
                let _ = fs::remove_dir(dir);
            }
            Err(error)
        }
    }
}

fn make(tree: &Tree, name: &str, limits: &Limits, made: &mut Vec<PathBuf>) -> io::Result<Handles> {
    let mut handles = Handles::default();
    let memory = limits.memory_bytes.to_string();
    let quota = (u64::from(limits.cpu_millis) * CPU_PERIOD_US / 1000).max(1000);
    if let Some(dir) = below(tree.memory.as_deref(), name, made)? {
        set(&dir, "memory.limit_in_bytes", &memory)?;
        // Swap counts too where the kernel accounts it; where it does not, the file is absent.
        optional(set(&dir, "memory.memsw.limit_in_bytes", &memory))?;
        handles.memory_v1(&dir)?;
    }
    if let Some(dir) = below(tree.cpu.as_deref(), name, made)? {
        set(&dir, "cpu.cfs_period_us", &CPU_PERIOD_US.to_string())?;
        set(&dir, "cpu.cfs_quota_us", &quota.to_string())?;
        handles.cpu_v1(&dir)?;
    }
    if let Some(dir) = below(tree.cpuacct.as_deref(), name, made)? {
        handles.cpuacct_v1(&dir)?;
    }
    if let Some(dir) = below(tree.pids.as_deref(), name, made)? {
        set(&dir, "pids.max", &limits.pids_max.to_string())?;
        handles.pids_v1(&dir)?;
    }
    if let Some(dir) = below(tree.freezer.as_deref(), name, made)? {
        handles.freezer_v1(&dir)?;
    }
    if let Some(dir) = below(tree.unified.as_deref(), name, made)? {
        for controller in &tree.controllers {
            set(&dir, "cgroup.subtree_control", &format!("+{controller}"))?;
        }
        let (init, app) = (dir.join("init"), dir.join("app"));
        for leaf in [&init, &app] {
            make_dir(leaf)?;
            made.push(leaf.clone());
        }
        if tree.unifies("memory") {
            set(&app, "memory.max", &memory)?;
            optional(set(&app, "memory.swap.max", "0"))?;
        }
        if tree.unifies("cpu") {
            set(&app, "cpu.max", &format!("{quota} {CPU_PERIOD_US}"))?;
        }
        if tree.unifies("pids") {
            set(&app, "pids.max", &limits.pids_max.to_string())?;
        }
        handles.unified(&init, &app)?;
    }
    Ok(handles)
}

/// The group `name` below `base`, made once even where controllers share a hierarchy.
fn below(base: Option<&Path>, name: &str, made: &mut Vec<PathBuf>) -> io::Result<Option<PathBuf>> {
    let Some(base) = base else { return Ok(None) };
    let dir = base.join(name);
    if !made.contains(&dir) {
        make_dir(&dir)?;
        made.push(dir.clone());
    }
    Ok(Some(dir))
}

/// One that a crash left behind is used again when nobody is in it: rmdir refuses otherwise.
fn make_dir(dir: &Path) -> io::Result<()> {
    match fs::create_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            for leaf in ["init", "app"] {
                let _ = fs::remove_dir(dir.join(leaf));
            }
            fs::remove_dir(dir).and_then(|()| fs::create_dir(dir))
        }
        other => other,
    }
    .map_err(|error| named(dir, error))
}

fn set(dir: &Path, file: &str, value: &str) -> io::Result<()> {
    let path = dir.join(file);
    fs::write(&path, value).map_err(|error| named(&path, error))
}

fn optional(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        other => other,
    }
}

fn named(path: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// Deletes groups (deepest first); absent ones are fine. Whoever is still inside is thawed and killed.
pub(crate) async fn remove(dirs: &[PathBuf]) -> Result<(), (PathBuf, io::Error)> {
    let deadline = Instant::now() + REMOVE_WAIT;
    for dir in dirs {
        loop {
            match fs::remove_dir(dir) {
                Ok(()) => break,
                Err(error) if error.kind() == io::ErrorKind::NotFound => break,
                Err(error) if Instant::now() > deadline => return Err((dir.clone(), error)),
                Err(_) => evict(dir),
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
    Ok(())
}

/// Best effort, repeated by the caller until the group is gone.
fn evict(dir: &Path) {
    thaw(dir);
    let inside = fs::read_to_string(dir.join("cgroup.procs")).unwrap_or_default();
    for pid in inside
        .lines()
        .filter_map(|line| line.parse().ok())
        .filter_map(rustix::process::Pid::from_raw)
    {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
}

/// A frozen process of version 1 does not even die.
fn thaw(dir: &Path) {
    for (file, value) in [("freezer.state", "THAWED"), ("cgroup.freeze", "0")] {
        let path = dir.join(file);
        if path.exists() {
            let _ = fs::write(path, value);
        }
    }
}

/// Thaws every group of a sandbox, so that it can be killed.
pub(crate) fn thaw_all(dirs: &[PathBuf]) {
    dirs.iter().for_each(|dir| thaw(dir));
}
