//! `cargo xtask bench [GROUP…]`: every figure that we promise, next to its peer, all in one run.
//!
//! Builds the programs of `benches/`, and `cx` where it is measured, for release first, and installs the peers. Machines are noisy: every
//! figure is the median of several readings, ours and the peer's in turns.

mod deploy;
mod edge;
mod figure;
mod interrupt;
mod memory;
mod neighbours;
mod platform;
mod restart;
mod sandbox;
mod switch;
mod watch;
mod webhooks;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail, ensure};

use figure::{Figure, HEAD, Readings, Target};

type Measure = fn(&Bench) -> anyhow::Result<Vec<Figure>>;

/// What measures, by the name that asks for it alone.
const GROUPS: [(&str, Measure); 9] = [
    ("sandbox", sandbox::measure),
    ("deploy", deploy::measure),
    ("switch", switch::measure),
    ("watch", watch::measure),
    ("restart", restart::measure),
    ("memory", memory::measure),
    ("webhooks", webhooks::measure),
    ("edge", edge::measure),
    ("neighbours", neighbours::measure),
];

/// They measure one crate by itself, and need no `cx`.
const ALONE: [&str; 2] = ["sandbox", "edge"];

/// Where everything is.
struct Bench {
    /// The workspace.
    root: PathBuf,
    /// The programs, built for release.
    programs: PathBuf,
    /// A directory of the run's own; gone at the end.
    scratch: tempfile::TempDir,
}

impl Bench {
    fn cx(&self) -> PathBuf {
        self.programs.join("cx")
    }
}

pub(crate) fn run(root: &Path, wanted: &[String]) -> anyhow::Result<()> {
    for name in wanted {
        ensure!(
            GROUPS.iter().any(|(group, _)| group == name),
            "`{name}` is not measured; there are: {}",
            GROUPS.map(|(group, _)| group).join(", ")
        );
    }
    command(Command::new(root.join("scripts/prepare")).arg("bench"))?;
    let mut build = Command::new("cargo");
    build.args(["build", "--release", "--locked", "--package", "benches"]);
    if wanted.is_empty() || wanted.iter().any(|name| !ALONE.contains(&name.as_str())) {
        build.args(["--package", "cx"]);
    }
    // What cargo tells this program of itself would make build scripts run, and half the world build, again.
    for (name, _) in std::env::vars_os() {
        let of_this_package =
            |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
        if name.to_str().is_some_and(of_this_package) {
            build.env_remove(name);
        }
    }
    command(build.current_dir(root))?;
    let bench = Bench {
        root: root.to_owned(),
        programs: root.join("target/release"),
        scratch: tempfile::Builder::new().prefix("cygni-bench-").tempdir()?,
    };
    interrupt::watch()?;
    println!("{HEAD}");
    for (name, measure) in GROUPS {
        if wanted.is_empty() || wanted.iter().any(|wanted| wanted == name) {
            interrupt::check()?;
            eprintln!("measuring {name}");
            let figures = measure(&bench).with_context(|| format!("{name} could not be measured"))?;
            figures.iter().for_each(|figure| println!("{}", figure.row()));
        }
    }
    Ok(())
}

fn command(command: &mut Command) -> anyhow::Result<()> {
    let status = command
        .status()
        .with_context(|| format!("cannot start {:?}", command.get_program()))?;
    if !status.success() {
        bail!("{:?} ended with {status}", command.get_program());
    }
    Ok(())
}
