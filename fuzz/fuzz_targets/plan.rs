//! Detection over a source of which every file is hostile. The parts between the marks are the files in their order.

#![no_main]

use std::io;

use builder::plan::detect;
use builder::source::{READ_BYTES_MAX, SourceFiles};
use libfuzzer_sys::fuzz_target;

const MARK: &[u8] = b"\n%%\n";
const FILES: [&str; 14] = [
    "package.json",
    "cx.toml",
    "Procfile",
    "package-lock.json",
    ".nvmrc",
    ".npmrc",
    "requirements.txt",
    "pyproject.toml",
    ".python-version",
    "go.mod",
    "Cargo.toml",
    "app.py",
    "vercel.json",
    "index.html",
];

struct Source {
    paths: Vec<String>,
    files: Vec<(&'static str, Vec<u8>)>,
}

impl SourceFiles for Source {
    fn paths(&self) -> &[String] {
        &self.paths
    }

    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        let file = self.files.iter().find(|(name, _)| *name == path);
        let (_, bytes) = file.ok_or(io::ErrorKind::NotFound)?;
        Ok(bytes[..bytes.len().min(READ_BYTES_MAX as usize)].to_vec())
    }
}

fuzz_target!(|bytes: &[u8]| {
    let mut rest = bytes;
    let mut files = Vec::new();
    for name in FILES {
        let end = rest.windows(MARK.len()).position(|window| window == MARK);
        let (part, after) = match end {
            Some(end) => (&rest[..end], &rest[end + MARK.len()..]),
            None => (rest, &rest[rest.len()..]),
        };
        if !part.is_empty() {
            files.push((name, part.to_vec()));
        }
        rest = after;
    }
    let mut paths: Vec<String> = files.iter().map(|(name, _)| (*name).to_owned()).collect();
    paths.sort();
    match detect(&Source { paths, files }) {
        Ok(plan) => assert!(!plan.services.is_empty()),
        Err(failure) => assert!(!failure.message.is_empty() && !failure.hint.is_empty()),
    }
});
