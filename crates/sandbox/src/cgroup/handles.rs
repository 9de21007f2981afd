//! Open files of a sandbox's groups, held by its init, which cannot reach a path of the host any more.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

/// Every file is absent where the machine does not offer it.
#[derive(Debug, Default)]
pub(crate) struct Handles {
    /// The command writes itself into each of these.
    join: Vec<File>,
    /// The init writes itself into this one (version 2 only).
    join_init: Option<File>,
    memory: Option<File>,
    memory_peak: Option<File>,
    oom: Option<File>,
    cpu_ns: Option<File>,
    cpu_stat: Option<File>,
    /// Runs the group only when nobody else wants to.
    cpu_idle: Option<File>,
    pids: Option<File>,
    pids_events: Option<File>,
    freezer: Option<Freezer>,
}

/// What can be read, as far as it can.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Reading {
    pub(crate) memory_bytes: Option<u64>,
    pub(crate) memory_peak_bytes: Option<u64>,
    pub(crate) oom_kills: Option<u64>,
    pub(crate) cpu_ms: Option<u64>,
    pub(crate) pids: Option<u64>,
}

#[derive(Debug)]
enum Freezer {
    V1(File),
    /// `cgroup.freeze` and `cgroup.events`.
    V2(File, File),
}

impl Handles {
    pub(crate) fn memory_v1(&mut self, dir: &Path) -> io::Result<()> {
        self.join(dir)?;
        self.memory = Some(File::open(dir.join("memory.usage_in_bytes"))?);
        self.memory_peak = File::open(dir.join("memory.max_usage_in_bytes")).ok();
        self.oom = File::open(dir.join("memory.oom_control")).ok();
        Ok(())
    }

    pub(crate) fn cpu_v1(&mut self, dir: &Path) -> io::Result<()> {
        self.join(dir)?;
        self.cpu_idle = read_write(&dir.join("cpu.idle")).ok();
        Ok(())
    }

    pub(crate) fn cpuacct_v1(&mut self, dir: &Path) -> io::Result<()> {
        self.join(dir)?;
        self.cpu_ns = File::open(dir.join("cpuacct.usage")).ok();
        Ok(())
    }

    pub(crate) fn pids_v1(&mut self, dir: &Path) -> io::Result<()> {
        self.join(dir)?;
        self.pids = File::open(dir.join("pids.current")).ok();
        self.pids_events = File::open(dir.join("pids.events")).ok();
        Ok(())
    }

    pub(crate) fn freezer_v1(&mut self, dir: &Path) -> io::Result<()> {
        self.join(dir)?;
        self.freezer = Some(Freezer::V1(read_write(&dir.join("freezer.state"))?));
        Ok(())
    }

    pub(crate) fn unified(&mut self, init: &Path, app: &Path) -> io::Result<()> {
        self.join.push(append(&app.join("cgroup.procs"))?);
        self.join_init = Some(append(&init.join("cgroup.procs"))?);
        self.memory = File::open(app.join("memory.current")).ok();
        self.memory_peak = File::open(app.join("memory.peak")).ok();
        self.oom = File::open(app.join("memory.events")).ok();
        self.cpu_stat = File::open(app.join("cpu.stat")).ok();
        // The group above both is the one that stands beside the groups of others.
        self.cpu_idle = app
            .parent()
            .and_then(|group| read_write(&group.join("cpu.idle")).ok());
        self.pids = File::open(app.join("pids.current")).ok();
        self.pids_events = File::open(app.join("pids.events")).ok();
        let events = File::open(app.join("cgroup.events"))?;
        self.freezer = Some(Freezer::V2(read_write(&app.join("cgroup.freeze"))?, events));
        Ok(())
    }

    /// Version 1. A process of one thread that moves itself is as well moved by `tasks`, and for that the kernel does not
    /// hold up every fork and exit of the machine: it would wait 10 ms for all of them to notice.
    pub(crate) fn join(&mut self, dir: &Path) -> io::Result<()> {
        self.join.push(append(&dir.join("tasks"))?);
        Ok(())
    }

    /// Puts the calling process into all groups of the command.
    pub(crate) fn enter(&self) -> io::Result<()> {
        self.join.iter().try_for_each(|mut file| file.write_all(b"0"))
    }

    /// Puts the calling init where it is not frozen with the command.
    pub(crate) fn enter_init(&self) -> io::Result<()> {
        self.join_init
            .as_ref()
            .map_or(Ok(()), |mut file| file.write_all(b"0"))
    }

    pub(crate) fn counts_memory(&self) -> bool {
        self.memory.is_some()
    }

    pub(crate) fn read(&self) -> Reading {
        Reading {
            memory_bytes: number(self.memory.as_ref()),
            memory_peak_bytes: number(self.memory_peak.as_ref()),
            oom_kills: keyed(self.oom.as_ref(), "oom_kill"),
            cpu_ms: self.cpu_ms(),
            pids: number(self.pids.as_ref()),
        }
    }

    /// CPU time of the command so far.
    pub(crate) fn cpu_ms(&self) -> Option<u64> {
        number(self.cpu_ns.as_ref())
            .map(|ns| ns / 1_000_000)
            .or_else(|| keyed(self.cpu_stat.as_ref(), "usage_usec").map(|us| us / 1000))
    }

    /// How often a process was refused for being one too many.
    pub(crate) fn pids_refused(&self) -> u64 {
        keyed(self.pids_events.as_ref(), "max").unwrap_or(0)
    }

    pub(crate) fn can_give_way(&self) -> bool {
        self.cpu_idle.is_some() && (self.cpu_ns.is_some() || self.cpu_stat.is_some())
    }

    /// Lets everybody else's processes run before the command's, or no longer.
    pub(crate) fn give_way(&self, gives_way: bool) -> io::Result<()> {
        let value: &[u8] = if gives_way { b"1" } else { b"0" };
        self.cpu_idle
            .as_ref()
            .map_or(Ok(()), |file| file.write_all_at(value, 0))
    }

    /// Asks for all to be frozen or thawed; false when there is no freezer.
    pub(crate) fn set_frozen(&self, frozen: bool) -> io::Result<bool> {
        let value: &[u8] = match (&self.freezer, frozen) {
            (None, _) => return Ok(false),
            (Some(Freezer::V1(_)), true) => b"FROZEN",
            (Some(Freezer::V1(_)), false) => b"THAWED",
            (Some(Freezer::V2(..)), true) => b"1",
            (Some(Freezer::V2(..)), false) => b"0",
        };
        match &self.freezer {
            Some(Freezer::V1(file) | Freezer::V2(file, _)) => file.write_all_at(value, 0)?,
            None => {}
        }
        Ok(true)
    }

    pub(crate) fn freezes(&self) -> bool {
        self.freezer.is_some()
    }

    /// Whether the last wish has come true: freezing takes a moment.
    pub(crate) fn is_frozen(&self) -> bool {
        match &self.freezer {
            None => false,
            Some(Freezer::V1(state)) => text(state).starts_with("FROZEN"),
            Some(Freezer::V2(_, events)) => keyed(Some(events), "frozen") == Some(1),
        }
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).open(path)
}

fn read_write(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).open(path)
}

fn text(file: &File) -> String {
    let mut buffer = [0; 4096];
    let count = file.read_at(&mut buffer, 0).unwrap_or(0);
    String::from_utf8_lossy(&buffer[..count]).into_owned()
}

fn number(file: Option<&File>) -> Option<u64> {
    text(file?).trim().parse().ok()
}

fn keyed(file: Option<&File>, key: &str) -> Option<u64> {
    text(file?)
        .lines()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')?.trim().parse().ok())
}
