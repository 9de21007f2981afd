//! How soon visitors get the other version, while `wrk` visits without a pause: after `cx deploy` and after
//! `cx rollback`. Counted from the start of the command to the first answer of the new version; no visitor may be
//! failed meanwhile.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use super::platform::{Platform, wait};
use super::{Bench, Figure, Readings, Target};

const ROUNDS: usize = 15;
const VISITS_PER_SECOND: usize = 2_000;
const CONNECTIONS: usize = 50;
/// Longer than all rounds take; it is ended before.
const VISITING_SECONDS: usize = 120;
/// Between rounds, so that the visits of every version are many.
const PAUSE: Duration = Duration::from_millis(150);

pub(super) fn measure(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let platform = Platform::start(bench, "switch")?;
    let site = bench.scratch.path().join("switching");
    std::fs::create_dir_all(&site)?;
    let shown = |version: &str| wait(|| platform.fetch("switch.localhost", "/"), version);
    let write = |text: &str| std::fs::write(site.join("index.html"), text);
    write("version 0.")?;
    platform.deploy(&site, "switch", "main")?;
    let visitors = Visitors::start(bench, platform.port)?;
    let (mut switched, mut back) = (Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        let (old, new) = (format!("version {}.", round - 1), format!("version {round}."));
        write(&new)?;
        let site = site.to_string_lossy();
        switched.push(until(
            &platform,
            &["deploy", &site, "--project", "switch"],
            || shown(&new),
        )?);
        let roll = ["rollback", "--project", "switch"];
        back.push(until(&platform, &roll, || shown(&old))?);
    }
    let (visits, failed) = visitors.end()?;
    ensure!(visits > ROUNDS * 100, "only {visits} visits");
    let figure = |what: String, unit, values, target| -> anyhow::Result<Figure> {
        Ok(Figure {
            what,
            ours: Readings::new(unit, values)?,
            peer: None,
            target,
        })
    };
    Ok(vec![
        figure(
            "`cx deploy` (static) → visitors get it".to_owned(),
            "ms",
            switched,
            Target::AtMost(100.0),
        )?,
        figure(
            "`cx rollback` → visitors get it".to_owned(),
            "ms",
            back,
            Target::AtMost(100.0),
        )?,
        figure(
            format!("failed among {visits} visits meanwhile"),
            "visits",
            vec![failed as f64],
            Target::AtMost(0.0),
        )?,
    ])
}

/// Milliseconds from the start of the command until `shown`.
fn until(
    platform: &Platform,
    arguments: &[&str],
    shown: impl Fn() -> anyhow::Result<()>,
) -> anyhow::Result<f64> {
    std::thread::sleep(PAUSE);
    let begin = Instant::now();
    let mut command = platform.cli(arguments).spawn()?;
    let outcome = shown();
    let took = begin.elapsed();
    let status = command.wait()?;
    ensure!(
        status.success(),
        "`cx {}` ended with {status}",
        arguments.join(" ")
    );
    outcome.map(|()| took.as_secs_f64() * 1e3)
}

/// `wrk`, held to a rate.
struct Visitors(Child);

impl Visitors {
    fn start(bench: &Bench, port: u16) -> anyhow::Result<Visitors> {
        let script = bench.scratch.path().join("pace.lua");
        std::fs::write(&script, pace())?;
        let address = format!("http://127.0.0.1:{port}/");
        Ok(Visitors(visit(&script, &address)?))
    }

    /// How many visits there were, and how many of them failed.
    fn end(mut self) -> anyhow::Result<(usize, usize)> {
        // On an interrupt it ends and tells what it saw.
        let id = self.0.id().to_string();
        ensure!(
            Command::new("kill").args(["-INT", &id]).status()?.success(),
            "wrk has ended early"
        );
        let mut told = String::new();
        std::io::Read::read_to_string(&mut self.0.stdout.take().context("no output of wrk")?, &mut told)?;
        self.0.wait()?;
        count(&told).with_context(|| format!("wrk said {told:?}"))
    }
}

impl Drop for Visitors {
    fn drop(&mut self) {
        // One that has ended already is as good.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn visit(script: &Path, address: &str) -> anyhow::Result<Child> {
    Ok(Command::new("wrk")
        .args([
            "-t1",
            &format!("-c{CONNECTIONS}"),
            &format!("-d{VISITING_SECONDS}s"),
        ])
        .args(["-H", "Host: switch.localhost", "-s"])
        .arg(script)
        .arg(address)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?)
}

/// Every connection waits between its visits, so that all together make [`VISITS_PER_SECOND`].
fn pace() -> String {
    let wait_ms = CONNECTIONS * 1_000 / VISITS_PER_SECOND;
    format!(
        "function delay() return {wait_ms} end\n\
         function done(summary)\n\
           local errors = summary.errors\n\
           local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout\n\
           print('visits ' .. summary.requests .. ' failed ' .. failed)\n\
         end\n"
    )
}

fn count(told: &str) -> Option<(usize, usize)> {
    let line = told.lines().find_map(|line| line.strip_prefix("visits "))?;
    let (visits, failed) = line.split_once(" failed ")?;
    Some((visits.parse().ok()?, failed.parse().ok()?))
}
