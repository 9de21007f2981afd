//! Development tasks: `cargo xtask generate`, `cargo xtask tidy`, `cargo xtask restart`.

mod generate;
mod restart;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask generate | tidy | restart
  generate   write docs/reference from the code
  tidy       check what the code must not hold
  restart    measure how long a preview is away when the platform is killed and started again";

fn main() -> ExitCode {
    let task = std::env::args().nth(1).unwrap_or_default();
    let done = match task.as_str() {
        "generate" => generate::write(&root()),
        "tidy" => tidy::check(&root()),
        "restart" => restart::measure(&root()),
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
