//! What a caller asks for: one command, what it may see, and how much it may use.
//!
//! Guards against names and paths that could escape the sandbox's directory, and against requests without limits.
//! Does not know how any of it is enforced.

use std::fmt;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::egress;

/// The longest name, in bytes.
pub const NAME_BYTES_MAX: usize = 64;
/// The most mounts that one spec may list.
pub const MOUNTS_MAX: usize = 64;
/// The most lower layers of one overlay; the kernel takes its options on one page.
pub const LOWERS_MAX: usize = 100;
/// The most addresses that one spec may open.
const OPENED_MAX: usize = 16;
/// The largest spec on its way to the zygote, in bytes, secrets and files included.
pub const SPEC_BYTES_MAX: usize = 1 << 20;

/// One command to run in isolation. Holds secrets (`env`, `log.redact`): never written to disk.
#[derive(Clone, Serialize, Deserialize)]
pub struct Spec {
    /// `[a-z0-9-]{1,64}`, unique among the host's sandboxes; names its directory and cgroups.
    pub name: String,
    /// The command; `argv[0]` without a slash is looked up on the `PATH` of `env`, inside.
    pub argv: Vec<String>,
    /// Absolute, inside the sandbox.
    pub cwd: String,
    /// The whole environment; nothing of ours is inherited. `PATH` and `HOME` get defaults when absent.
    pub env: Vec<(String, String)>,
    /// Applied in this order.
    pub mounts: Vec<Mount>,
    pub limits: Limits,
    pub egress: egress::Policy,
    /// Addresses that only this sandbox reaches although they are private or the host's own. One of loopback, with its
    /// port, stands for the host's in place of the sandbox's. For leashed ones: nobody remembers it.
    pub opened: Vec<egress::AllowedAddress>,
    pub lifetime: Lifetime,
    pub log: LogOptions,
    /// At most 63 bytes of `[a-z0-9-]`.
    pub hostname: String,
}

impl Spec {
    /// A spec with sober defaults: 512 MiB, one CPU, 256 processes, no network, ends with the platform.
    pub fn new(name: impl Into<String>, argv: impl IntoIterator<Item = impl Into<String>>) -> Spec {
        Spec {
            name: name.into(),
            argv: argv.into_iter().map(Into::into).collect(),
            cwd: "/".to_owned(),
            env: Vec::new(),
            mounts: Vec::new(),
            limits: Limits::default(),
            egress: egress::Policy::None,
            opened: Vec::new(),
            lifetime: Lifetime::Leashed,
            log: LogOptions::default(),
            hostname: "sandbox".to_owned(),
        }
    }

    /// Refuses what could not be carried out or would reach outside the sandbox's own directory.
    pub fn check(&self) -> Result<(), InvalidSpec> {
        check_name(&self.name)?;
        check_label("hostname", &self.hostname, 63)?;
        if self.argv.is_empty() || self.argv[0].is_empty() {
            return Err(InvalidSpec::new("argv", "", "give a command to run"));
        }
        for text in self
            .argv
            .iter()
            .chain(self.env.iter().flat_map(|(name, value)| [name, value]))
        {
            if text.contains('\0') {
                return Err(InvalidSpec::new("argv and env", "a NUL byte", "remove it"));
            }
        }
        if let Some((name, _)) = self
            .env
            .iter()
            .find(|(name, _)| name.is_empty() || name.contains('='))
        {
            return Err(InvalidSpec::new(
                "env",
                name,
                "names are not empty and hold no '='",
            ));
        }
        check_target(&self.cwd)?;
        if self.mounts.len() > MOUNTS_MAX {
            let found = self.mounts.len().to_string();
            return Err(InvalidSpec::new("mounts", &found, "at most 64 are possible"));
        }
        self.mounts.iter().try_for_each(Mount::check)?;
        if self.opened.len() > OPENED_MAX {
            let found = self.opened.len().to_string();
            return Err(InvalidSpec::new(
                "opened addresses",
                &found,
                "at most 16 are possible",
            ));
        }
        if !self.opened.is_empty() && self.lifetime == Lifetime::Detached {
            return Err(InvalidSpec::new(
                "lifetime",
                "detached",
                "only a leashed sandbox has addresses opened for it alone",
            ));
        }
        self.limits.check()
    }
}

impl fmt::Debug for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Values of the environment and of `redact` are secrets; only names may reach a log.
        let names: Vec<&str> = self.env.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Spec")
            .field("name", &self.name)
            .field("argv", &self.argv)
            .field("env", &names)
            .field("limits", &self.limits)
            .field("lifetime", &self.lifetime)
            .finish_non_exhaustive()
    }
}

/// Something that appears at `target`, an absolute path inside. Sources are paths of the host.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Mount {
    /// A directory or file that cannot be changed.
    ReadOnly { source: PathBuf, target: String },
    /// A directory or file; what is written belongs to the platform's user on disk.
    Writable { source: PathBuf, target: String },
    /// `lowers` (topmost first, unchanged for ever) with `upper` on top; `work` is an empty directory on the
    /// file system of `upper`.
    Overlay {
        lowers: Vec<PathBuf>,
        upper: PathBuf,
        work: PathBuf,
        target: String,
    },
    /// Memory, counted in the sandbox's limit.
    Tmpfs { target: String, bytes_max: u64 },
    /// A small read-only file, held in memory.
    File {
        target: String,
        contents: Vec<u8>,
        executable: bool,
    },
}

impl Mount {
    pub fn target(&self) -> &str {
        match self {
            Mount::ReadOnly { target, .. }
            | Mount::Writable { target, .. }
            | Mount::Overlay { target, .. }
            | Mount::Tmpfs { target, .. }
            | Mount::File { target, .. } => target,
        }
    }

    fn check(&self) -> Result<(), InvalidSpec> {
        check_target(self.target())?;
        if Path::new(self.target()) == Path::new("/") {
            return Err(InvalidSpec::new(
                "a mount's target",
                "/",
                "the root is ours; mount below it",
            ));
        }
        match self {
            Mount::ReadOnly { source, .. } | Mount::Writable { source, .. } => check_source(source),
            Mount::Overlay {
                lowers, upper, work, ..
            } => {
                if lowers.is_empty() || lowers.len() > LOWERS_MAX {
                    let found = lowers.len().to_string();
                    return Err(InvalidSpec::new(
                        "overlay lowers",
                        &found,
                        "between 1 and 100 are possible",
                    ));
                }
                lowers
                    .iter()
                    .chain([upper, work])
                    .try_for_each(|path| check_source(path))
            }
            Mount::Tmpfs { bytes_max, .. } if *bytes_max == 0 => {
                Err(InvalidSpec::new("tmpfs bytes_max", "0", "give a size above 0"))
            }
            Mount::Tmpfs { .. } | Mount::File { .. } => Ok(()),
        }
    }
}

/// Upper bounds on what the command and everything it starts may use together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// At least 1 MiB.
    pub memory_bytes: u64,
    /// Thousandths of one CPU; 1500 is one and a half. At least 10.
    pub cpu_millis: u32,
    /// Processes and threads, at least 1.
    pub pids_max: u32,
    /// The largest single file.
    pub file_bytes_max: u64,
    /// Wall-clock seconds until everything is killed; none: no deadline.
    pub wall_seconds: Option<u32>,
}

impl Limits {
    fn check(&self) -> Result<(), InvalidSpec> {
        let too_small = |what, value: u64| Err(InvalidSpec::new(what, &value.to_string(), "raise it"));
        match self {
            l if l.memory_bytes < 1 << 20 => too_small("memory_bytes", l.memory_bytes),
            l if l.cpu_millis < 10 => too_small("cpu_millis", l.cpu_millis.into()),
            l if l.pids_max < 1 => too_small("pids_max", l.pids_max.into()),
            l if l.wall_seconds == Some(0) => too_small("wall_seconds", 0),
            _ => Ok(()),
        }
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            memory_bytes: 512 << 20,
            cpu_millis: 1000,
            pids_max: 256,
            file_bytes_max: 1 << 30,
            wall_seconds: None,
        }
    }
}

/// Whether the sandbox outlives the platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lifetime {
    /// Ends when the last [`crate::Sandbox`] handle is dropped or the platform ends, however it ends.
    Leashed,
    /// Goes on until it ends by itself, is killed, or is removed.
    Detached,
}

/// How the command's output is kept.
#[derive(Clone, Serialize, Deserialize)]
pub struct LogOptions {
    /// The newest output is kept: at least half of this, at most this much, in bytes.
    pub bytes_max: u64,
    /// Secret values replaced in every line; values under [`crate::log::REDACT_BYTES_MIN`] bytes are not.
    pub redact: Vec<String>,
}

impl Default for LogOptions {
    fn default() -> LogOptions {
        LogOptions {
            bytes_max: 8 << 20,
            redact: Vec::new(),
        }
    }
}

/// A spec that cannot be carried out: which part, the value, what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{part} cannot be {value:?}: {advice}")]
pub struct InvalidSpec {
    pub part: &'static str,
    pub value: String,
    pub advice: &'static str,
}

impl InvalidSpec {
    fn new(part: &'static str, value: &str, advice: &'static str) -> InvalidSpec {
        InvalidSpec {
            part,
            value: value.chars().take(200).collect(),
            advice,
        }
    }
}

pub(crate) fn check_name(name: &str) -> Result<(), InvalidSpec> {
    check_label("name", name, NAME_BYTES_MAX)
}

fn check_label(part: &'static str, label: &str, bytes_max: usize) -> Result<(), InvalidSpec> {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if label.is_empty() || label.len() > bytes_max || !label.bytes().all(fits) {
        return Err(InvalidSpec::new(
            part,
            label,
            "use 1 to 64 of a-z, 0-9 and '-' (a host name: 63)",
        ));
    }
    Ok(())
}

fn check_target(target: &str) -> Result<(), InvalidSpec> {
    let plain = Path::new(target)
        .components()
        .all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
    if !target.starts_with('/') || !plain || target.contains('\0') || target.len() > 4000 {
        return Err(InvalidSpec::new(
            "a path inside",
            target,
            "it must be absolute and without '..'",
        ));
    }
    Ok(())
}

fn check_source(source: &Path) -> Result<(), InvalidSpec> {
    if !source.is_absolute() {
        return Err(InvalidSpec::new(
            "a path of the host",
            &source.to_string_lossy(),
            "make it absolute",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_spec_is_fine() {
        assert_eq!(Spec::new("web-1", ["true"]).check(), Ok(()));
    }

    #[test]
    fn names_that_could_leave_the_directory_are_refused() {
        for name in ["", "..", "a/b", "A", "a b", "ä", &"a".repeat(65)] {
            assert!(Spec::new(name, ["true"]).check().is_err(), "{name:?}");
        }
    }

    #[test]
    fn targets_are_absolute_and_plain() {
        for target in ["", "tmp", "/a/../b", "/a\0b"] {
            let mut spec = Spec::new("a", ["true"]);
            spec.mounts.push(Mount::Tmpfs {
                target: target.to_owned(),
                bytes_max: 1,
            });
            assert!(spec.check().is_err(), "{target:?}");
        }
    }

    #[test]
    fn limits_of_nothing_are_refused() {
        let mut spec = Spec::new("a", ["true"]);
        spec.limits.wall_seconds = Some(0);
        let error = spec.check().unwrap_err().to_string();
        assert_eq!(error, "wall_seconds cannot be \"0\": raise it");
    }

    #[test]
    fn addresses_are_opened_for_leashed_sandboxes_only() {
        let mut spec = Spec::new("a", ["true"]);
        spec.opened.push("127.0.0.1:3000".parse().unwrap());
        assert_eq!(spec.check(), Ok(()));
        spec.lifetime = Lifetime::Detached;
        assert!(spec.check().is_err());
    }

    #[test]
    fn debug_output_hides_values() {
        let mut spec = Spec::new("a", ["true"]);
        spec.env.push(("TOKEN".to_owned(), "hunter2".to_owned()));
        spec.log.redact.push("hunter2".to_owned());
        let text = format!("{spec:?}");
        assert!(text.contains("TOKEN") && !text.contains("hunter2"), "{text}");
    }
}
