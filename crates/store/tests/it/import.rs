use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;

use model::Tree;
use rustix::fs::{CWD, FileType, Mode, XattrFlags};
use store::{ImportError, ImportLimits};

use crate::store;

const LIMITS: ImportLimits = ImportLimits {
    entries_max: 100,
    file_bytes_max: 1_000,
    bytes_max: 1_500,
};

fn paths(tree: &Tree) -> Vec<&str> {
    tree.entries().iter().map(|entry| entry.path.as_str()).collect()
}

fn write(dir: &Path, path: &str, text: &str) {
    let path = dir.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn whiteout(path: &Path) {
    rustix::fs::mknodat(CWD, path, FileType::CharacterDevice, Mode::empty(), 0).unwrap();
}

#[test]
fn a_directory_goes_in_and_comes_out_the_same() {
    let (store, _dir) = store();
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "index.html", "hi");
    write(dir.path(), "a/run", "#!");
    fs::set_permissions(dir.path().join("a/run"), fs::Permissions::from_mode(0o755)).unwrap();
    symlink("../index.html", dir.path().join("a/l")).unwrap();
    let tree = store.import(dir.path(), LIMITS).unwrap();
    assert_eq!(paths(&tree), ["a/l", "a/run", "index.html"]);
    let out = store.materialise(&store.put_tree(&tree).unwrap()).unwrap();
    assert_eq!(store.import(&out, LIMITS).unwrap(), tree);
}

#[test]
fn links_outside_are_named_and_never_followed() {
    let (store, _dir) = store();
    for target in ["/etc/passwd", "../outside"] {
        let dir = tempfile::tempdir().unwrap();
        symlink(target, dir.path().join("l")).unwrap();
        let error = store.import(dir.path(), LIMITS).unwrap_err().to_string();
        assert!(error.contains("`l`") && error.contains(target), "{error}");
    }
    let dir = tempfile::tempdir().unwrap();
    symlink("/etc", dir.path().join("dist")).unwrap();
    let error = store.import_merged(&[dir.path()], "dist", LIMITS).unwrap_err();
    assert!(matches!(error, ImportError::NotADirectory(_)), "{error}");
}

#[test]
fn what_is_no_file_is_skipped() {
    let (store, _dir) = store();
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "a", "1");
    let _socket = UnixListener::bind(dir.path().join("socket")).unwrap();
    rustix::fs::mknodat(CWD, dir.path().join("pipe"), FileType::Fifo, Mode::RWXU, 0).unwrap();
    fs::create_dir(dir.path().join("empty")).unwrap();
    assert_eq!(paths(&store.import(dir.path(), LIMITS).unwrap()), ["a"]);
}

#[test]
fn names_that_are_not_text_are_refused() {
    let (store, _dir) = store();
    for name in [&b"\xff\xfe"[..], b"a\nb"] {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(std::ffi::OsStr::from_bytes(name)), "1").unwrap();
        let error = store.import(dir.path(), LIMITS).unwrap_err();
        assert!(
            matches!(error, ImportError::Name { .. } | ImportError::Tree(_)),
            "{error}"
        );
    }
}

#[test]
fn limits_hold() {
    let (store, _dir) = store();
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "a", &"x".repeat(1_000));
    assert!(store.import(dir.path(), LIMITS).is_ok());
    write(dir.path(), "b", &"x".repeat(501));
    assert!(matches!(
        store.import(dir.path(), LIMITS),
        Err(ImportError::TooMuch { .. })
    ));
    write(dir.path(), "b", &"x".repeat(1_001));
    assert!(matches!(
        store.import(dir.path(), LIMITS),
        Err(ImportError::TooLarge { .. })
    ));
    let few = ImportLimits {
        entries_max: 1,
        ..LIMITS
    };
    write(dir.path(), "b", "");
    assert!(matches!(
        store.import(dir.path(), few),
        Err(ImportError::TooMany { entries_max: 1 })
    ));
    let deep = tempfile::tempdir().unwrap();
    fs::create_dir_all(deep.path().join(["d"; 200].join("/"))).unwrap();
    assert!(matches!(
        store.import(deep.path(), LIMITS),
        Err(ImportError::TooDeep { .. })
    ));
}

#[test]
fn a_stack_reads_as_a_mounted_overlay_would_show_it() {
    let (store, _dir) = store();
    let dir = tempfile::tempdir().unwrap();
    let (lower, upper) = (dir.path().join("lower"), dir.path().join("upper"));
    for path in [
        "dist/kept",
        "dist/changed",
        "dist/gone",
        "dist/gone2",
        "dist/was-dir/x",
        "dist/opaque/below",
        "dist/was-file",
    ] {
        write(&lower, path, "lower");
    }
    for path in [
        "dist/changed",
        "dist/was-dir",
        "dist/opaque/above",
        "dist/was-file/y",
        "other/z",
    ] {
        write(&upper, path.trim_start_matches('!'), "upper");
    }
    whiteout(&upper.join("dist/gone"));
    write(&upper, "dist/gone2", "");
    let set = |path: &str, name: &str, value: &[u8]| {
        rustix::fs::setxattr(upper.join(path), name, value, XattrFlags::empty()).unwrap();
    };
    set("dist/gone2", "user.overlay.whiteout", b"y");
    set("dist", "user.overlay.opaque", b"x");
    set("dist/opaque", "user.overlay.opaque", b"y");
    let tree = store.import_merged(&[&upper, &lower], "dist", LIMITS).unwrap();
    assert_eq!(
        paths(&tree),
        ["changed", "kept", "opaque/above", "was-dir", "was-file/y"]
    );
    let out = store.materialise(&store.put_tree(&tree).unwrap()).unwrap();
    assert_eq!(fs::read_to_string(out.join("changed")).unwrap(), "upper");
    assert_eq!(fs::read_to_string(out.join("kept")).unwrap(), "lower");
    whiteout(&upper.join("none"));
    write(&lower, "none/x", "lower");
    assert!(matches!(
        store.import_merged(&[&upper, &lower], "none", LIMITS),
        Err(ImportError::NotADirectory(_))
    ));
}
