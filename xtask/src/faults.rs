//! Every single fault of every story of `control`: minutes, where the suite takes a sample.

use std::path::Path;
use std::process::Command;

use anyhow::ensure;

/// Prints what ran; fails when a story did not end as it must.
pub(crate) fn run(root: &Path, part: Option<&str>) -> anyhow::Result<()> {
    let mut command = Command::new("cargo");
    command
        .args(["test", "-p", "control", "--test", "all_faults", "--"])
        .args(part)
        .current_dir(root);
    ensure!(command.status()?.success(), "a story did not end as it must");
    Ok(())
}
