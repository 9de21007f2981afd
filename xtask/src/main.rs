//! Development tasks: `cargo xtask generate`, `cargo xtask tidy`, `cargo xtask bench`, `cargo xtask fuzz`.

mod bench;
mod endure;
mod fuzz;
mod generate;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask generate | tidy | bench [GROUP…] | faults [PART] |
                   crash [--rounds N] [--seed N] | fuzz [TARGET] [--minutes N]
  generate   write docs/reference from the code
  tidy       check what the code must not hold
  bench      measure everything that has a figure, next to its peer; or only the groups that are named
  faults     tell every story of control with every single fault in it, or those whose name holds PART
  crash      kill the platform N times at moments that follow from the seed, and its zygote and inits a third, its
             collections and backups a tenth as often
  fuzz       feed what reads bytes from outside with ever new ones";

fn main() -> ExitCode {
    let task = std::env::args().nth(1).unwrap_or_default();
    let done = match task.as_str() {
        "generate" => generate::write(&root()),
        "tidy" => tidy::check(&root()),
        "faults" => endure::run(&root(), ("control", "all_faults")),
        "crash" => endure::run(&root(), ("cx", "crash_loop")),
        "bench" => bench::run(&root(), &std::env::args().skip(2).collect::<Vec<_>>()),
        "fuzz" => fuzz::run(&root(), &std::env::args().skip(2).collect::<Vec<_>>()),
        _ => Err(anyhow::anyhow!("`{task}` is not a task\n{USAGE}")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The workspace.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
