//! The ways in for hostile input, without a network and without compression.

use std::fs::File;
use std::io::{self, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use flate2::read::GzEncoder;

use super::kind::Kind as _;
use super::kinds::go::Go;
use super::kinds::uv::Uv;
use super::registry::npm::read_metadata;
use super::unpack;

/// Unpacks the bytes of a tar into `to`.
pub(crate) fn tar(bytes: &[u8], to: &Path) -> io::Result<()> {
    unpack::tar(GzEncoder::new(bytes, flate2::Compression::none()), to)
}

/// Who unpacks a zip.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Zip {
    /// Nobody in particular: every file goes where its path says.
    Plain,
    /// As a toolchain of Go.
    Go,
    /// As a wheel.
    Wheel,
}

/// Unpacks the bytes of a zip into `to`.
pub(crate) fn zip(bytes: &[u8], to: &Path, by: Zip) -> io::Result<()> {
    let file = file_of(bytes)?;
    match by {
        Zip::Plain => unpack::zip(file, to, &|path| Some((PathBuf::from(path), false))),
        Zip::Go => Go.unpack(file, to),
        Zip::Wheel => Uv.unpack(file, to),
    }
}

/// The hash of the bytes of a zip.
pub(crate) fn go_hash(bytes: &[u8]) -> io::Result<String> {
    unpack::go_hash(file_of(bytes)?)
}

fn file_of(bytes: &[u8]) -> io::Result<File> {
    let mut file = tempfile::tempfile()?;
    file.write_all(bytes)?;
    file.rewind()?;
    Ok(file)
}

/// Reads what a registry says of a package.
pub(crate) fn metadata(bytes: &[u8]) {
    if let Ok(packages) = read_metadata(bytes, "https://registry.example.com/") {
        let verified = packages
            .values()
            .all(|package| package.integrity.as_str().starts_with("sha512-"));
        assert!(verified, "a package without a hash");
    }
}
