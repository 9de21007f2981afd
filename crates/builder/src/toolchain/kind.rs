//! What one kind of toolchain is: where it lies on machines, what of it is needed, and who offers it.
//!
//! Guards against running what was found: versions are read from files. Whoever adds a toolchain writes one of these and
//! names it in [`KINDS`]. It does *not* choose between versions.

use std::fs::File;
use std::io;
use std::path::Path;

use super::copy::Copy;
use super::kinds::{go, node, npm, python, rust, uv};
use super::unpack;
use super::version::Version;

/// One kind of toolchain.
pub(super) trait Kind: Sync {
    /// As plans and the directory in a sandbox name it.
    fn name(&self) -> &'static str;

    /// Where version managers keep installations, below a home directory. `*` is one directory of any name.
    fn in_home(&self) -> &'static [&'static str];

    /// Where installations lie for everybody.
    fn for_all(&self) -> &'static [&'static str] {
        &[]
    }

    /// The version of the installation at `prefix`; `None` where there is none that runs here and says its version.
    fn version(&self, prefix: &Path) -> Option<Version>;

    /// Copies what is needed of the installation at `prefix` to `to`.
    fn copy(&self, copy: &mut Copy, prefix: &Path, to: &Path) -> io::Result<()>;

    /// Who has what machines lack.
    fn offer(&self) -> Option<Offer>;

    /// Unpacks what was fetched. Its hash has been checked.
    fn unpack(&self, archive: File, to: &Path) -> io::Result<()> {
        unpack::tar(archive, to)
    }

    /// A release line that is better than others where the project does not care.
    fn is_long_term(&self, version: Version) -> bool {
        let _ = version;
        false
    }

    /// Preferred of what can be had: for those, most native packages have been built.
    fn preferred(&self) -> Option<&'static str> {
        None
    }
}

/// Where a toolchain is fetched from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Offer {
    /// A package of the npm registry.
    Npm(&'static str),
    /// A project of the Python package index, of which the wheel that ends so is taken.
    Pypi(&'static str, &'static str),
    /// Go's own distribution, as the module proxy has it for a machine such as `linux-amd64`.
    Go(&'static str),
}

/// All kinds there are.
static KINDS: [&dyn Kind; 6] = [
    &node::Node,
    &npm::Npm,
    &python::Python,
    &uv::Uv,
    &go::Go,
    &rust::Rust,
];

pub(super) fn all() -> impl Iterator<Item = &'static dyn Kind> {
    KINDS.into_iter()
}

pub(super) fn named(name: &str) -> Option<&'static dyn Kind> {
    all().find(|kind| kind.name() == name)
}
