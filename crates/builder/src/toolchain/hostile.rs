//! The ways in for hostile input, without a network and without compression.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use flate2::read::GzEncoder;

use super::registry::npm::read_metadata;
use super::unpack;

/// Unpacks the bytes of a tar into `to`.
pub(crate) fn tar(bytes: &[u8], to: &Path) -> io::Result<()> {
    unpack::tar(GzEncoder::new(bytes, flate2::Compression::none()), to)
}

/// Unpacks the bytes of a zip into `to`, every file where its path says.
pub(crate) fn zip(bytes: &[u8], to: &Path) -> io::Result<()> {
    let mut file = tempfile::tempfile()?;
    file.write_all(bytes)?;
    unpack::zip(file, to, &|path| Some((PathBuf::from(path), false)))
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
