//! The long forms of two tests of the suite: every single fault of every story, and hundreds of kills.

use std::path::Path;
use std::process::Command;

use anyhow::ensure;

/// Runs the test `name` of `package` with the rest of our arguments; it prints what it did.
pub(crate) fn run(root: &Path, (package, name): (&str, &str)) -> anyhow::Result<()> {
    let mut command = Command::new("cargo");
    command
        .args(["test", "--package", package, "--test", name, "--"])
        .args(std::env::args().skip(2))
        .current_dir(root);
    ensure!(
        command.status()?.success(),
        "a promise did not hold; what was printed says which"
    );
    Ok(())
}
