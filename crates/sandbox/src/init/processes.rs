//! The processes of the sandbox, read from /proc: what stands in where no group counts memory.
//!
//! An approximation: memory that processes share is counted for each, and a burst between two looks is missed.

use std::collections::HashMap;
use std::fs;
use std::time::Duration;

/// Sums over all processes but this init.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Sum {
    pub(super) memory_bytes: u64,
    pub(super) threads: u32,
}

pub(super) fn sum() -> Sum {
    let mut sum = Sum::default();
    let Ok(entries) = fs::read_dir("/proc") else {
        return sum;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(pid) = name
            .to_str()
            .and_then(|name| name.parse::<u32>().ok())
            .filter(|&pid| pid != 1)
        else {
            continue;
        };
        if let Ok(status) = fs::read_to_string(format!("/proc/{pid}/status")) {
            let (memory_bytes, threads) = parse(&status);
            sum.memory_bytes += memory_bytes;
            sum.threads += threads;
        }
    }
    sum
}

/// Threads that are looked at per question at the most.
const THREADS_MAX: usize = 512;

/// How long each thread has waited for a CPU in all, by its id.
pub(super) fn waits() -> HashMap<u32, Duration> {
    let threads = numbers("/proc").filter(|&pid| pid != 1).flat_map(|pid| {
        let tasks = format!("/proc/{pid}/task");
        numbers(&tasks).map(move |task| (task, format!("{tasks}/{task}/schedstat")))
    });
    let waits = threads.take(THREADS_MAX).filter_map(|(task, path)| {
        let text = fs::read_to_string(path).ok()?;
        let waited = text.split_ascii_whitespace().nth(1)?.parse().ok()?;
        Some((task, Duration::from_nanos(waited)))
    });
    waits.collect()
}

/// Whether every thread of every process has stopped: a stop signal takes effect on each in its own time.
pub(super) fn all_stopped() -> bool {
    numbers("/proc").filter(|&pid| pid != 1).all(|pid| {
        let tasks = format!("/proc/{pid}/task");
        numbers(&tasks).all(|task| {
            // One that is gone by now does nothing any more.
            fs::read_to_string(format!("{tasks}/{task}/stat")).map_or(true, |stat| is_still(&stat))
        })
    })
}

/// Stopped, traced, or dead.
fn is_still(stat: &str) -> bool {
    stat.rsplit_once(") ")
        .is_some_and(|(_, rest)| rest.starts_with(['T', 't', 'Z', 'X']))
}

/// The entries of a directory that are numbers.
fn numbers(dir: &str) -> impl Iterator<Item = u32> + use<> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// Anonymous and shared memory, in bytes, and threads; mapped files are the page cache's.
fn parse(status: &str) -> (u64, u32) {
    let field = |name: &str| -> u64 {
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.and_then(|rest| rest.split_ascii_whitespace().next()?.parse().ok())
            .unwrap_or(0)
    };
    let memory = (field("RssAnon") + field("RssShmem")) << 10;
    (memory, u32::try_from(field("Threads")).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stopped_thread_is_told_from_one_that_runs() {
        assert!(is_still("7 (a) R) T 1 2"));
        assert!(!is_still("7 (a) T) S 1 2"));
    }

    #[test]
    fn memory_and_threads_of_a_status() {
        let status = "Name:\tx\nRssAnon:\t    100 kB\nRssFile:\t 900 kB\nRssShmem:\t  4 kB\nThreads:\t7\n";
        assert_eq!(parse(status), (104 << 10, 7));
        assert_eq!(parse("Name:\tkthread\n"), (0, 0));
    }
}
