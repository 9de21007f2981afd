//! What the platform itself takes: idle, and for every running preview beside the application's own memory.
//!
//! Idle is the resident memory of the server and its zygote. A preview costs what the server, the zygote and the
//! previews' inits take more together than before (proportional set size, so that shared pages count once).

use std::path::Path;

use anyhow::Context as _;

use super::platform::{Platform, wait};
use super::{Bench, Figure, Readings, Target};

const PREVIEWS: usize = 20;

pub(super) fn measure(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let platform = Platform::start(bench, "memory")?;
    let idle = total(platform.id(), "Rss:")?;
    let example = bench.root.join("examples/node-http");
    // What the first deployment brings once and for all is not the price of the ones that follow.
    platform.deploy(&example, "memory", "first")?;
    let before = total(platform.id(), "Pss:")?;
    for number in 0..PREVIEWS {
        platform.deploy(&example, "memory", &format!("n{number}"))?;
    }
    let after = total(platform.id(), "Pss:")?;
    for number in 0..PREVIEWS {
        let host = format!("n{number}-memory.localhost");
        wait(|| platform.fetch(&host, "/"), "HTTP/1.1 200")?;
    }
    let one = |what: &str, unit, value, most| -> anyhow::Result<Figure> {
        Ok(Figure {
            what: what.to_owned(),
            ours: Readings::new(unit, vec![value])?,
            peer: None,
            target: Target::AtMost(most),
        })
    };
    let each = (after - before) / PREVIEWS as f64;
    Ok(vec![
        one("the platform idle, resident", "MB", idle / 1_000.0, 40.0)?,
        one(
            "the platform, per running preview beside the application",
            "kB",
            each,
            300.0,
        )?,
    ])
}

/// `field` of the server and of everything of ours below it, in kB. The applications are not ours.
fn total(server: u32, field: &str) -> anyhow::Result<f64> {
    let mut sum = 0.0;
    let mut waiting = vec![server];
    while let Some(process) = waiting.pop() {
        let directory = Path::new("/proc").join(process.to_string());
        let name = std::fs::read_to_string(directory.join("comm"))?;
        let of_ours = process == server || matches!(name.trim(), "exe" | "cygni-zygote" | "cygni-init");
        if !of_ours {
            continue;
        }
        sum += memory(&directory, field)?;
        for thread in std::fs::read_dir(directory.join("task"))? {
            let children = std::fs::read_to_string(thread?.path().join("children"))?;
            waiting.extend(
                children
                    .split_whitespace()
                    .filter_map(|child| child.parse::<u32>().ok()),
            );
        }
    }
    Ok(sum)
}

fn memory(process: &Path, field: &str) -> anyhow::Result<f64> {
    let rollup = std::fs::read_to_string(process.join("smaps_rollup"))?;
    let line = rollup.lines().find_map(|line| line.strip_prefix(field));
    let value = line.context("the kernel does not tell the memory of a process")?;
    Ok(value.trim().trim_end_matches("kB").trim().parse()?)
}
