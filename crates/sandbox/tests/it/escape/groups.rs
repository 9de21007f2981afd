//! Control groups: out of the limits, and to the host by the program that a group of version 1 runs at its end.

use std::fs;
use std::path::Path;

use sandbox::{MEMORY, Support};

use super::{is_root, outside};
use crate::Test;
use crate::stage::{groups_with, on_stage, probe as inside, shell};

pub(crate) const TESTS: &[Test] = &[
    ("escape_by_release_agent_of_a_control_group", release_agent),
    ("escape_from_the_limits_of_its_control_group", limits),
    ("escape_raising_its_own_resource_limits", resource_limits),
];

fn release_agent() {
    on_stage(async |stage| {
        let script = "grep cgroup /proc/self/mountinfo; find / -xdev -name release_agent 2>/dev/null; ls /sys; \
                      for c in memory rdma cpu; do mkdir -p /tmp/c && mount -t cgroup -o $c c /tmp/c && echo mounted; done; true";
        let outcome = stage.run(shell("agent", script)).await;
        assert_eq!(outcome.good(), [] as [&str; 0]);
        let own = stage
            .run(shell("place", "cut -d: -f3 /proc/self/cgroup | sort -u"))
            .await;
        assert_eq!(own.good(), ["/"], "its own group is the top of what it sees");
        // What would be found if the host's groups were in sight.
        let agents = [
            "/sys/fs/cgroup/memory/release_agent",
            "/sys/fs/cgroup/cgroup.procs",
            "/sys/fs/cgroup/memory/cgroup.procs",
        ];
        assert!(agents.iter().any(|path| Path::new(path).exists()));
        if is_root() {
            assert!(!outside(&[&["doors"], &agents[..]].concat()).is_empty());
        }
    });
}

fn limits() {
    on_stage(async |stage| {
        let mut spec = inside(
            "caged",
            &[
                "write",
                "/sys/fs/cgroup/memory/memory.limit_in_bytes",
                "/proc/self/cgroup",
                "/proc/1/cgroup",
            ],
        );
        spec.limits.memory_bytes = 64 << 20;
        for line in stage.run(spec).await.good() {
            assert!(!line.ends_with(" ok"), "{line}");
        }
        if stage.host.capabilities().support(MEMORY) != Support::Full {
            assert!(
                !stage.host.capabilities().limits_hold(),
                "what is not enforced is said"
            );
            return;
        }
        // The limits are where only the host can reach them, and unchanged while the program runs.
        let mut spec = inside("caged", &["count"]);
        spec.limits.memory_bytes = 64 << 20;
        let sandbox = stage.host.spawn(spec).await.unwrap();
        let groups = groups_with(&stage.prefix);
        let set: Vec<String> = groups
            .iter()
            .flat_map(|group| ["memory.limit_in_bytes", "memory.max"].map(|file| group.join(file)))
            .filter_map(|path| fs::read_to_string(path).ok())
            .collect();
        assert!(
            set.iter().any(|limit| limit.trim() == (64 << 20).to_string()),
            "{set:?} in {groups:?}"
        );
        sandbox.kill().await.unwrap();
        stage.host.remove("caged").await.unwrap();
    });
}

fn resource_limits() {
    on_stage(async |stage| {
        let script = "ulimit -n 1000000 && echo files; ulimit -c 1 && echo core; ulimit -f unlimited && echo size; \
                      ulimit -u 1000000 && echo processes; ulimit -i 100000 && echo signals; ulimit -q 1000000 && echo queues; true";
        let outcome = stage
            .run(sandbox::Spec::new("greedy", ["bash", "-c", script]))
            .await;
        assert_eq!(outcome.good(), [] as [&str; 0]);
    });
}
