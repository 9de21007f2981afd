//! How soon a forge is told that its delivery is kept: bursts of signed deliveries over several connections at once, as
//! after a forge was away, beside the least that keeps a body as durably (`benches/src/bin/sink.rs`), in turns.
//!
//! Nobody follows the repository that they are about: that is found out while the burst lasts, as it would be, but no
//! deployment takes the processor from it.

mod burst;
mod payload;

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use anyhow::ensure;

use self::burst::Burst;
use super::platform::{Platform, wait};
use super::{Bench, Figure, Readings, Target};

const ROUNDS: usize = 9;
const SECRET: &str = "the secret of this measurement";
/// A forge that nobody has to ask anything: it listens nowhere.
const FORGE: [&str; 5] = ["forge", "add", "github", "--at", "http://127.0.0.1:9"];
/// Milliseconds in which nearly every delivery is acknowledged.
const P99_MS_MAX: f64 = 10.0;

pub(super) fn measure(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let platform = Platform::start(bench, "webhooks")?;
    let secret = bench.scratch.path().join("webhooks.secret");
    std::fs::write(&secret, SECRET)?;
    let added = platform.cli(&FORGE).arg("--secret-file").arg(&secret).status()?;
    ensure!(added.success(), "the forge was not added");
    let sink = Sink::start(bench)?;
    let burst = Burst::new(&payload::opened(), SECRET);
    let (mut ours, mut theirs) = (Taken::default(), Taken::default());
    for round in 0..ROUNDS {
        theirs.add(burst.send(sink.port, round)?)?;
        ours.add(burst.send(platform.port, round)?)?;
        // What came of them is found out before somebody else is measured.
        let done = || worked_on(&platform).map(|done| done.to_string());
        wait(done, "true")?;
    }
    let figure = |what: &str, ours, theirs, target| -> anyhow::Result<Figure> {
        Ok(Figure {
            what: format!("{} webhooks at once, {what}", burst::DELIVERIES),
            ours: Readings::new("ms", ours)?,
            peer: Some(("file, `fdatasync`".to_owned(), Readings::new("ms", theirs)?)),
            target,
        })
    };
    Ok(vec![
        figure(
            "acknowledged, p99",
            ours.p99,
            theirs.p99,
            Target::AtMost(P99_MS_MAX),
        )?,
        figure("acknowledged, median", ours.median, theirs.median, Target::Told)?,
    ])
}

/// What the rounds said, in milliseconds.
#[derive(Default)]
struct Taken {
    median: Vec<f64>,
    p99: Vec<f64>,
}

impl Taken {
    fn add(&mut self, millis: Vec<f64>) -> anyhow::Result<()> {
        let readings = Readings::new("ms", millis)?;
        self.median.push(readings.median());
        self.p99.push(readings.quantile(0.99));
        Ok(())
    }
}

/// Whether nothing is left to do about the newest deliveries, which are worked on last. `None` when nobody says.
fn worked_on(platform: &Platform) -> Option<bool> {
    let mut list = platform.cli(&["git", "deliveries", "--json"]);
    let listed = list.stdout(Stdio::piped()).output().ok()?;
    let deliveries: Vec<serde_json::Value> = serde_json::from_slice(&listed.stdout).ok()?;
    let done = |delivery: &serde_json::Value| delivery["done_at_ms"].is_number();
    Some(!deliveries.is_empty() && deliveries.iter().all(done))
}

/// The peer, running.
struct Sink {
    child: Child,
    port: u16,
}

impl Sink {
    fn start(bench: &Bench) -> anyhow::Result<Sink> {
        let directory = bench.scratch.path().join("sink");
        std::fs::create_dir_all(&directory)?;
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let child = Command::new(bench.programs.join("sink"))
            .arg(port.to_string())
            .arg(&directory)
            .stdin(Stdio::null())
            .spawn()?;
        let sink = Sink { child, port };
        let connected = || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok();
        wait(|| connected().map(|_| "connected".to_owned()), "connected")?;
        Ok(sink)
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        // One that has ended already is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
