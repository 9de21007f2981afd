//! Rust: cargo, rustc and the standard library for the targets that are installed, from the machine.
//!
//! The version is read from the name of the compiler's own library, which only releases of the project carry.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::toolchain::copy::Copy;
use crate::toolchain::elf;
use crate::toolchain::kind::{Kind, Offer};
use crate::toolchain::version::Version;

const PROGRAMS: [&str; 4] = ["cargo", "rustc", "rustdoc", "rustfmt"];

pub(in crate::toolchain) struct Rust;

impl Kind for Rust {
    fn name(&self) -> &'static str {
        "rust"
    }

    fn in_home(&self) -> &'static [&'static str] {
        &[".rustup/toolchains/*", ".asdf/installs/rust/*/toolchains/*"]
    }

    fn for_all(&self) -> &'static [&'static str] {
        &["/usr/local/rustup/toolchains/*", "/opt/rustup/toolchains/*"]
    }

    fn version(&self, prefix: &Path) -> Option<Version> {
        let has = |name: &str| elf::runs_here(&prefix.join("bin").join(name));
        let names = fs::read_dir(prefix.join("lib")).ok()?.flatten();
        let version = names
            .filter_map(|entry| entry.file_name().into_string().ok())
            .find_map(|name| release(&name))?;
        (has("cargo") && has("rustc")).then_some(version)
    }

    fn copy(&self, copy: &mut Copy, prefix: &Path, to: &Path) -> io::Result<()> {
        fs::create_dir_all(to.join("bin"))?;
        fs::create_dir_all(to.join("lib/rustlib"))?;
        for name in PROGRAMS
            .iter()
            .filter(|name| prefix.join("bin").join(name).is_file())
        {
            copy.file(&prefix.join("bin").join(name), &to.join("bin").join(name))?;
        }
        let libraries = sorted(&prefix.join("lib"))?;
        for path in libraries.iter().filter(|path| path.is_file()) {
            copy.file(path, &to.join("lib").join(path.file_name().unwrap_or_default()))?;
        }
        let targets = sorted(&prefix.join("lib/rustlib"))?;
        for path in targets.iter().filter(|path| path.join("lib").is_dir()) {
            let name = path.file_name().unwrap_or_default();
            copy.directory(path, &to.join("lib/rustlib").join(name))?;
        }
        Ok(())
    }

    fn offer(&self) -> Option<Offer> {
        None
    }
}

fn sorted(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let entries: io::Result<Vec<_>> = fs::read_dir(dir)?.map(|entry| Ok(entry?.path())).collect();
    let mut paths = entries?;
    paths.sort();
    Ok(paths)
}

/// `1.95.0` of `libLLVM.so.22.1-rust-1.95.0-stable`.
fn release(library: &str) -> Option<Version> {
    let (_, rest) = library.split_once("-rust-")?;
    let (version, channel) = rest.split_once('-')?;
    (channel == "stable" || channel.starts_with("stable.")).then(|| version.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_releases_say_their_version() {
        assert_eq!(
            release("libLLVM.so.22.1-rust-1.95.0-stable"),
            Some(Version::new(1, 95, 0))
        );
        assert_eq!(
            release("libLLVM-22-rust-1.95.0-stable.so"),
            Some(Version::new(1, 95, 0))
        );
        assert_eq!(release("libLLVM.so.22.1-rust-1.97.0-nightly"), None);
        assert_eq!(release("libstd.so"), None);
    }
}
