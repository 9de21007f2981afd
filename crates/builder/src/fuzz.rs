//! What is fed with bytes from outside, for `fuzz/` and for the property tests below: in no program that is shipped.

use std::fs;
use std::io;
use std::path::Path;

use crate::toolchain::hostile::{self, Zip};

/// Bytes of an archive that one run unpacks; a bigger one only takes longer.
const ARCHIVE_BYTES_MAX: usize = 64 << 10;

/// A package of a registry, a tar: unpacking stays inside its directory and makes nothing but files and directories.
pub fn archive(bytes: &[u8]) {
    stays_inside(bytes, |to| hostile::tar(bytes, to));
}

/// A zip, by everyone who unpacks one.
pub fn zip(bytes: &[u8]) {
    for by in [Zip::Plain, Zip::Go, Zip::Wheel] {
        stays_inside(bytes, |to| hostile::zip(bytes, to, by));
    }
    if let Ok(hash) = hostile::go_hash(bytes) {
        assert!(hash.starts_with("h1:"), "{hash}");
        assert_eq!(
            hostile::go_hash(bytes).ok(),
            Some(hash),
            "another hash of the same bytes"
        );
    }
}

/// Half-unpacked packages are thrown away by whoever asked; what was written must be inside all the same.
fn stays_inside(bytes: &[u8], unpack: impl FnOnce(&Path) -> io::Result<()>) {
    let Ok(outside) = tempfile::tempdir() else { return };
    let inside = outside.path().join("package");
    if bytes.len() > ARCHIVE_BYTES_MAX || fs::create_dir(&inside).is_err() {
        return;
    }
    let _ = unpack(&inside);
    let beside = fs::read_dir(outside.path()).map_or(0, Iterator::count);
    assert_eq!(beside, 1, "something was written beside the directory");
    assert_plain(&inside);
}

fn assert_plain(dir: &Path) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let kind = entry.file_type().expect("an entry that was just made");
        assert!(
            kind.is_dir() || kind.is_file(),
            "{} is neither file nor directory",
            entry.path().display()
        );
        if kind.is_dir() {
            assert_plain(&entry.path());
        }
    }
}

/// The metadata of a package, and texts that name versions.
pub fn registry(bytes: &[u8]) {
    hostile::metadata(bytes);
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(range) = text.parse::<crate::toolchain::Range>()
    {
        let again: crate::toolchain::Range = range.to_string().parse().expect("a range is read back");
        for version in [(0, 0, 0), (18, 0, 0), (20, 11, 1), (u64::MAX, 0, 0)] {
            let version = crate::toolchain::Version::new(version.0, version.1, version.2);
            assert_eq!(range.contains(version), again.contains(version), "{text}");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use proptest::prelude::*;

    #[test]
    fn a_range_is_read_back_as_it_was_meant() {
        for text in [">=18 <23 || ~16.2|| 114.x - ", " - ", "1 - 2", " 18 || 20 "] {
            super::registry(text.as_bytes());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn archives_stay_inside(name in "[./a-z]{0,20}", link in "[./a-z]{0,20}", kind in 0u8..8, tail in any::<Vec<u8>>()) {
            let mut header = tar::Header::new_gnu();
            header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
            header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
            header.set_entry_type(tar::EntryType::new(b'0' + kind));
            header.set_size(tail.len() as u64);
            header.set_mode(0o6755);
            header.set_cksum();
            let mut archive = header.as_bytes().to_vec();
            archive.extend_from_slice(&tail);
            archive.resize(archive.len().next_multiple_of(512) + 1024, 0);
            super::archive(&archive);
        }

        #[test]
        fn zips_stay_inside(name in "[./a-z]{0,20}", text in any::<Vec<u8>>(), mode in any::<u32>(), wrong in any::<(u16, u8)>()) {
            let mut zip = ::zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
            let options = ::zip::write::SimpleFileOptions::default().unix_permissions(mode);
            zip.start_file(name, options).unwrap();
            zip.write_all(&text).unwrap();
            let mut bytes = zip.finish().unwrap().into_inner();
            super::zip(&bytes);
            let index = usize::from(wrong.0) % bytes.len();
            bytes[index] ^= wrong.1;
            super::zip(&bytes);
        }

        #[test]
        fn any_metadata_and_range(text in "[0-9x.*<>=^~| v-]{0,30}", bytes in any::<Vec<u8>>()) {
            super::registry(text.as_bytes());
            super::registry(&bytes);
        }
    }
}
