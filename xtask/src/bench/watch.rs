//! How long after a save the new page is served, with `cx up` following a static site: from the moment the file is closed
//! to the first answer that holds the new text.

use std::process::Child;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::platform::{Platform, wait};
use super::{Bench, Figure, Readings, Target};

const ROUNDS: usize = 31;
const FILES: usize = 1_000;
/// People pause between saves, and what was before has been tidied up by then.
const PAUSE: Duration = Duration::from_millis(300);

pub(super) fn measure(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let platform = Platform::start(bench, "watch")?;
    let mut figures = Vec::new();
    for (name, files, target) in [("small", 1, Target::AtMost(60.0)), ("large", FILES, Target::Told)] {
        let site = bench.scratch.path().join(format!("site-{name}"));
        std::fs::create_dir_all(&site)?;
        for number in 1..files {
            std::fs::write(site.join(format!("{number}.html")), format!("<p>{number}</p>"))?;
        }
        std::fs::write(site.join("index.html"), "first")?;
        let directory = site.to_string_lossy();
        let up = platform.cli(&["up", &directory, "--project", name]).spawn();
        let _up = Up(up.context("`cx up` did not start")?);
        let host = format!("{name}.localhost");
        wait(|| platform.fetch(&host, "/"), "first")?;
        let mut served = Vec::with_capacity(ROUNDS);
        for round in 0..ROUNDS {
            std::thread::sleep(PAUSE);
            let text = format!("save number {round}.");
            std::fs::write(site.join("index.html"), &text)?;
            let saved = Instant::now();
            wait(|| platform.fetch(&host, "/"), &text)?;
            served.push(saved.elapsed().as_secs_f64() * 1e3);
        }
        figures.push(Figure {
            what: format!("save → served, static site of {files} files"),
            ours: Readings::new("ms", served)?,
            peer: None,
            target,
        });
    }
    Ok(figures)
}

/// `cx up`; ends before the platform that it works with.
struct Up(Child);

impl Drop for Up {
    fn drop(&mut self) {
        // One that has ended already is as good.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
