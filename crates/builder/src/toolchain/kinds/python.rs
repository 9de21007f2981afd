//! CPython: its program, standard library and headers, from the machine.
//!
//! Guards against an interpreter that finds nothing in its new place: it looks for its library beside its program, and
//! where it was linked against a shared library by an absolute path, that path is made relative. The version is read
//! from the program's own bytes. Packages that were installed into it are not taken along, but for pip.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::toolchain::copy::Copy;
use crate::toolchain::elf;
use crate::toolchain::kind::{Kind, Offer};
use crate::toolchain::version::Version;

/// Parts of the standard library that no server needs, and files by which a distribution guards its own copy.
const LEFT_OUT: [&str; 7] = [
    "test",
    "idlelib",
    "turtledemo",
    "site-packages",
    "dist-packages",
    "EXTERNALLY-MANAGED",
    "sitecustomize.py",
];
/// Where the program looks for its shared library, relative to itself.
const RELATIVE: &[u8] = b"$ORIGIN/../lib";

pub(in crate::toolchain) struct Python;

impl Kind for Python {
    fn name(&self) -> &'static str {
        "python"
    }

    fn in_home(&self) -> &'static [&'static str] {
        &[
            ".local/share/uv/python/*",
            ".pyenv/versions/*",
            ".asdf/installs/python/*",
            ".local/share/mise/installs/python/*",
        ]
    }

    fn for_all(&self) -> &'static [&'static str] {
        &["/opt/python/*"]
    }

    fn version(&self, prefix: &Path) -> Option<Version> {
        let (program, line) = program(prefix)?;
        let landmark = prefix.join(format!("lib/python{line}/os.py"));
        if !landmark.is_file() || !elf::runs_here(&program) {
            return None;
        }
        let bytes = [Some(program), library(prefix, &line)].into_iter().flatten();
        bytes
            .filter_map(|path| fs::read(path).ok())
            .find_map(|bytes| version_in(&bytes, &line))
    }

    fn copy(&self, copy: &mut Copy, prefix: &Path, to: &Path) -> io::Result<()> {
        let absent = || io::Error::from(io::ErrorKind::NotFound);
        let (program, line) = program(prefix).ok_or_else(absent)?;
        let name = format!("python{line}");
        fs::create_dir_all(to.join("bin"))?;
        fs::create_dir_all(to.join("lib"))?;
        let absolute = prefix.join("lib");
        copy.changed(&program, &to.join("bin").join(&name), |bytes| {
            make_relative(bytes, absolute.as_os_str().as_encoded_bytes());
        })?;
        for link in ["python3", "python"] {
            symlink(&name, to.join("bin").join(link))?;
        }
        copy.leave_out(&LEFT_OUT, &["config-"]);
        copy.leave_outward_links();
        copy.directory(&prefix.join("lib").join(&name), &to.join("lib").join(&name))?;
        if let Some(library) = library(prefix, &line) {
            let file = library.file_name().unwrap_or_default();
            copy.file(&library, &to.join("lib").join(file))?;
        }
        let headers = prefix.join("include").join(&name);
        if headers.join("Python.h").is_file() {
            fs::create_dir(to.join("include"))?;
            copy.directory(&headers, &to.join("include").join(&name))?;
        }
        take_pip(copy, prefix, (to, &name))
    }

    /// No registry has interpreters that a hash could be checked of before they are used.
    fn offer(&self) -> Option<Offer> {
        None
    }

    fn preferred(&self) -> Option<&'static str> {
        Some(">=3.11 <3.14")
    }
}

/// The program of the newest Python at `prefix` that `python3` stands for, and its line such as `3.12`.
fn program(prefix: &Path) -> Option<(PathBuf, String)> {
    let real = fs::canonicalize(prefix.join("bin/python3")).ok()?;
    let line = real.file_name()?.to_str()?.strip_prefix("python")?.to_owned();
    let (major, minor) = line.split_once('.')?;
    let numbers = major == "3" && !minor.is_empty() && minor.bytes().all(|b| b.is_ascii_digit());
    (numbers && real.parent()? == fs::canonicalize(prefix.join("bin")).ok()?).then_some((real, line))
}

/// `libpython3.12.so.1.0`, where the program is linked against it.
fn library(prefix: &Path, line: &str) -> Option<PathBuf> {
    let path = prefix.join(format!("lib/libpython{line}.so.1.0"));
    path.is_file().then_some(path)
}

/// The version as the program prints it: a text of its own among its bytes.
fn version_in(bytes: &[u8], line: &str) -> Option<Version> {
    let start = format!("{line}.");
    let mut from = 0;
    while let Some(at) = find(&bytes[from..], start.as_bytes()) {
        let rest = &bytes[from + at + start.len()..];
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if (1..=3).contains(&digits) && rest.get(digits) == Some(&0) {
            let patch = std::str::from_utf8(&rest[..digits]).ok()?;
            return format!("{line}.{patch}").parse().ok();
        }
        from += at + start.len();
    }
    None
}

/// Replaces the path of the library by one that is relative to the program, where there is room for it.
fn make_relative(bytes: &mut [u8], absolute: &[u8]) {
    let mut wanted = absolute.to_vec();
    wanted.push(0);
    if wanted.len() <= RELATIVE.len() {
        return;
    }
    let mut from = 0;
    while let Some(at) = find(&bytes[from..], &wanted) {
        let start = from + at;
        // The whole text of a table of texts: what comes before is the end of another.
        if start > 0 && bytes[start - 1] == 0 {
            bytes[start..start + wanted.len()].fill(0);
            bytes[start..start + RELATIVE.len()].copy_from_slice(RELATIVE);
        }
        from = start + wanted.len();
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

/// pip, so that a project's own install command may use it.
fn take_pip(copy: &mut Copy, prefix: &Path, (to, name): (&Path, &str)) -> io::Result<()> {
    let packages = prefix.join("lib").join(name).join("site-packages");
    let pip = packages.join("pip");
    if !pip.is_dir() {
        return Ok(());
    }
    let inside = to.join("lib").join(name).join("site-packages");
    fs::create_dir(&inside)?;
    copy.leave_out(&[], &[]);
    copy.directory(&pip, &inside.join("pip"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_a_text_of_its_own() {
        let bytes = b"\x003.12.1/lib\x00x3.12.x\x003.12.7\x00";
        assert_eq!(version_in(bytes, "3.12"), Some(Version::new(3, 12, 7)));
        assert_eq!(version_in(b"3.12.", "3.12"), None);
    }

    #[test]
    fn the_path_of_the_library_becomes_relative() {
        let mut bytes = b"\x00libc.so\x00/root/versions/3.12.1/lib\x00more".to_vec();
        let length = bytes.len();
        make_relative(&mut bytes, b"/root/versions/3.12.1/lib");
        assert_eq!(bytes.len(), length);
        assert!(bytes.starts_with(b"\x00libc.so\x00$ORIGIN/../lib\x00\x00"));
        assert!(bytes.ends_with(b"\x00more"));
        let mut short = b"\x00/usr/lib\x00".to_vec();
        make_relative(&mut short, b"/usr/lib");
        assert_eq!(short, b"\x00/usr/lib\x00");
    }
}
