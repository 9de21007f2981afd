//! Unpacking a package of the registry.
//!
//! Guards against hostile archives: paths and links that lead out, devices, more than a limit. Only regular files and
//! directories below the top directory of the archive are taken; everything else is refused or, for links, left out.

use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use data_encoding::{BASE64, HEXLOWER};
use flate2::read::GzDecoder;
use sha2::{Digest as _, Sha256};
use zip::ZipArchive;

/// Bytes of an unpacked package at the most.
const BYTES_MAX: u64 = 1 << 30;
/// Files of a package at the most.
const ENTRIES_MAX: usize = 50_000;

/// Unpacks the gzipped tar `archive` into the directory `to`, without the archive's top directory.
pub(super) fn tar(archive: impl Read, to: &Path) -> io::Result<()> {
    let mut tar = ::tar::Archive::new(GzDecoder::new(archive).take(BYTES_MAX));
    for (count, entry) in tar.entries()?.enumerate() {
        check_count(count)?;
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

/// Unpacks the zip `archive` into the directory `to`. `place` says for each file where it goes and whether it is a
/// program; `None` leaves it out.
pub(super) fn zip(
    archive: fs::File,
    to: &Path,
    place: &dyn Fn(&Path) -> Option<(PathBuf, bool)>,
) -> io::Result<()> {
    let mut zip = ZipArchive::new(archive).map_err(io::Error::other)?;
    let mut room_bytes = BYTES_MAX;
    check_count(zip.len())?;
    for index in 0..zip.len() {
        let mut entry = zip.by_index(index).map_err(io::Error::other)?;
        let path = PathBuf::from(entry.name().map_err(io::Error::other)?.as_ref());
        if !entry.is_file() {
            continue;
        }
        if !path.components().all(|part| matches!(part, Component::Normal(_))) {
            return Err(leads_out(&path));
        }
        let Some((path, is_program)) = place(&path) else {
            continue;
        };
        let path = to.join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let mut file = fs::File::create_new(&path)?;
        let written = io::copy(&mut (&mut entry).take(room_bytes), &mut file)?;
        room_bytes -= written;
        if room_bytes == 0 {
            return Err(io::Error::other(format!(
                "the package holds more than {BYTES_MAX} bytes"
            )));
        }
        file.set_permissions(fs::Permissions::from_mode(if is_program { 0o755 } else { 0o644 }))?;
    }
    Ok(())
}

/// The hash of a zip as Go's checksum database has it: of the names and hashes of its files, sorted by name.
///
/// Source: `golang.org/x/mod/sumdb/dirhash`, `Hash1`.
pub(super) fn go_hash(archive: fs::File) -> io::Result<String> {
    let mut zip = ZipArchive::new(archive).map_err(io::Error::other)?;
    check_count(zip.len())?;
    let mut names = Vec::new();
    for index in 0..zip.len() {
        let entry = zip.by_index(index).map_err(io::Error::other)?;
        names.push((entry.name().map_err(io::Error::other)?.into_owned(), index));
    }
    names.sort();
    let (mut all, mut room_bytes) = (Sha256::new(), BYTES_MAX);
    for (name, index) in names {
        let entry = zip.by_index(index).map_err(io::Error::other)?;
        let mut hash = Hashing(Sha256::new());
        room_bytes = room_bytes.saturating_sub(io::copy(&mut entry.take(room_bytes), &mut hash)?);
        all.update(format!("{}  {name}\n", HEXLOWER.encode(&hash.0.finalize())));
    }
    Ok(format!("h1:{}", BASE64.encode(&all.finalize())))
}

struct Hashing(Sha256);

impl io::Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn check_count(entries: usize) -> io::Result<()> {
    match entries > ENTRIES_MAX {
        true => Err(io::Error::other(format!(
            "the package holds more than {ENTRIES_MAX} files"
        ))),
        false => Ok(()),
    }
}

fn leads_out(path: &Path) -> io::Error {
    io::Error::other(format!(
        "the package holds the path `{}`, which leads out",
        path.display()
    ))
}

/// The path below the top directory; `None` for the top itself.
fn inside(path: &Path) -> io::Result<Option<PathBuf>> {
    if path
        .components()
        .any(|part| !matches!(part, Component::Normal(_) | Component::CurDir))
    {
        return Err(leads_out(path));
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

    fn archive(path: &str, kind: ::tar::EntryType) -> Vec<u8> {
        let mut header = ::tar::Header::new_gnu();
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_entry_type(kind);
        header.set_size(2);
        header.set_mode(0o755);
        header.set_cksum();
        let mut tar = ::tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        tar.append(&header, &b"hi"[..]).unwrap();
        let mut gzip = tar.into_inner().unwrap();
        gzip.flush().unwrap();
        gzip.finish().unwrap()
    }

    #[test]
    fn files_lose_the_top_directory_and_keep_their_bit() {
        let dir = tempfile::tempdir().unwrap();
        tar(
            &archive("package/bin/node", ::tar::EntryType::Regular)[..],
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
            let error = tar(&archive(path, ::tar::EntryType::Regular)[..], dir.path()).unwrap_err();
            assert!(error.to_string().contains("leads out"), "{path}: {error}");
        }
    }

    #[test]
    fn links_and_devices_are_left_out() {
        let dir = tempfile::tempdir().unwrap();
        for kind in [
            ::tar::EntryType::Symlink,
            ::tar::EntryType::Link,
            ::tar::EntryType::Char,
        ] {
            tar(&archive("package/x", kind)[..], dir.path()).unwrap();
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    /// A zip of `files`.
    fn zipped(dir: &Path, files: &[(&str, &str)]) -> fs::File {
        let path = dir.join("package.zip");
        let mut zip = ::zip::ZipWriter::new(fs::File::create(&path).unwrap());
        for (name, text) in files {
            zip.start_file(*name, ::zip::write::SimpleFileOptions::default())
                .unwrap();
            zip.write_all(text.as_bytes()).unwrap();
        }
        zip.finish().unwrap();
        fs::File::open(path).unwrap()
    }

    #[test]
    fn files_of_a_zip_go_where_they_are_told() {
        let dir = tempfile::tempdir().unwrap();
        let archive = zipped(dir.path(), &[("a/tool", "x"), ("a/other", "y")]);
        let place = |path: &Path| (path == Path::new("a/tool")).then(|| (PathBuf::from("bin/tool"), true));
        zip(archive, &dir.path().join("to"), &place).unwrap();
        let mode = fs::metadata(dir.path().join("to/bin/tool"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o755);
        assert!(!dir.path().join("to/a").exists());
        let archive = zipped(dir.path(), &[("a/../../x", "x")]);
        let error = zip(archive, dir.path(), &|path| Some((path.to_owned(), false))).unwrap_err();
        assert!(error.to_string().contains("leads out"), "{error}");
    }

    #[test]
    fn the_hash_of_a_module_is_that_of_go() {
        let dir = tempfile::tempdir().unwrap();
        let archive = zipped(dir.path(), &[("m@v1.0.0/b", "b\n"), ("m@v1.0.0/a", "a\n")]);
        // As `golang.org/x/mod/sumdb/dirhash` computes it for these two files.
        assert_eq!(
            go_hash(archive).unwrap(),
            "h1:GOHD7quFqR4tbEGQ1eRQLlJfzF1vYPrcqsS7SfUv8gM="
        );
    }
}
