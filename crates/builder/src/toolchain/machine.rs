//! What lies on the machine: installations of toolchains, wherever version managers put them.
//!
//! Guards against running what was found: each kind reads its version from files; an installation that says nothing is
//! left out, and so is one that the system's loader cannot start. It does *not* follow shims.

use std::fs;
use std::path::{Path, PathBuf};

use super::kind::{self, Kind};
use super::version::Version;

/// Where anything may be installed for everybody.
const FOR_ALL: [&str; 2] = ["/usr/local", "/usr"];

/// One toolchain that is installed under a prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installation {
    pub prefix: PathBuf,
    /// `node`, `npm`, `python` and so on.
    pub name: &'static str,
    pub version: Version,
}

/// Places where installations may lie for the user with the home directory `home`, with what `PATH` names.
pub fn places(home: Option<&Path>, path: &str) -> Vec<PathBuf> {
    let on_path = path.split(':').filter(|dir| dir.starts_with('/')).map(Path::new);
    let on_path = on_path.filter(|dir| dir.file_name().is_some_and(|name| name == "bin"));
    let mut places: Vec<PathBuf> = on_path.filter_map(Path::parent).map(Path::to_owned).collect();
    let in_home = kind::all().flat_map(|kind| kind.in_home());
    places.extend(in_home.filter_map(|place| Some(home?.join(place))));
    let for_all = kind::all().flat_map(|kind| kind.for_all()).chain(&FOR_ALL);
    places.extend(for_all.map(PathBuf::from));
    places
}

/// All installations in `places`, each once.
pub fn find(places: &[PathBuf]) -> Vec<Installation> {
    prefixes(places)
        .iter()
        .flat_map(|prefix| kind::all().filter_map(|kind| look(kind, prefix)))
        .collect()
}

/// Installations of one kind alone.
pub(super) fn find_kind(kind: &'static dyn Kind, places: &[PathBuf]) -> Vec<Installation> {
    prefixes(places)
        .iter()
        .filter_map(|prefix| look(kind, prefix))
        .collect()
}

fn look(kind: &'static dyn Kind, prefix: &Path) -> Option<Installation> {
    Some(Installation {
        prefix: prefix.to_owned(),
        name: kind.name(),
        version: kind.version(prefix)?,
    })
}

fn prefixes(places: &[PathBuf]) -> Vec<PathBuf> {
    let mut prefixes: Vec<PathBuf> = places.iter().flat_map(|place| expand(place)).collect();
    let mut seen = std::collections::BTreeSet::new();
    prefixes.retain(|prefix| fs::canonicalize(prefix).is_ok_and(|real| seen.insert(real)));
    prefixes
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
        .map(|entry| match after.trim_start_matches('/') {
            "" => entry.path(),
            after => entry.path().join(after),
        })
        .collect();
    all.sort();
    all
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
        let installation = |prefix: &str, name, version: &str| Installation {
            prefix: home.path().join(prefix),
            name,
            version: version.parse().unwrap(),
        };
        assert_eq!(
            found,
            [
                installation("own", "node", "24.1.2"),
                installation(nvm, "node", "18.20.8"),
                installation(nvm, "npm", "10.8.2"),
            ]
        );
    }

    #[test]
    fn a_machine_has_its_own_python() {
        let found = find(&[PathBuf::from("/usr")]);
        let python = found.iter().find(|found| found.name == "python").unwrap();
        assert_eq!(python.version.major, 3);
    }
}
