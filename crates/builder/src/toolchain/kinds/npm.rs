//! npm: its own directory, and the links that every distribution has.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use crate::toolchain::copy::Copy;
use crate::toolchain::kind::{Kind, Offer};
use crate::toolchain::unpack;
use crate::toolchain::version::Version;

const DIRECTORY: &str = "lib/node_modules/npm";

pub(in crate::toolchain) struct Npm;

impl Kind for Npm {
    fn name(&self) -> &'static str {
        "npm"
    }

    /// It lies where Node does.
    fn in_home(&self) -> &'static [&'static str] {
        &[]
    }

    fn version(&self, prefix: &Path) -> Option<Version> {
        let text = fs::read(prefix.join(DIRECTORY).join("package.json")).ok()?;
        let manifest: serde_json::Value = serde_json::from_slice(&text).ok()?;
        manifest["version"].as_str()?.parse().ok()
    }

    fn copy(&self, copy: &mut Copy, prefix: &Path, to: &Path) -> io::Result<()> {
        fs::create_dir_all(to.join("lib/node_modules"))?;
        copy.directory(&prefix.join(DIRECTORY), &to.join(DIRECTORY))?;
        link(to)
    }

    fn offer(&self) -> Option<Offer> {
        Some(Offer::Npm("npm"))
    }

    fn unpack(&self, archive: File, to: &Path) -> io::Result<()> {
        let inside = to.join(DIRECTORY);
        fs::create_dir_all(&inside)?;
        unpack::tar(archive, &inside)?;
        link(to)
    }
}

/// `bin/npm` and `bin/npx`, as every distribution has them.
fn link(to: &Path) -> io::Result<()> {
    fs::create_dir_all(to.join("bin"))?;
    for name in ["npm", "npx"] {
        let program = format!("{DIRECTORY}/bin/{name}-cli.js");
        fs::set_permissions(to.join(&program), fs::Permissions::from_mode(0o755))?;
        symlink(format!("../{program}"), to.join("bin").join(name))?;
    }
    Ok(())
}
