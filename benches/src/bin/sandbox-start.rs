//! How long a complete sandbox takes: `sandbox-start DIR` makes one for every line on standard input and answers with
//! two numbers: microseconds from the call until its command has ended, and until nothing of it is left.

use std::io::{BufRead, Write};
use std::time::Instant;

use anyhow::{Context as _, ensure};
use sandbox::{Ended, Host, HostOptions, Mount, Spec};

fn main() -> anyhow::Result<()> {
    sandbox::run_if_zygote();
    let directory = std::env::args().nth(1).context("usage: sandbox-start DIR")?;
    sandbox::acquire_privilege()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let host = Host::start(HostOptions::new(directory)).await?;
        let mut answers = std::io::stdout().lock();
        for (round, line) in std::io::stdin().lock().lines().enumerate() {
            line?;
            let (ended, gone) = one(&host, &format!("start-{round}")).await?;
            writeln!(answers, "{ended} {gone}")?;
            answers.flush()?;
        }
        Ok(())
    })
}

/// `/usr/bin/true` with a read-only `/usr`, a private `/tmp` and all limits: what the peers are given, too.
async fn one(host: &Host, name: &str) -> anyhow::Result<(u128, u128)> {
    let mut spec = Spec::new(name, ["/usr/bin/true"]);
    spec.mounts.push(Mount::Tmpfs {
        target: "/tmp".to_owned(),
        bytes_max: 64 << 20,
    });
    let begin = Instant::now();
    let sandbox = host.spawn(spec).await?;
    let how = sandbox.wait().await.how;
    let ended = begin.elapsed();
    ensure!(matches!(how, Ended::Exited { code: 0 }), "the command {how}");
    host.remove(name).await?;
    Ok((ended.as_micros(), begin.elapsed().as_micros()))
}
