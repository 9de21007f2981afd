//! Which limits this machine's groups enforce, and what stands in where they do not.

use crate::capability::{CPU, Capability, FREEZE, MEMORY, PIDS};
use crate::cgroup::Tree;

const ADVICE: &str = "run as root, or with a delegated group: systemd-run --user --scope -p Delegate=yes …";

pub(crate) fn capabilities(tree: &Tree) -> Vec<Capability> {
    let kind = if tree.unified.is_some() {
        "cgroup version 2"
    } else {
        "cgroup version 1"
    };
    vec![
        if tree.limits_memory() {
            Capability::full(MEMORY, kind)
        } else {
            Capability::clamped(
                MEMORY,
                "the init looks four times a second and kills; a burst passes",
                ADVICE,
            )
        },
        if tree.limits_cpu() {
            Capability::full(CPU, kind)
        } else {
            Capability::missing(CPU, "a sandbox can use all CPUs", ADVICE)
        },
        if tree.limits_pids() {
            Capability::full(PIDS, kind)
        } else {
            Capability::clamped(PIDS, "counted per user namespace (RLIMIT_NPROC)", ADVICE)
        },
        if tree.freezes() {
            Capability::full(FREEZE, kind)
        } else {
            Capability::clamped(FREEZE, "stopped by signal, which programs can notice", ADVICE)
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capability::Support;

    #[test]
    fn nothing_is_weakened_without_a_line_about_it() {
        let entries = capabilities(&Tree::default());
        assert_eq!(entries.len(), 4);
        assert!(
            entries
                .iter()
                .all(|entry| entry.support != Support::Full && !entry.advice.is_empty())
        );
    }
}
