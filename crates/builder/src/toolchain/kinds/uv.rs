//! uv: one program, from the Python package index or beside a Python that it was installed into.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::toolchain::copy::Copy;
use crate::toolchain::elf;
use crate::toolchain::kind::{Kind, Offer};
use crate::toolchain::unpack;
use crate::toolchain::version::Version;

const PROGRAMS: [&str; 2] = ["uv", "uvx"];

pub(in crate::toolchain) struct Uv;

impl Kind for Uv {
    fn name(&self) -> &'static str {
        "uv"
    }

    fn in_home(&self) -> &'static [&'static str] {
        &[".local/share/uv/tools/uv"]
    }

    /// Where pip installed it, a directory beside says which it is; another one does not say.
    fn version(&self, prefix: &Path) -> Option<Version> {
        let libraries = fs::read_dir(prefix.join("lib")).ok()?.flatten();
        let packages = libraries.map(|library| library.path().join("site-packages"));
        let names = packages.flat_map(|packages| fs::read_dir(packages).into_iter().flatten().flatten());
        let version = names
            .filter_map(|entry| entry.file_name().into_string().ok())
            .find_map(|name| name.strip_prefix("uv-")?.strip_suffix(".dist-info")?.parse().ok())?;
        elf::runs_here(&prefix.join("bin/uv")).then_some(version)
    }

    fn copy(&self, copy: &mut Copy, prefix: &Path, to: &Path) -> io::Result<()> {
        fs::create_dir(to.join("bin"))?;
        for name in PROGRAMS.map(|name| format!("bin/{name}")) {
            copy.file(&prefix.join(&name), &to.join(&name))?;
        }
        Ok(())
    }

    fn offer(&self) -> Option<Offer> {
        match std::env::consts::ARCH {
            "x86_64" => Some(Offer::Pypi("uv", "manylinux2014_x86_64.whl")),
            "aarch64" => Some(Offer::Pypi("uv", "manylinux2014_aarch64.whl")),
            _ => None,
        }
    }

    fn unpack(&self, archive: File, to: &Path) -> io::Result<()> {
        let inside = |path: &Path| {
            let name = path.to_str()?.split_once(".data/scripts/")?.1;
            PROGRAMS
                .contains(&name)
                .then(|| (PathBuf::from("bin").join(name), true))
        };
        unpack::zip(archive, to, &inside)
    }
}
