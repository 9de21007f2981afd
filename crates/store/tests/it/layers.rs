use std::fs;

use model::Digest;

use crate::{names, store};

#[test]
fn a_layer_is_there_as_a_whole_or_not_at_all() {
    let (store, dir) = store();
    let key = Digest::of(b"key");
    assert!(store.layer(&key).is_none());
    let staging = store.stage().unwrap();
    fs::write(staging.path().join("f"), "1").unwrap();
    assert!(store.layer(&key).is_none());
    let path = staging.commit(&key).unwrap();
    assert_eq!(store.layer(&key), Some(path.clone()));
    assert_eq!(fs::read_to_string(path.join("f")).unwrap(), "1");
    assert!(names(&dir, "staging").is_empty());
}

#[test]
fn the_loser_of_a_race_is_discarded() {
    let (store, dir) = store();
    let key = Digest::of(b"key");
    let (first, second) = (store.stage().unwrap(), store.stage().unwrap());
    fs::write(first.path().join("f"), "first").unwrap();
    fs::write(second.path().join("f"), "second").unwrap();
    let path = first.commit(&key).unwrap();
    assert_eq!(second.commit(&key).unwrap(), path);
    assert_eq!(fs::read_to_string(path.join("f")).unwrap(), "first");
    assert!(names(&dir, "staging").is_empty());
}

#[test]
fn what_is_not_committed_goes() {
    let (store, dir) = store();
    let staging = store.stage().unwrap();
    fs::create_dir(staging.path().join("d")).unwrap();
    drop(staging);
    assert!(names(&dir, "staging").is_empty() && names(&dir, "layers").is_empty());
}
