//! Processes of the platform, and chance.

use std::path::Path;
use std::thread::park_timeout;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::Story;

impl Story {
    pub(super) fn init_of(&self, instance: &str) -> Option<u32> {
        let sandboxes = self.platform.data().join("sandboxes");
        let mine = |path: &Path| {
            path.to_string_lossy()
                .contains(instance.rsplit('_').next().unwrap())
        };
        let directory = std::fs::read_dir(sandboxes)
            .unwrap()
            .flatten()
            .map(|entry| entry.path())
            .find(|path| mine(path))?;
        let state = std::fs::read(directory.join("state.json")).ok()?;
        let state: Value = serde_json::from_slice(&state).ok()?;
        state["pid"].as_u64().map(|pid| pid as u32)
    }
}

pub(super) fn child_called(parent: u32, name: &str) -> Option<u32> {
    let children = std::fs::read_dir("/proc").unwrap().flatten();
    children
        .filter_map(|process| process.file_name().to_str()?.parse().ok())
        .find(|pid: &u32| {
            let read =
                |file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
            let stat = read("stat");
            let of = stat
                .rsplit_once(')')
                .and_then(|(_, rest)| rest.split_whitespace().nth(1));
            of == Some(parent.to_string().as_str()) && read("cmdline").starts_with(name)
        })
}

pub(super) fn kill(pid: u32) {
    let pid = Pid::from_raw(pid as i32).unwrap();
    // It may have ended by itself a moment ago.
    let _ = kill_process(pid, Signal::KILL);
}

/// A linear congruential generator: the same seed, the same story.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    /// Anything from the first request of a command to its end.
    pub(super) fn pause(&mut self) {
        let most = [20, 80, 300, 1_000][self.below(4) as usize];
        park_timeout(Duration::from_millis(self.below(most)));
    }
}
