use std::fs;
use std::time::{Duration, SystemTime};

use model::Digest;
use store::{CollectError, Collected, KeepSet};

use crate::{file, names, store, tree};

fn later() -> SystemTime {
    SystemTime::now() + Duration::from_secs(60)
}

#[test]
fn what_is_named_stays_and_the_rest_goes() {
    let (store, dir) = store();
    let kept = store
        .put_tree(&tree(vec![file(&store, "a*", "kept"), file(&store, "b", "both")]))
        .unwrap();
    let gone = store
        .put_tree(&tree(vec![file(&store, "a*", "gone"), file(&store, "b", "both")]))
        .unwrap();
    let (blob, _) = store.put_blob(&b"blob"[..], 10).unwrap();
    let path = store.materialise(&kept).unwrap();
    store.materialise(&gone).unwrap();
    let layers = [Digest::of(b"l1"), Digest::of(b"l2")];
    for key in &layers {
        store.stage().unwrap().commit(key).unwrap();
    }
    let keep = KeepSet {
        blobs: [blob].into(),
        trees: [kept].into(),
        layers: [layers[0]].into(),
    };
    let collected = store.collect(&keep, later()).unwrap();
    // The executable twin of a blob counts as another.
    assert_eq!(
        collected,
        Collected {
            blobs: 2,
            trees: 1,
            layers: 1,
            blob_bytes: 8
        }
    );
    assert_eq!(names(&dir, "trees"), [kept.hex()]);
    assert_eq!(fs::read_to_string(path.join("a")).unwrap(), "kept");
    assert!(
        store.has_blob(&blob)
            && store.has_blob(&Digest::of(b"both"))
            && !store.has_blob(&Digest::of(b"gone"))
    );
    assert!(store.tree(&gone).is_err() && store.tree(&kept).is_ok());
    assert!(store.layer(&layers[0]).is_some() && store.layer(&layers[1]).is_none());
    assert_eq!(store.collect(&keep, later()).unwrap(), Collected::default());
}

#[test]
fn what_is_young_stays() {
    let (store, _dir) = store();
    let digest = store.put_tree(&tree(vec![file(&store, "a", "1")])).unwrap();
    let earlier = SystemTime::now() - Duration::from_secs(60);
    assert_eq!(
        store.collect(&KeepSet::default(), earlier).unwrap(),
        Collected::default()
    );
    assert!(store.tree(&digest).is_ok() && store.has_blob(&Digest::of(b"1")));
}

#[test]
fn using_something_makes_it_young() {
    let (store, _dir) = store();
    let old = SystemTime::now() - Duration::from_secs(1_000);
    let (digest, _) = store.put_blob(&b"again"[..], 10).unwrap();
    let key = Digest::of(b"layer");
    let layer = store.stage().unwrap().commit(&key).unwrap();
    let age = |path: &std::path::Path| {
        let times = fs::FileTimes::new().set_accessed(old).set_modified(old);
        fs::File::open(path).unwrap().set_times(times).unwrap();
    };
    age(&store.blob_path(&digest));
    age(layer.parent().unwrap());
    store.put_blob(&b"again"[..], 10).unwrap();
    store.layer(&key).unwrap();
    let before = SystemTime::now() - Duration::from_secs(500);
    assert_eq!(
        store.collect(&KeepSet::default(), before).unwrap(),
        Collected::default()
    );
    // The time that sandboxes see did not change.
    assert_eq!(
        fs::metadata(store.blob_path(&digest))
            .unwrap()
            .modified()
            .unwrap(),
        old
    );
}

#[test]
fn an_unreadable_tree_removes_nothing() {
    let (store, dir) = store();
    let kept = store.put_tree(&tree(vec![file(&store, "a", "1")])).unwrap();
    let (stray, _) = store.put_blob(&b"stray"[..], 10).unwrap();
    let manifest = dir.path().join("manifests").join(kept.hex());
    fs::remove_file(&manifest).unwrap();
    fs::write(&manifest, "garbage").unwrap();
    let keep = KeepSet {
        trees: [kept].into(),
        ..KeepSet::default()
    };
    assert!(matches!(
        store.collect(&keep, later()),
        Err(CollectError::Unreadable(_))
    ));
    assert!(store.has_blob(&stray) && store.has_blob(&Digest::of(b"1")));
}

#[test]
fn usage_counts_what_is_there() {
    let (store, _dir) = store();
    let before = store.usage();
    store.put_blob(&[7; 10_000][..], 10_000).unwrap();
    let after = store.usage();
    assert_eq!(after.blobs.files, before.blobs.files + 1);
    assert!(after.total().bytes >= before.total().bytes + 10_000);
    let room = store.room().unwrap();
    assert!(room.free_bytes > 0 && room.total_bytes >= room.free_bytes);
}
