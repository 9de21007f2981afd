//! A collection that ends after any step, and one beside whoever names things.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use model::Digest;
use store::{KeepSet, MaterialiseError, PutError, Store, UnusedSince};

use crate::{file, names, store, tree};

/// Everything that is there now counts as unused.
fn since_now() -> UnusedSince {
    let later = SystemTime::now() + Duration::from_secs(60);
    UnusedSince {
        files: later,
        layers: later,
    }
}

/// Three trees that share files, made directories, and two layers. Gives the trees and layers.
fn fill(store: &Store) -> (Vec<Digest>, Vec<Digest>) {
    let trees = (0..3).map(|n| {
        let own = format!("own {n}");
        let entries = vec![
            file(store, "a*", &own),
            file(store, "b", "shared"),
            file(store, "c", &own),
        ];
        let digest = store.put_tree(&tree(entries)).unwrap();
        store.materialise(&digest).unwrap();
        digest
    });
    let trees = trees.collect();
    let layers = [Digest::of(b"kept layer"), Digest::of(b"other layer")];
    for key in &layers {
        let staging = store.stage().unwrap();
        std::fs::write(staging.path().join("f"), "layer").unwrap();
        staging.commit(key).unwrap();
    }
    (trees, layers.to_vec())
}

/// Every tree that is there is whole, and what is kept is there.
fn assert_sound(store: &Store, trees: &[Digest], keep: &KeepSet) {
    for digest in trees {
        match store.tree(digest) {
            Ok(tree) => {
                for blob in tree.digests() {
                    assert!(store.has_blob(&blob), "{blob} of {digest} is gone");
                }
            }
            Err(_) => assert!(!keep.trees.contains(digest), "{digest} is kept and gone"),
        }
    }
    for key in &keep.layers {
        assert!(store.layer(key).is_some());
    }
}

#[test]
fn a_collection_may_end_after_any_step() {
    let mut steps = 0;
    loop {
        let (store, dir) = store();
        let (trees, layers) = fill(&store);
        let keep = KeepSet {
            trees: [trees[0]].into(),
            layers: [layers[0]].into(),
            ..KeepSet::default()
        };
        let unneeded = store.unneeded(&keep, since_now()).unwrap();
        let done = store.remove_unneeded(unneeded).take(steps).count();
        // The platform dies here and starts again.
        drop(store);
        let store = Store::open(dir.path()).unwrap();
        assert_sound(&store, &trees, &keep);
        for step in store.remove_unneeded(store.unneeded(&keep, since_now()).unwrap()) {
            step.unwrap();
        }
        assert_sound(&store, &trees, &keep);
        assert_eq!(names(&dir, "manifests"), [trees[0].hex()]);
        assert_eq!(names(&dir, "trees"), [trees[0].hex()]);
        assert_eq!(names(&dir, "layers"), [layers[0].hex()]);
        assert!(names(&dir, "staging").is_empty());
        assert!(!store.has_blob(&Digest::of(b"own 1")));
        if done < steps {
            break;
        }
        steps += 1;
    }
    // Two manifests, directories, layers and blobs with their executable twins, at the least.
    assert!(steps > 8, "{steps}");
}

#[test]
fn what_is_used_after_the_look_stays() {
    let (store, _dir) = store();
    let (trees, layers) = fill(&store);
    let unneeded = store.unneeded(&KeepSet::default(), since_now_exactly()).unwrap();
    let again = vec![file(&store, "again", "own 1"), file(&store, "b", "shared")];
    let named = store.put_tree(&tree(again)).unwrap();
    assert!(store.has_tree(&trees[2]) && store.layer(&layers[1]).is_some());
    for step in store.remove_unneeded(unneeded) {
        step.unwrap();
    }
    let keep = KeepSet {
        trees: [named, trees[2]].into(),
        layers: [layers[1]].into(),
        ..KeepSet::default()
    };
    assert!(store.tree(&trees[0]).is_err() && store.layer(&layers[0]).is_none());
    for blob in store.tree(&named).unwrap().digests() {
        assert!(store.has_blob(&blob));
    }
    assert!(store.has_tree(&trees[2]) && keep.layers.iter().all(|key| store.layer(key).is_some()));
}

/// Unused up to this moment; what is used from now on is young.
fn since_now_exactly() -> UnusedSince {
    // Times of files come from a clock that ticks every few milliseconds.
    let begun = SystemTime::now();
    while SystemTime::now().duration_since(begun).unwrap() < Duration::from_millis(20) {
        std::thread::yield_now();
    }
    let now = SystemTime::now() - Duration::from_millis(10);
    UnusedSince {
        files: now,
        layers: now,
    }
}

#[test]
fn spared_blobs_stay() {
    let (store, _dir) = store();
    fill(&store);
    let mut unneeded = store.unneeded(&KeepSet::default(), since_now()).unwrap();
    let spared = Digest::of(b"shared");
    assert!(unneeded.blobs().contains(&spared));
    unneeded.spare(&[spared].into());
    for step in store.remove_unneeded(unneeded) {
        step.unwrap();
    }
    assert!(store.has_blob(&spared) && !store.has_blob(&Digest::of(b"own 0")));
}

/// Somebody names trees over and over while all that was not used for a moment is collected: what was named is whole,
/// gone as a whole, or was refused.
#[test]
fn naming_and_collecting_side_by_side() {
    let (store, _dir) = store();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let collector = scope.spawn(|| {
            let mut collected = 0;
            loop {
                // The last time with nobody beside it, so that there is something to remove however it went before.
                let is_last = stop.load(Ordering::Relaxed);
                let unneeded = store.unneeded(&KeepSet::default(), since_now_exactly()).unwrap();
                for step in store.remove_unneeded(unneeded) {
                    collected += step.unwrap().blobs;
                }
                if is_last {
                    return collected;
                }
            }
        });
        for round in 0..200 {
            let entries = (0..8).map(|n| file(&store, &format!("f{n}"), &format!("{}", (round * n) % 23)));
            match store.put_tree(&tree(entries.collect())) {
                Ok(digest) => assert_whole_or_gone(&store, &digest),
                Err(PutError::BlobMissing { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
        stop.store(true, Ordering::Relaxed);
        assert!(collector.join().unwrap() > 0);
    });
}

fn assert_whole_or_gone(store: &Store, digest: &Digest) {
    match store.materialise(digest) {
        Ok(path) => {
            let found = (0..8).filter(|n| path.join(format!("f{n}")).exists()).count();
            assert!(found == 8 || !path.exists(), "{found} of 8 files");
        }
        // Nobody names it, so it may be gone by now.
        Err(MaterialiseError::Read(_) | MaterialiseError::BlobMissing { .. }) => {}
        Err(error) => panic!("{error}"),
    }
}
