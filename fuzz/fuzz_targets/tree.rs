//! A manifest of a tree, as the API takes it: whatever is accepted stays below its root and names itself.

#![no_main]

use std::path::{Component, Path};

use libfuzzer_sys::fuzz_target;
use model::Tree;
use model::tree::{Entry, Node};

fuzz_target!(|bytes: &[u8]| {
    let Ok(tree) = serde_json::from_slice::<Tree>(bytes) else {
        return;
    };
    for entry in tree.entries() {
        let path = Path::new(entry.path.as_str());
        assert!(path.components().all(|part| matches!(part, Component::Normal(_))));
        assert!(tree.get(entry.path.as_str()) == Some(&entry.node));
        if let Some(above) = entry.path.parent() {
            assert!(tree.has_directory(above) && tree.get(above).is_none());
            assert!(tree.subtree(above).get(entry.path.file_name()).is_some());
        }
        if let Node::Symlink { target } = &entry.node {
            assert!(!leaves(entry.path.parent().unwrap_or(""), target), "{target}");
        }
    }
    let lines = serde_json::Deserializer::from_slice(&tree.canonical())
        .into_iter::<Entry>()
        .collect::<Result<Vec<_>, _>>();
    assert_eq!(Tree::new(lines.unwrap()).unwrap().digest(), tree.digest());
});

/// Whether a walk from the directory `from` along `target` ever stands above the root.
fn leaves(from: &str, target: &str) -> bool {
    let mut depth = Path::new(from).components().count();
    for part in Path::new(target).components() {
        match part {
            Component::Normal(_) => depth += 1,
            Component::ParentDir if depth == 0 => return true,
            Component::ParentDir => depth -= 1,
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return true,
        }
    }
    false
}
