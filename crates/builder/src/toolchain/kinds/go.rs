//! Go: the go command, its tools and the sources of its standard library.
//!
//! Source: `golang.org/toolchain`, as the go command itself fetches it: files have no mode there, and a file `go.mod`
//! inside the distribution is called `_go.mod`.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::toolchain::copy::Copy;
use crate::toolchain::elf;
use crate::toolchain::kind::{Kind, Offer};
use crate::toolchain::unpack;
use crate::toolchain::version::Version;

/// What a build needs of a distribution; its own tests and documents are no part of that.
const DIRECTORIES: [&str; 4] = ["bin", "lib", "pkg", "src"];
const FILES: [&str; 2] = ["VERSION", "go.env"];
/// Programs lie below these.
const PROGRAMS: [&str; 2] = ["bin", "pkg/tool"];

pub(in crate::toolchain) struct Go;

impl Kind for Go {
    fn name(&self) -> &'static str {
        "go"
    }

    fn in_home(&self) -> &'static [&'static str] {
        &[
            "sdk/*",
            ".asdf/installs/golang/*/go",
            ".local/share/mise/installs/go/*",
            ".goenv/versions/*",
        ]
    }

    fn for_all(&self) -> &'static [&'static str] {
        &["/usr/local/go"]
    }

    fn version(&self, prefix: &Path) -> Option<Version> {
        let text = fs::read_to_string(prefix.join("VERSION")).ok()?;
        let version = parse(text.lines().next()?.trim())?;
        elf::runs_here(&prefix.join("bin/go")).then_some(version)
    }

    fn copy(&self, copy: &mut Copy, prefix: &Path, to: &Path) -> io::Result<()> {
        for name in DIRECTORIES {
            copy.directory(&prefix.join(name), &to.join(name))?;
        }
        for name in FILES.iter().filter(|name| prefix.join(name).is_file()) {
            copy.file(&prefix.join(name), &to.join(name))?;
        }
        Ok(())
    }

    fn offer(&self) -> Option<Offer> {
        match std::env::consts::ARCH {
            "x86_64" => Some(Offer::Go("linux-amd64")),
            "aarch64" => Some(Offer::Go("linux-arm64")),
            _ => None,
        }
    }

    fn unpack(&self, archive: File, to: &Path) -> io::Result<()> {
        unpack::zip(archive, to, &inside)
    }
}

/// `1.26.8` of `go1.26.8`, and `1.20.0` of `go1.20`, as releases were once called.
pub(in crate::toolchain) fn parse(name: &str) -> Option<Version> {
    let number = name.strip_prefix("go")?;
    let dots = number.matches('.').count();
    let full = if dots == 1 {
        format!("{number}.0")
    } else {
        number.to_owned()
    };
    full.parse().ok()
}

/// Where a file of the archive goes, and whether it is a program.
fn inside(path: &Path) -> Option<(PathBuf, bool)> {
    // `golang.org/toolchain@v0.0.1-go1.26.8.linux-amd64/` comes before everything.
    let path: PathBuf = path.components().skip(2).collect();
    let first = path.components().next()?.as_os_str().to_str()?;
    if !DIRECTORIES.contains(&first) && !FILES.contains(&first) {
        return None;
    }
    let is_program = PROGRAMS.iter().any(|programs| path.starts_with(programs));
    match path.file_name()?.to_str()? {
        "_go.mod" => Some((path.with_file_name("go.mod"), false)),
        _ => Some((path, is_program)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_have_two_numbers_or_three() {
        assert_eq!(parse("go1.26.8"), Some(Version::new(1, 26, 8)));
        assert_eq!(parse("go1.20"), Some(Version::new(1, 20, 0)));
        assert_eq!(parse("go1.27rc1"), None);
        assert_eq!(parse("1.26.8"), None);
    }

    #[test]
    fn files_of_the_archive_find_their_places() {
        let of = |path: &str| {
            inside(Path::new(&format!(
                "golang.org/toolchain@v0.0.1-go1.26.8.linux-amd64/{path}"
            )))
        };
        assert_eq!(of("bin/go"), Some((PathBuf::from("bin/go"), true)));
        assert_eq!(of("src/_go.mod"), Some((PathBuf::from("src/go.mod"), false)));
        assert_eq!(of("test/a.go"), None);
        assert_eq!(of("VERSION"), Some((PathBuf::from("VERSION"), false)));
    }
}
