//! How long a Node preview is away when the platform is killed and started again: from the listener being back to the
//! first right answer, and from the kill to the first right answer.

use std::net::{Ipv4Addr, TcpStream};
use std::time::Instant;

use super::platform::{Platform, wait};
use super::{Bench, Figure, Readings, Target};

const ROUNDS: usize = 11;

pub(super) fn measure(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let mut platform = Platform::start(bench, "restart")?;
    platform.deploy(&bench.root.join("examples/node-http"), "away", "main")?;
    let (mut listening, mut away) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let killed = Instant::now();
        platform.kill_and_start()?;
        let connected = || TcpStream::connect((Ipv4Addr::LOCALHOST, platform.port)).ok();
        wait(|| connected().map(|_| "connected".to_owned()), "connected")?;
        let back = Instant::now();
        wait(|| platform.fetch("away.localhost", "/"), "HTTP/1.1 200")?;
        listening.push(back.elapsed().as_secs_f64() * 1e3);
        away.push(killed.elapsed().as_secs_f64() * 1e3);
    }
    let figure = |what: &str, values, target| -> anyhow::Result<Figure> {
        Ok(Figure {
            what: what.to_owned(),
            ours: Readings::new("ms", values)?,
            peer: None,
            target,
        })
    };
    Ok(vec![
        figure(
            "killed: listener back → first right answer",
            listening,
            Target::AtMost(200.0),
        )?,
        figure("killed → first right answer", away, Target::Told)?,
    ])
}
