use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};

use rustix::fs::{Mode, OFlags};
use store::ScratchError;

use crate::{names, store};

#[test]
fn names_cannot_leave_their_place() {
    let (store, _dir) = store();
    for name in ["", "..", ".", "a/b", "/etc", "a\0b", ".hidden", &"x".repeat(129)] {
        assert!(
            matches!(store.scratch(name), Err(ScratchError::Name(_))),
            "{name:?}"
        );
        assert!(
            matches!(store.remove_scratch(name), Err(ScratchError::Name(_))),
            "{name:?}"
        );
    }
}

#[test]
fn making_and_removing_can_be_repeated() {
    let (store, _dir) = store();
    let path = store.scratch("build-1").unwrap();
    assert_eq!(store.scratch("build-1").unwrap(), path);
    assert_eq!(store.scratches().unwrap(), ["build-1"]);
    store.remove_scratch("build-1").unwrap();
    store.remove_scratch("build-1").unwrap();
    assert!(store.scratches().unwrap().is_empty());
}

#[test]
fn removal_copes_with_what_foreign_code_leaves() {
    let (store, dir) = store();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("precious"), "1").unwrap();
    let path = store.scratch("s").unwrap();
    symlink(outside.path(), path.join("link")).unwrap();
    fs::create_dir_all(path.join("overlay/work/x")).unwrap();
    fs::set_permissions(path.join("overlay/work"), fs::Permissions::from_mode(0o000)).unwrap();
    fs::write(path.join(OsStr::from_bytes(b"\xff\n -rf")), "1").unwrap();
    fs::create_dir(path.join("0")).unwrap();
    fs::write(path.join("0/1"), "1").unwrap();
    store.remove_scratch("s").unwrap();
    assert!(!path.exists() && names(&dir, "staging").is_empty());
    assert_eq!(fs::read_to_string(outside.path().join("precious")).unwrap(), "1");
}

#[test]
fn removal_copes_with_trees_deeper_than_any_path() {
    let (store, dir) = store();
    let path = store.scratch("deep").unwrap();
    let open =
        |at: &rustix::fd::OwnedFd| rustix::fs::openat(at, "d", OFlags::DIRECTORY, Mode::empty()).unwrap();
    let mut at = rustix::fs::open(&path, OFlags::DIRECTORY, Mode::empty()).unwrap();
    for _ in 0..5_000 {
        rustix::fs::mkdirat(&at, "d", Mode::RWXU).unwrap();
        at = open(&at);
    }
    drop(at);
    store.remove_scratch("deep").unwrap();
    assert!(!path.exists() && names(&dir, "staging").is_empty());
}
