//! Whether a program can run in a sandbox, read from its file.
//!
//! Guards against copying a program that needs more than the base system has: those of Homebrew and Nix name a loader of
//! their own, which no sandbox sees. Source: the ELF-64 object file format, little-endian. It does *not* check every
//! library: what the system's loader finds on the host, it finds in a sandbox.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// `e_machine` of the architectures that there are toolchains for.
const MACHINE: u16 = if cfg!(target_arch = "aarch64") { 183 } else { 62 };
const PT_INTERP: u32 = 3;
/// Program headers of a file at the most, and bytes of the loader's path.
const HEADERS_MAX: u16 = 64;
const LOADER_BYTES_MAX: u64 = 256;

/// Whether `path` is a program of this architecture that the system's own loader starts.
pub(super) fn runs_here(path: &Path) -> bool {
    read(path).unwrap_or(false)
}

/// `None` when it is no such file at all.
fn read(path: &Path) -> Option<bool> {
    let mut file = File::open(path).ok()?;
    let mut header = [0; 64];
    file.read_exact(&mut header).ok()?;
    // Magic number, 64 bits, little-endian.
    if header[..6] != *b"\x7fELF\x02\x01" || number(&header, 18, 2)? != u64::from(MACHINE) {
        return Some(false);
    }
    let (start, size, count) = (
        number(&header, 32, 8)?,
        number(&header, 54, 2)?,
        number(&header, 56, 2)?,
    );
    if size < 56 || count > u64::from(HEADERS_MAX) {
        return Some(false);
    }
    for index in 0..count {
        let mut entry = [0; 56];
        file.seek(SeekFrom::Start(start.checked_add(index * size)?))
            .ok()?;
        file.read_exact(&mut entry).ok()?;
        if number(&entry, 0, 4)? != u64::from(PT_INTERP) {
            continue;
        }
        file.seek(SeekFrom::Start(number(&entry, 8, 8)?)).ok()?;
        let mut loader = Vec::new();
        (&mut file)
            .take(number(&entry, 32, 8)?.min(LOADER_BYTES_MAX))
            .read_to_end(&mut loader)
            .ok()?;
        return Some(
            ["/lib", "/usr/lib"]
                .iter()
                .any(|place| loader.starts_with(place.as_bytes())),
        );
    }
    // It is linked statically and needs no loader.
    Some(true)
}

fn number(bytes: &[u8], at: usize, size: usize) -> Option<u64> {
    let bytes = bytes.get(at..at + size)?;
    Some(
        bytes
            .iter()
            .rev()
            .fold(0, |value, byte| value << 8 | u64::from(*byte)),
    )
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn programs_of_the_system_run_and_others_do_not() {
        assert!(runs_here(Path::new("/bin/sh")));
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("program");
        for bytes in [&b"#!/bin/sh\n"[..], b"\x7fELF", b"", &[0x7f; 200]] {
            fs::write(&file, bytes).unwrap();
            assert!(!runs_here(&file), "{bytes:?}");
        }
        assert!(!runs_here(&dir.path().join("absent")));
    }

    #[test]
    fn a_loader_elsewhere_is_none_of_ours() {
        let mut program = fs::read("/bin/sh").unwrap();
        let loader = program
            .windows(5)
            .position(|bytes| bytes == b"/lib6" || bytes == b"/lib/")
            .unwrap();
        program[loader..loader + 5].copy_from_slice(b"/nix/");
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("sh"), program).unwrap();
        assert!(!runs_here(&dir.path().join("sh")));
    }
}
