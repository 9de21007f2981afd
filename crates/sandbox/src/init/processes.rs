//! The processes of the sandbox, read from /proc: what stands in where no group counts memory.
//!
//! An approximation: memory that processes share is counted for each, and a burst between two looks is missed.

use std::fs;

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
    fn memory_and_threads_of_a_status() {
        let status = "Name:\tx\nRssAnon:\t    100 kB\nRssFile:\t 900 kB\nRssShmem:\t  4 kB\nThreads:\t7\n";
        assert_eq!(parse(status), (104 << 10, 7));
        assert_eq!(parse("Name:\tkthread\n"), (0, 0));
    }
}
