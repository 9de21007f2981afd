//! Unpacking a package of the registry.
//!
//! Guards against hostile archives: paths and links that lead out, devices, more than a limit. Only regular files and
//! directories below the top directory of the archive are taken; everything else is refused or, for links, left out.

use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use flate2::read::GzDecoder;

/// Bytes of an unpacked package at the most.
const BYTES_MAX: u64 = 1 << 30;
/// Files of a package at the most.
const ENTRIES_MAX: usize = 50_000;

/// Unpacks the gzipped tar `archive` into the directory `to`, without the archive's top directory.
pub(super) fn unpack(archive: impl Read, to: &Path) -> io::Result<()> {
    let mut tar = tar::Archive::new(GzDecoder::new(archive).take(BYTES_MAX));
    for (count, entry) in tar.entries()?.enumerate() {
        if count >= ENTRIES_MAX {
            return Err(io::Error::other(format!(
                "the package holds more than {ENTRIES_MAX} files"
            )));
        }
        let mut entry = entry?;
        let Some(path) = inside(&entry.path()?)? else {
            continue;
        };
        let path = to.join(path);
        let kind = entry.header().entry_type();
        if kind.is_dir() {
            fs::create_dir_all(&path)?;
        } else if kind.is_file() {
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            // No links are ever made, so no path leads out through one.
            let mut file = fs::File::create_new(&path)?;
            io::copy(&mut entry, &mut file)?;
            let executable = entry.header().mode()? & 0o111 != 0;
            file.set_permissions(fs::Permissions::from_mode(if executable { 0o755 } else { 0o644 }))?;
        }
    }
    Ok(())
}

/// The path below the top directory; `None` for the top itself.
fn inside(path: &Path) -> io::Result<Option<PathBuf>> {
    if path
        .components()
        .any(|part| !matches!(part, Component::Normal(_) | Component::CurDir))
    {
        return Err(io::Error::other(format!(
            "the package holds the path `{}`, which leads out",
            path.display()
        )));
    }
    let names = path
        .components()
        .filter(|part| matches!(part, Component::Normal(_)));
    let rest: PathBuf = names.skip(1).collect();
    Ok((!rest.as_os_str().is_empty()).then_some(rest))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn archive(path: &str, kind: tar::EntryType) -> Vec<u8> {
        let mut header = tar::Header::new_gnu();
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_entry_type(kind);
        header.set_size(2);
        header.set_mode(0o755);
        header.set_cksum();
        let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        tar.append(&header, &b"hi"[..]).unwrap();
        let mut gzip = tar.into_inner().unwrap();
        gzip.flush().unwrap();
        gzip.finish().unwrap()
    }

    #[test]
    fn files_lose_the_top_directory_and_keep_their_bit() {
        let dir = tempfile::tempdir().unwrap();
        unpack(
            &archive("package/bin/node", tar::EntryType::Regular)[..],
            dir.path(),
        )
        .unwrap();
        let mode = fs::metadata(dir.path().join("bin/node"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o755);
    }

    #[test]
    fn paths_that_lead_out_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        for path in ["package/../../x", "/etc/x", "../x"] {
            let error = unpack(&archive(path, tar::EntryType::Regular)[..], dir.path()).unwrap_err();
            assert!(error.to_string().contains("leads out"), "{path}: {error}");
        }
    }

    #[test]
    fn links_and_devices_are_left_out() {
        let dir = tempfile::tempdir().unwrap();
        for kind in [
            tar::EntryType::Symlink,
            tar::EntryType::Link,
            tar::EntryType::Char,
        ] {
            unpack(&archive("package/x", kind)[..], dir.path()).unwrap();
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
