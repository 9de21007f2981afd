//! Feeds one of the targets in `fuzz/` with ever new bytes for some minutes. Works with the stable compiler: coverage is
//! needed, sanitizers (which are not stable) would find nothing in code without `unsafe`.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};

const MINUTES: u64 = 5;
/// A run that takes longer is a finding.
const RUN_SECONDS_MAX: u64 = 20;
const MEMORY_MB_MAX: u64 = 2_048;

/// `TARGET [--minutes N]`; without a target, all of them one after the other.
pub(crate) fn run(root: &Path, arguments: &[String]) -> anyhow::Result<()> {
    let (named, minutes) = match arguments {
        [] => (None, MINUTES),
        [target] => (Some(target), MINUTES),
        [flag, minutes] if flag == "--minutes" => (None, minutes.parse()?),
        [target, flag, minutes] if flag == "--minutes" => (Some(target), minutes.parse()?),
        _ => anyhow::bail!("usage: cargo xtask fuzz [TARGET] [--minutes N]"),
    };
    let known = targets(root)?;
    let wanted: Vec<&String> = known
        .iter()
        .filter(|target| named.is_none_or(|named| named == *target))
        .collect();
    ensure!(
        !wanted.is_empty(),
        "there is no such target; there are {}",
        known.join(", ")
    );
    wanted
        .into_iter()
        .try_for_each(|target| feed(root, target, minutes))
}

fn feed(root: &Path, target: &str, minutes: u64) -> anyhow::Result<()> {
    let fuzz = root.join("fuzz");
    // New inputs go to the first directory; the second is committed.
    let (corpus, seeds) = (fuzz.join("corpus").join(target), fuzz.join("seeds").join(target));
    std::fs::create_dir_all(&corpus)?;
    let status = Command::new("cargo")
        .args(["fuzz", "run", "--sanitizer", "none", "--fuzz-dir"])
        .arg(&fuzz)
        .arg(target)
        .args([&corpus, &seeds])
        .arg("--")
        .arg(format!("-max_total_time={}", minutes * 60))
        .arg(format!("-timeout={RUN_SECONDS_MAX}"))
        .arg(format!("-rss_limit_mb={MEMORY_MB_MAX}"))
        .status()
        .context("cargo-fuzz is needed: `cargo install cargo-fuzz`")?;
    ensure!(
        status.success(),
        "{target} found something; what led to it lies in fuzz/artifacts/{target}"
    );
    Ok(())
}

/// The names of the targets, from their files.
fn targets(root: &Path) -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(root.join("fuzz/fuzz_targets"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.file_stem().context("a file has a name")?;
            names.push(name.to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_target_has_seeds_and_is_built() {
        let root = crate::root();
        let manifest = std::fs::read_to_string(root.join("fuzz/Cargo.toml")).unwrap();
        for target in super::targets(&root).unwrap() {
            assert!(
                root.join("fuzz/seeds").join(&target).is_dir(),
                "{target} has no seeds"
            );
            assert!(
                manifest.contains(&format!("name = \"{target}\"")),
                "{target} is not built"
            );
        }
    }
}
