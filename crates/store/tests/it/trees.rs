use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use model::Digest;
use model::tree::{Entry, Node};
use store::{MaterialiseError, PutError, ReadError, Store};

use crate::{file, link, names, store, tree};

#[test]
fn a_tree_survives_a_restart() {
    let (store, dir) = store();
    let tree = tree(vec![
        file(&store, "a", "1"),
        file(&store, "b/c*", "2"),
        link("b/l", "../a"),
    ]);
    let digest = store.put_tree(&tree).unwrap();
    assert_eq!(digest, tree.digest());
    let again = Store::open(dir.path()).unwrap();
    assert_eq!(*again.tree(&digest).unwrap(), tree);
}

#[test]
fn a_tree_of_missing_or_mislabelled_blobs_is_refused() {
    let (store, _dir) = store();
    let absent = Entry {
        path: "x".parse().unwrap(),
        node: Node::File {
            digest: Digest::of(b"absent"),
            size_bytes: 6,
            executable: false,
        },
    };
    let error = store
        .put_tree(&tree(vec![file(&store, "a", "1"), absent]))
        .unwrap_err();
    assert!(
        matches!(error, PutError::BlobMissing { count: 1, ref path, .. } if path == "x"),
        "{error}"
    );
    let mut lie = file(&store, "a", "1");
    if let Node::File { size_bytes, .. } = &mut lie.node {
        *size_bytes = 99;
    }
    assert!(matches!(
        store.put_tree(&tree(vec![lie])),
        Err(PutError::WrongSize { claimed: 99, .. })
    ));
}

#[test]
fn a_damaged_or_absent_manifest_is_told_apart() {
    let (store, dir) = store();
    let digest = store.put_tree(&tree(vec![file(&store, "a", "1")])).unwrap();
    let path = dir.path().join("manifests").join(digest.hex());
    fs::remove_file(&path).unwrap();
    fs::write(&path, "{}").unwrap();
    let again = Store::open(dir.path()).unwrap();
    assert!(matches!(again.tree(&digest), Err(ReadError::Damaged(_))));
    assert!(matches!(
        again.tree(&Digest::of(b"?")),
        Err(ReadError::Missing(_))
    ));
}

#[test]
fn a_tree_becomes_a_directory_of_links() {
    let (store, dir) = store();
    let entries = vec![
        file(&store, "plain", "same"),
        file(&store, "deep/er/run*", "same"),
        file(&store, "deep/empty", ""),
        link("deep/l", "../plain"),
    ];
    let digest = store.put_tree(&tree(entries)).unwrap();
    let path = store.materialise(&digest).unwrap();
    assert_eq!(fs::read_to_string(path.join("deep/l")).unwrap(), "same");
    let mode = |name: &str| fs::metadata(path.join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(
        (mode("plain"), mode("deep/er/run"), mode("deep")),
        (0o644, 0o755, 0o755)
    );
    assert_eq!(fs::metadata(path.join("plain")).unwrap().nlink(), 2);
    assert_eq!(store.materialise(&digest).unwrap(), path);
    assert!(names(&dir, "staging").is_empty());
}

#[test]
fn large_trees_and_races_give_one_complete_directory() {
    let (store, dir) = store();
    let entries = (0..5_000)
        .map(|n| file(&store, &format!("d{}/f{n}", n % 50), &format!("{}", n % 7)))
        .collect();
    let digest = store.put_tree(&tree(entries)).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| store.materialise(&digest).unwrap());
        }
    });
    let path = store.materialise(&digest).unwrap();
    assert_eq!(fs::read_to_string(path.join("d49/f4999")).unwrap(), "1");
    assert_eq!(fs::read_dir(&path).unwrap().count(), 50);
    assert!(names(&dir, "staging").is_empty());
}

#[test]
fn more_links_than_the_file_system_takes_are_no_obstacle() {
    let (store, _dir) = store();
    // ext4 takes 65,000 links to one file.
    let empty = file(&store, "x", "").node;
    let entry = |n: usize| Entry {
        path: format!("d{}/{n}", n % 64).parse().unwrap(),
        node: empty.clone(),
    };
    let digest = store.put_tree(&tree((0..65_500).map(entry).collect())).unwrap();
    let path = store.materialise(&digest).unwrap();
    let count: usize = (0..64)
        .map(|n| fs::read_dir(path.join(format!("d{n}"))).unwrap().count())
        .sum();
    assert_eq!(count, 65_500);
}

#[test]
fn a_lost_blob_is_named() {
    let (store, dir) = store();
    let digest = store.put_tree(&tree(vec![file(&store, "a/b", "1")])).unwrap();
    fs::remove_file(store.blob_path(&Digest::of(b"1"))).unwrap();
    let error = store.materialise(&digest).unwrap_err();
    assert!(
        matches!(error, MaterialiseError::BlobMissing { ref path } if path == "a/b"),
        "{error}"
    );
    assert!(names(&dir, "staging").is_empty() && names(&dir, "trees").is_empty());
}
