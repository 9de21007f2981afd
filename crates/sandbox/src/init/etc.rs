//! /etc, written from nothing: who the program is, how it finds names, whom it trusts.
//!
//! Guards against the host's accounts, hosts and settings being read inside. Taken from the host: what the dynamic
//! linker and the time zone need, tables of well-known numbers, and the certificates. The large ones among them are
//! mounted as they are: every sandbox writing its own copy took longer than making its namespaces.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::sys;
use crate::zygote::APP_ID;

/// Where distributions keep their certificates.
const CA_BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];
/// A larger file is not a list of certificates.
const CA_BYTES_MAX: u64 = 4 << 20;
/// Up to this size a copy is cheaper than a mount.
const COPY_BYTES_MAX: u64 = 8 << 10;

/// What is taken from the host, read while it is still in sight.
pub(super) struct Host {
    files: Vec<(PathBuf, Contents)>,
    links: Vec<(PathBuf, PathBuf)>,
}

/// Of one file.
enum Contents {
    Small(Vec<u8>),
    /// The file itself, which cannot be changed through it.
    Large(OwnedFd),
}

impl Host {
    pub(super) fn read(ca_bundle: Option<&Path>) -> io::Result<Host> {
        let mut host = Host {
            files: Vec::new(),
            links: Vec::new(),
        };
        for name in [
            "ld.so.cache",
            "ld.so.conf",
            "mime.types",
            "protocols",
            "services",
            "ssl/openssl.cnf",
        ] {
            host.file(name);
        }
        for name in names("/etc/ld.so.conf.d") {
            host.file(Path::new("ld.so.conf.d").join(name));
        }
        if let Ok(to) = fs::read_link("/etc/localtime") {
            host.links.push(("localtime".into(), to));
        }
        let bundle = match ca_bundle {
            Some(path) => Some(path),
            None => CA_BUNDLES.iter().map(Path::new).find(|path| path.exists()),
        };
        if let Some(path) = bundle {
            let size = fs::metadata(path).map_err(|error| named(path, error))?.len();
            if size > CA_BYTES_MAX {
                return Err(named(
                    path,
                    io::Error::other(format!("{size} bytes are too many for certificates")),
                ));
            }
            let contents = take(path).map_err(|error| named(path, error))?;
            host.files
                .push(("ssl/certs/ca-certificates.crt".into(), contents));
            host.links
                .push(("ssl/cert.pem".into(), "certs/ca-certificates.crt".into()));
        }
        Ok(host)
    }

    fn file(&mut self, name: impl Into<PathBuf>) {
        let name = name.into();
        if let Ok(contents) = take(&Path::new("/etc").join(&name)) {
            self.files.push((name, contents));
        }
    }

    /// Writes it all into the directory `etc`, which does not exist yet.
    pub(super) fn write(self, etc: &Path, hostname: &str) -> io::Result<()> {
        fs::create_dir(etc)?;
        for (name, text) in own(hostname) {
            fs::write(etc.join(name), text)?;
        }
        for (name, contents) in self.files {
            place(&etc.join(&name), |path| match &contents {
                Contents::Small(bytes) => fs::write(path, bytes),
                Contents::Large(tree) => {
                    fs::write(path, "")?;
                    sys::attach(tree.as_fd(), path)
                }
            })?;
        }
        for (name, to) in self.links {
            place(&etc.join(&name), |path| symlink(&to, path))?;
        }
        Ok(())
    }
}

fn take(path: &Path) -> io::Result<Contents> {
    let found = fs::metadata(path)?;
    if found.is_file() && found.len() > COPY_BYTES_MAX {
        // A link is followed to what it is for now; what cannot be read here cannot be read inside.
        fs::File::open(path)?;
        return super::root::take_tree(path).map(Contents::Large);
    }
    fs::read(path).map(Contents::Small)
}

fn place(path: &Path, make: impl Fn(&Path) -> io::Result<()>) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    make(path)
}

fn own(hostname: &str) -> [(&'static str, String); 7] {
    let id = APP_ID;
    [
        (
            "passwd",
            format!(
                "root:x:0:0:root:/nonexistent:/usr/sbin/nologin\n\
                 app:x:{id}:{id}:app:/home/app:/bin/sh\n\
                 nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
            ),
        ),
        ("group", format!("root:x:0:\napp:x:{id}:\nnogroup:x:65534:\n")),
        (
            "hosts",
            format!("127.0.0.1 localhost {hostname}\n::1 localhost {hostname}\n"),
        ),
        ("hostname", format!("{hostname}\n")),
        // Redirected to our resolver, like every other name query.
        (
            "resolv.conf",
            "nameserver 127.0.0.1\noptions timeout:5 attempts:2\n".to_owned(),
        ),
        (
            "nsswitch.conf",
            "passwd: files\ngroup: files\nhosts: files dns\n".to_owned(),
        ),
        ("gitconfig", "[safe]\n\tdirectory = *\n".to_owned()),
    ]
}

fn names(dir: &str) -> Vec<OsString> {
    let Ok(entries) = fs::read_dir(dir) else {
        return Vec::new();
    };
    entries.flatten().map(|entry| entry.file_name()).collect()
}

fn named(path: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}
