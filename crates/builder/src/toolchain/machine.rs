//! What lies on the machine: installations of Node and npm, wherever version managers put them.
//!
//! Guards against running what was found: the version is read from the header that every distribution of Node carries
//! (`include/node/node_version.h`), from npm's package.json, or from the name of the directory; an installation that
//! says nothing is left out, and so is one that the system's loader cannot start. It does *not* follow shims.

use std::fs;
use std::path::{Path, PathBuf};

use super::elf;
use super::version::Version;

/// Where version managers keep installations, below a home directory. `*` is one directory of any name.
const IN_HOME: [&str; 7] = [
    ".nvm/versions/node/*",
    ".local/share/fnm/node-versions/*/installation",
    ".fnm/node-versions/*/installation",
    ".volta/tools/image/node/*",
    ".asdf/installs/nodejs/*",
    ".local/share/mise/installs/node/*",
    "n/n/versions/node/*",
];

/// Where installations lie for everybody.
const FOR_ALL: [&str; 5] = [
    "/usr/local/n/versions/node/*",
    "/opt/*",
    "/opt/node/*",
    "/usr/local",
    "/usr",
];

/// An installation: a directory with `bin/node`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installation {
    pub prefix: PathBuf,
    /// `None` for an installation that does not run here.
    pub node: Option<Version>,
    pub npm: Option<Version>,
}

/// Places where installations may lie for the user with the home directory `home`, with what `PATH` names.
pub fn places(home: Option<&Path>, path: &str) -> Vec<PathBuf> {
    let on_path = path.split(':').filter(|dir| dir.starts_with('/')).map(Path::new);
    let on_path = on_path.filter(|dir| dir.file_name().is_some_and(|name| name == "bin"));
    let mut places: Vec<PathBuf> = on_path.filter_map(Path::parent).map(Path::to_owned).collect();
    places.extend(
        home.into_iter()
            .flat_map(|home| IN_HOME.iter().map(|place| home.join(place))),
    );
    places.extend(FOR_ALL.map(PathBuf::from));
    places
}

/// All installations in `places`, each once.
pub fn find(places: &[PathBuf]) -> Vec<Installation> {
    let mut prefixes: Vec<PathBuf> = places.iter().flat_map(|place| expand(place)).collect();
    let mut seen = std::collections::BTreeSet::new();
    prefixes.retain(|prefix| fs::canonicalize(prefix).is_ok_and(|real| seen.insert(real)));
    prefixes
        .into_iter()
        .map(look)
        .filter(|found| found.node.is_some() || found.npm.is_some())
        .collect()
}

fn expand(place: &Path) -> Vec<PathBuf> {
    let text = place.to_string_lossy().into_owned();
    let Some((before, after)) = text.split_once("/*") else {
        return vec![place.to_owned()];
    };
    let Ok(entries) = fs::read_dir(before) else {
        return Vec::new();
    };
    let mut all: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path().join(after.trim_start_matches('/')))
        .collect();
    all.sort();
    all
}

fn look(prefix: PathBuf) -> Installation {
    let node = elf::runs_here(&prefix.join("bin/node"))
        .then(|| node_version(&prefix))
        .flatten();
    let npm = fs::read(prefix.join("lib/node_modules/npm/package.json")).ok();
    let npm = npm.and_then(|text| serde_json::from_slice::<serde_json::Value>(&text).ok());
    let npm = npm.and_then(|manifest| manifest["version"].as_str()?.parse().ok());
    Installation { prefix, node, npm }
}

fn node_version(prefix: &Path) -> Option<Version> {
    if let Ok(header) = fs::read_to_string(prefix.join("include/node/node_version.h")) {
        let number = |name: &str| {
            let line = header
                .lines()
                .find_map(|line| line.strip_prefix("#define ")?.strip_prefix(name));
            line?.trim().parse().ok()
        };
        let release = number("NODE_VERSION_IS_RELEASE ") == Some(1);
        let [major, minor, patch] = [
            "NODE_MAJOR_VERSION ",
            "NODE_MINOR_VERSION ",
            "NODE_PATCH_VERSION ",
        ]
        .map(number);
        return release.then_some(Version::new(major?, minor?, patch?));
    }
    // Version managers name the directory, or the one above, after the version: `v20.1.2`.
    let names = prefix.iter().rev().take(2).filter_map(|name| name.to_str());
    names
        .filter_map(|name| {
            name.trim_start_matches("node-")
                .split("-linux")
                .next()?
                .parse()
                .ok()
        })
        .next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(dir: &Path, path: &str, text: &str) {
        fs::create_dir_all(dir.join(path).parent().unwrap()).unwrap();
        fs::write(dir.join(path), text).unwrap();
    }

    /// Some program of the system, in the place of Node: it is not run.
    fn program(dir: &Path, path: &str) {
        write(dir, path, "");
        fs::copy("/bin/sh", dir.join(path)).unwrap();
    }

    #[test]
    fn installations_of_version_managers_are_found() {
        let home = tempfile::tempdir().unwrap();
        let nvm = ".nvm/versions/node/v18.20.8";
        program(home.path(), &format!("{nvm}/bin/node"));
        write(
            home.path(),
            &format!("{nvm}/lib/node_modules/npm/package.json"),
            r#"{"version": "10.8.2"}"#,
        );
        write(
            home.path(),
            ".volta/tools/image/node/22.1.0/bin/node",
            "#!/bin/sh\nexec volta",
        );
        let header = "#define NODE_MAJOR_VERSION 24\n#define NODE_MINOR_VERSION 1\n\
                      #define NODE_PATCH_VERSION 2\n#define NODE_VERSION_IS_RELEASE 1\n";
        program(home.path(), "own/bin/node");
        write(home.path(), "own/include/node/node_version.h", header);
        let mut places = places(
            Some(home.path()),
            &format!("{0}/own/bin:{0}/own/bin:relative/bin", home.path().display()),
        );
        places.retain(|place| place.starts_with(home.path()));
        let found = find(&places);
        let version = |major, minor, patch| Some(Version::new(major, minor, patch));
        assert_eq!(
            found,
            [
                Installation {
                    prefix: home.path().join("own"),
                    node: version(24, 1, 2),
                    npm: None
                },
                Installation {
                    prefix: home.path().join(nvm),
                    node: version(18, 20, 8),
                    npm: version(10, 8, 2)
                },
            ]
        );
    }
}
