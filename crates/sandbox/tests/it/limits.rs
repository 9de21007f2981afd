//! Limits hold; where the machine cannot enforce one, it says so.

use std::path::Path;

use sandbox::{CPU, Ended, MEMORY, Support};

use crate::Test;
use crate::stage::{groups_with, on_stage, probe, shell, until};

pub(crate) const TESTS: &[Test] = &[
    ("too_much_memory_ends_it", memory),
    (
        "memory_eaten_by_a_child_is_told_apart_from_a_failure",
        memory_of_a_child,
    ),
    ("processes_are_counted", processes),
    ("cpu_is_shared_out_or_said_to_be_unlimited", cpu),
    ("who_spins_gives_way_to_who_needs_a_moment", courtesy),
    ("a_file_cannot_grow_past_its_limit", file_size),
    ("time_runs_out", time),
    ("open_files_and_core_dumps_are_limited", resources),
];

fn memory() {
    on_stage(async |stage| {
        let mut spec = probe("eater", &["eat", "4000"]);
        spec.limits.memory_bytes = 64 << 20;
        let exit = stage.run(spec).await.exit;
        assert_eq!(exit.how, Ended::OutOfMemory, "{exit:?}");
        assert!(exit.memory_peak_bytes >= 32 << 20, "{exit:?}");
        if stage.host.capabilities().support(MEMORY) == Support::Full {
            assert!(exit.memory_peak_bytes <= 65 << 20, "{exit:?}");
        }
        let mut spec = probe("modest", &["eat", "20"]);
        spec.limits.memory_bytes = 64 << 20;
        assert_eq!(stage.run(spec).await.good(), ["ate 20"]);
    });
}

fn memory_of_a_child() {
    on_stage(async |stage| {
        let mut spec = probe("parent", &[]);
        spec.argv = ["sh", "-c", "/opt/probe probe eat 4000; exit 1"]
            .map(str::to_owned)
            .to_vec();
        spec.limits.memory_bytes = 64 << 20;
        assert_eq!(stage.run(spec).await.exit.how, Ended::OutOfMemory);
    });
}

fn processes() {
    on_stage(async |stage| {
        let mut spec = probe("forks", &["fork"]);
        spec.limits.pids_max = 20;
        let outcome = stage.run(spec).await;
        let children: u32 = outcome.good()[0].parse().unwrap();
        assert!((15..=20).contains(&children), "{children}");
    });
}

fn cpu() {
    on_stage(async |stage| {
        let mut spec = probe("burner", &["burn", "1000"]);
        spec.limits.cpu_millis = 200;
        let exit = stage.run(spec).await.exit;
        if stage.host.capabilities().support(CPU) == Support::Full {
            assert!((50..=450).contains(&exit.cpu_ms), "{exit:?}");
        } else {
            assert_eq!(stage.host.capabilities().support(CPU), Support::Missing);
            assert!(!stage.host.capabilities().limits_hold());
        }
    });
}

/// What that is worth to others is measured by `cargo xtask bench neighbours`.
fn courtesy() {
    on_stage(async |stage| {
        let mut spec = probe("spinner", &["burn", "60000"]);
        spec.limits.cpu_millis = 1000;
        let sandbox = stage.host.spawn(spec).await.unwrap();
        let groups = groups_with(&stage.prefix);
        let Some(idle) = groups
            .iter()
            .map(|group| group.join("cpu.idle"))
            .find(|file| file.exists())
        else {
            assert!(
                stage.host.capabilities().support(CPU) != Support::Full
                    || !Path::new("/sys/fs/cgroup/cpu/cpu.idle").exists()
            );
            sandbox.kill().await.unwrap();
            stage.outcome(&sandbox).await;
            return;
        };
        let reads = |wanted: &str| std::fs::read_to_string(&idle).unwrap().trim() == wanted;
        assert!(reads("0"), "a new one is like all others");
        until("it gives way", async || reads("1").then_some(())).await;
        sandbox.kill().await.unwrap();
        stage.outcome(&sandbox).await;
        let sandbox = stage.host.spawn(probe("spinner", &["count"])).await.unwrap();
        until("it has run for a while", async || {
            (crate::stage::lines(&sandbox).len() > 600).then_some(())
        })
        .await;
        assert!(reads("0"), "one that does little is like all others");
        sandbox.kill().await.unwrap();
        stage.outcome(&sandbox).await;
    });
}

fn file_size() {
    on_stage(async |stage| {
        let mut spec = probe("grower", &["grow", "/tmp/file"]);
        spec.limits.file_bytes_max = 1 << 20;
        assert_eq!(
            stage.run(spec).await.good(),
            [format!("{} {}", 1 << 20, libc::EFBIG)]
        );
    });
}

fn time() {
    on_stage(async |stage| {
        let mut spec = shell("sleeper", "sleep 1000 & sleep 1000");
        spec.limits.wall_seconds = Some(1);
        assert_eq!(stage.run(spec).await.exit.how, Ended::TimedOut);
    });
}

fn resources() {
    on_stage(async |stage| {
        let outcome = stage.run(shell("ulimits", "ulimit -Hn; ulimit -Hc")).await;
        let said = outcome.good();
        assert!(said[0].parse::<u32>().unwrap() <= 65_536, "{said:?}");
        assert_eq!(said[1], "0");
    });
}
