use std::fs;
use std::os::unix::fs::PermissionsExt;

use model::Digest;
use store::Store;

use crate::{file, store, tree};

/// Writes other bytes of the same length into a stored blob, as a torn write would.
fn tear(store: &Store, digest: &Digest) {
    let path = store.blob_path(digest);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(&path, "\0\0\0\0").unwrap();
}

#[test]
fn after_a_power_cut_torn_blobs_and_young_layers_are_dropped() {
    let (store, dir) = store();
    let (torn, _) = store.put_blob(&b"torn"[..], 10).unwrap();
    let (whole, _) = store.put_blob(&b"whole"[..], 10).unwrap();
    tear(&store, &torn);
    let key = Digest::of(b"layer");
    store.stage().unwrap().commit(&key).unwrap();
    drop(store);
    fs::write(dir.path().join("synced"), "another boot").unwrap();
    let store = Store::open(dir.path()).unwrap();
    assert!(!store.has_blob(&torn) && store.has_blob(&whole));
    assert!(store.layer(&key).is_none());
}

#[test]
fn a_crash_of_the_platform_alone_drops_nothing() {
    let (store, dir) = store();
    let key = Digest::of(b"layer");
    store.stage().unwrap().commit(&key).unwrap();
    let digest = store.put_tree(&tree(vec![file(&store, "a", "1")])).unwrap();
    store.materialise(&digest).unwrap();
    drop(store);
    let store = Store::open(dir.path()).unwrap();
    assert!(store.layer(&key).is_some() && store.has_blob(&Digest::of(b"1")));
    assert!(dir.path().join("trees").join(digest.hex()).is_dir());
}
