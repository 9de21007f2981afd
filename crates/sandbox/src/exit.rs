//! How a sandbox ended, as its init wrote it down.
//!
//! Guards against "it is gone, nobody knows why": every end has exactly one of these, `Lost` included.

use serde::{Deserialize, Serialize};

/// The end of a sandbox, with what it used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    pub how: Ended,
    /// Unix time in milliseconds; 0 when nobody was there to look ([`Ended::Lost`]).
    pub at_ms: u64,
    /// CPU time of all its processes together, in milliseconds.
    pub cpu_ms: u64,
    /// The highest memory use, in bytes; 0 where the machine does not tell.
    pub memory_peak_bytes: u64,
}

impl Exit {
    /// True only for a main process that ended by itself with code 0.
    pub fn success(&self) -> bool {
        self.how == Ended::Exited { code: 0 }
    }

    pub(crate) fn lost() -> Exit {
        Exit {
            how: Ended::Lost,
            at_ms: 0,
            cpu_ms: 0,
            memory_peak_bytes: 0,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Ended {
    /// The main process ended by itself.
    Exited { code: i32 },
    /// A signal ended the main process that nobody below accounts for.
    Signalled { signal: i32 },
    /// The main process failed and something in the sandbox had been killed for lack of memory.
    OutOfMemory,
    /// `wall_seconds` had passed.
    TimedOut,
    /// The platform, or the last handle to a leashed sandbox, was gone.
    LeashLost,
    /// [`crate::Sandbox::kill`].
    Killed,
    /// The init was killed, or the machine restarted: nothing was recorded.
    Lost,
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Ended::Exited { code } => write!(f, "ended with exit code {code}"),
            Ended::Signalled { signal } => write!(f, "was ended by signal {signal}"),
            Ended::OutOfMemory => f.write_str("ran out of memory"),
            Ended::TimedOut => f.write_str("took longer than its time limit"),
            Ended::LeashLost => f.write_str("was ended with the platform"),
            Ended::Killed => f.write_str("was killed on request"),
            Ended::Lost => f.write_str("disappeared without leaving an exit status"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_on_disk_is_stable() {
        let exit = Exit {
            how: Ended::Exited { code: 3 },
            at_ms: 1,
            cpu_ms: 2,
            memory_peak_bytes: 4,
        };
        let text = serde_json::to_string(&exit).unwrap();
        assert_eq!(
            text,
            r#"{"how":{"kind":"exited","code":3},"at_ms":1,"cpu_ms":2,"memory_peak_bytes":4}"#
        );
        assert_eq!(serde_json::from_str::<Exit>(&text).unwrap(), exit);
        assert!(!exit.success());
    }
}
