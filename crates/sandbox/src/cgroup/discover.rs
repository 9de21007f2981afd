//! Finds where this process may make groups, from /proc/self/mountinfo and /proc/self/cgroup.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// What limits need of version 2.
const CONTROLLERS: [&str; 3] = ["memory", "cpu", "pids"];
/// Where the platform itself is on version 2, so that a service manager can put it there.
pub const PLATFORM_GROUP: &str = "cygni-platform";

/// Where groups can be made: one directory per controller (version 1), or one for all (version 2).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Tree {
    pub(crate) memory: Option<PathBuf>,
    pub(crate) cpu: Option<PathBuf>,
    pub(crate) cpuacct: Option<PathBuf>,
    pub(crate) pids: Option<PathBuf>,
    pub(crate) freezer: Option<PathBuf>,
    /// Version 2: controllers that can be switched on below are listed in `controllers`.
    pub(crate) unified: Option<PathBuf>,
    pub(crate) controllers: Vec<String>,
}

impl Tree {
    pub(crate) fn limits_memory(&self) -> bool {
        self.memory.is_some() || self.unifies("memory")
    }

    pub(crate) fn limits_cpu(&self) -> bool {
        self.cpu.is_some() || self.unifies("cpu")
    }

    pub(crate) fn limits_pids(&self) -> bool {
        self.pids.is_some() || self.unifies("pids")
    }

    pub(crate) fn freezes(&self) -> bool {
        self.freezer.is_some() || self.unified.is_some()
    }

    /// Every directory that the groups of `name` can be, deepest first.
    pub(crate) fn groups(&self, name: &str) -> Vec<PathBuf> {
        let unified = self.unified.iter().map(|base| base.join(name));
        let leaves = unified
            .clone()
            .flat_map(|group| [group.join("app"), group.join("init")]);
        let legacy = [&self.memory, &self.cpu, &self.cpuacct, &self.pids, &self.freezer];
        let mut groups: Vec<PathBuf> = leaves.chain(unified).collect();
        for base in legacy.into_iter().flatten() {
            let group = base.join(name);
            if !groups.contains(&group) {
                groups.push(group);
            }
        }
        groups
    }

    pub(crate) fn unifies(&self, controller: &str) -> bool {
        self.unified.is_some() && self.controllers.iter().any(|known| known == controller)
    }
}

/// One hierarchy as mounted: its controllers (empty: version 2), mount point, and the path this process is in.
#[derive(Debug, PartialEq, Eq)]
struct Hierarchy {
    controllers: Vec<String>,
    mount_point: PathBuf,
    own: PathBuf,
}

/// Looks, tries, and on version 2 moves this process into a leaf so that controllers can be switched on beside it.
pub(crate) fn discover() -> io::Result<Tree> {
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    let own = fs::read_to_string("/proc/self/cgroup")?;
    let mut tree = Tree::default();
    let hierarchies = parse(&mounts, &own);
    let legacy = hierarchies
        .iter()
        .any(|hierarchy| hierarchy.controllers.iter().any(|name| name == "memory"));
    for hierarchy in &hierarchies {
        if hierarchy.controllers.is_empty() {
            // In hybrid mode version 2 has no controllers of use; version 1 does everything there.
            if !legacy {
                unified(hierarchy, &mut tree);
            }
            continue;
        }
        let Some(base) = place(hierarchy) else { continue };
        for controller in &hierarchy.controllers {
            let slot = match controller.as_str() {
                "memory" => &mut tree.memory,
                "cpu" => &mut tree.cpu,
                "cpuacct" => &mut tree.cpuacct,
                "pids" => &mut tree.pids,
                "freezer" => &mut tree.freezer,
                _ => continue,
            };
            *slot = Some(base.clone());
        }
    }
    Ok(tree)
}

/// This process's own group where groups can be made in it, else `cygni` at the hierarchy's top.
fn place(hierarchy: &Hierarchy) -> Option<PathBuf> {
    let own = hierarchy.mount_point.join(&hierarchy.own);
    [own, hierarchy.mount_point.join("cygni")]
        .into_iter()
        .find(|base| can_make(base))
}

/// Access bits say nothing on a cgroup file system; only making one tells.
fn can_make(base: &Path) -> bool {
    if fs::create_dir(base).is_err() && !base.is_dir() {
        return false;
    }
    let trial = base.join(format!("cygni-trial-{}", std::process::id()));
    fs::create_dir(&trial)
        .and_then(|()| fs::remove_dir(&trial))
        .is_ok()
}

/// Version 2: beside this process where its group is its own, else at the top, where only root may.
///
/// A service manager that started this process in the service's own group, and not in a leaf of it, could not do so
/// again while sandboxes are left below: the kernel takes no process into a group with controllers for others. There the
/// top comes first.
fn unified(hierarchy: &Hierarchy, tree: &mut Tree) {
    type Place = fn(&Path, &Path) -> Option<PathBuf>;
    let (beside, at_top): (Place, Place) = (|_, own| step_aside(own), |top, _| make_at_top(top));
    let top = hierarchy.mount_point.clone();
    let own = top.join(&hierarchy.own);
    let is_service = own.extension().is_some_and(|kind| kind == "service");
    let places = if is_service {
        [at_top, beside]
    } else {
        [beside, at_top]
    };
    let places = places.into_iter().filter_map(|place| place(&top, &own));
    for base in places.filter(|base| can_make(base)) {
        let controllers = switch_on(&base);
        if tree.unified.is_none() || controllers.len() > tree.controllers.len() {
            tree.unified = Some(base);
            tree.controllers = controllers;
        }
        if tree.controllers.len() == CONTROLLERS.len() {
            return;
        }
    }
}

/// A group cannot hold both processes and groups with controllers, so this process steps into a leaf of its own.
/// The leaf that an earlier platform stepped into does not become the place of a new leaf.
fn step_aside(own: &Path) -> Option<PathBuf> {
    let base = match own.file_name() {
        Some(leaf) if leaf == PLATFORM_GROUP => own.parent()?,
        _ => own,
    };
    let leaf = base.join(PLATFORM_GROUP);
    if !leaf.is_dir() {
        fs::create_dir(&leaf).ok()?;
    }
    fs::write(leaf.join("cgroup.procs"), "0").ok()?;
    Some(base.to_owned())
}

fn make_at_top(top: &Path) -> Option<PathBuf> {
    switch_on(top);
    let base = top.join("cygni");
    (base.is_dir() || fs::create_dir(&base).is_ok()).then_some(base)
}

/// Lets groups below `base` have controllers; which ones it worked for.
fn switch_on(base: &Path) -> Vec<String> {
    let offered = fs::read_to_string(base.join("cgroup.controllers")).unwrap_or_default();
    let offered: Vec<&str> = offered.split_ascii_whitespace().collect();
    let subtree = base.join("cgroup.subtree_control");
    let switched = CONTROLLERS.into_iter().filter(|controller| {
        offered.contains(controller) && fs::write(&subtree, format!("+{controller}")).is_ok()
    });
    switched.map(str::to_owned).collect()
}

fn parse(mounts: &str, own: &str) -> Vec<Hierarchy> {
    let mut hierarchies = Vec::new();
    for line in mounts.lines() {
        let Some((left, right)) = line.split_once(" - ") else {
            continue;
        };
        let left: Vec<&str> = left.split(' ').collect();
        let right: Vec<&str> = right.split(' ').collect();
        let (&[_, _, _, root, mount_point, ..], &[kind, _, options]) = (&left[..], &right[..]) else {
            continue;
        };
        let controllers: Vec<String> = match kind {
            "cgroup2" => Vec::new(),
            "cgroup" => options
                .split(',')
                .filter(|option| is_controller(option))
                .map(str::to_owned)
                .collect(),
            _ => continue,
        };
        if kind == "cgroup" && controllers.is_empty() {
            continue;
        }
        let Some(path) = own_path(own, controllers.first().map(String::as_str)) else {
            continue;
        };
        // In a container the mount shows only the part of the hierarchy below `root`.
        let own = path
            .strip_prefix(root)
            .unwrap_or(path)
            .trim_start_matches('/')
            .into();
        hierarchies.push(Hierarchy {
            controllers,
            mount_point: mount_point.into(),
            own,
        });
    }
    hierarchies
}

fn is_controller(option: &str) -> bool {
    matches!(option, "memory" | "cpu" | "cpuacct" | "pids" | "freezer")
}

/// The path in /proc/self/cgroup of a version 1 controller, or of version 2 (hierarchy 0).
fn own_path<'a>(own: &'a str, controller: Option<&str>) -> Option<&'a str> {
    own.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':');
        let (id, names, path) = (fields.next()?, fields.next()?, fields.next()?);
        let mine = match controller {
            None => id == "0",
            Some(controller) => names.split(',').any(|name| name == controller),
        };
        mine.then_some(path)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_one_with_joined_controllers() {
        let mounts = "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n\
                      32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct\n\
                      40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n";
        let parsed = parse(mounts, "3:cpu,cpuacct:/a/b\n0::/\n");
        assert_eq!(parsed.len(), 1);
        assert_eq!(parsed[0].controllers, ["cpu", "cpuacct"]);
        assert_eq!(
            parsed[0].mount_point.join(&parsed[0].own),
            Path::new("/sys/fs/cgroup/cpu,cpuacct/a/b")
        );
    }

    #[test]
    fn version_two_alone_and_as_a_container_sees_it() {
        let mounts = "35 24 0:30 /user.slice /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n";
        let parsed = parse(mounts, "0::/user.slice/app.scope\n");
        assert_eq!(
            parsed[0].mount_point.join(&parsed[0].own),
            Path::new("/sys/fs/cgroup/app.scope")
        );
        assert!(parsed[0].controllers.is_empty());
    }

    /// Plain directories take what a group's files are told, which is enough to see who is asked for what.
    #[test]
    fn on_version_two_the_platform_steps_into_a_leaf_and_its_successor_finds_the_same_place() {
        let top = tempfile::tempdir().unwrap();
        let own = top.path().join("service");
        fs::create_dir(&own).unwrap();
        fs::write(own.join("cgroup.controllers"), "cpuset cpu io memory pids\n").unwrap();
        for place in ["service", "service/cygni-platform"] {
            let hierarchy = Hierarchy {
                controllers: Vec::new(),
                mount_point: top.path().to_owned(),
                own: place.into(),
            };
            let mut tree = Tree::default();
            unified(&hierarchy, &mut tree);
            assert_eq!(tree.unified.as_deref(), Some(own.as_path()));
            assert!(tree.limits_memory() && tree.limits_cpu() && tree.limits_pids() && tree.freezes());
        }
        assert_eq!(
            fs::read_to_string(own.join("cygni-platform/cgroup.procs")).unwrap(),
            "0"
        );
    }

    #[test]
    fn a_service_can_be_started_again_while_sandboxes_of_it_run() {
        let top = tempfile::tempdir().unwrap();
        for dir in ["cygni.service", "cygni.service/cygni-platform", "cygni"] {
            fs::create_dir(top.path().join(dir)).unwrap();
            fs::write(top.path().join(dir).join("cgroup.controllers"), "cpu memory pids").unwrap();
        }
        let base = |own: &str| {
            let hierarchy = Hierarchy {
                controllers: Vec::new(),
                mount_point: top.path().to_owned(),
                own: own.into(),
            };
            let mut tree = Tree::default();
            unified(&hierarchy, &mut tree);
            tree.unified.unwrap()
        };
        // Started in a leaf: the service's own group is ours. Started in that group itself: it must stay without controllers.
        assert_eq!(
            base("cygni.service/cygni-platform"),
            top.path().join("cygni.service")
        );
        fs::remove_file(top.path().join("cygni.service/cgroup.subtree_control")).unwrap();
        assert_eq!(base("cygni.service"), top.path().join("cygni"));
        assert!(!top.path().join("cygni.service/cgroup.subtree_control").exists());
    }

    #[test]
    fn where_a_group_is_shared_with_others_root_takes_a_place_at_the_top() {
        let top = tempfile::tempdir().unwrap();
        for dir in ["session", "cygni"] {
            fs::create_dir(top.path().join(dir)).unwrap();
            fs::write(top.path().join(dir).join("cgroup.controllers"), "cpu memory pids").unwrap();
        }
        // A directory cannot be written to: as the kernel refuses to switch controllers on in a group with others.
        fs::create_dir(top.path().join("session/cgroup.subtree_control")).unwrap();
        let hierarchy = Hierarchy {
            controllers: Vec::new(),
            mount_point: top.path().to_owned(),
            own: "session".into(),
        };
        let mut tree = Tree::default();
        unified(&hierarchy, &mut tree);
        assert_eq!(tree.unified, Some(top.path().join("cygni")));
        assert_eq!(tree.controllers, CONTROLLERS);
    }

    #[test]
    fn lines_of_other_file_systems_are_passed_by() {
        assert_eq!(
            parse("22 27 0:21 / /proc rw - proc proc rw\nnonsense\n", "0::/\n"),
            []
        );
    }
}
