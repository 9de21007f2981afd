//! The output of a failed tool: whatever it prints, the places are files of the source, few, and shown as text.

#![no_main]

use builder::diagnose::{Sources, explain};
use libfuzzer_sys::fuzz_target;
use model::failure::{Code, LOCATIONS_MAX};
use model::tree::{Entry, Node};
use model::{Digest, Failure, Tree, TreePath};

fuzz_target!(|output: &str| {
    let entry = |path: &str| Entry {
        path: TreePath::new(path).unwrap(),
        node: Node::File { digest: Digest::of(b""), size_bytes: 0, executable: false },
    };
    let tree = Tree::new(["a.js", "src/b.ts", "web/c.py"].map(entry).to_vec()).unwrap();
    let lines: Vec<String> = output.lines().map(str::to_owned).collect();
    let sources = Sources { tree: &tree, root: "web" };
    let failure = explain(Failure::new(Code::BuildFailed, "it failed"), &lines, sources);
    assert!(failure.locations.len() <= LOCATIONS_MAX && failure.message.len() < 4_096);
    assert!(failure.locations.iter().all(|location| tree.get(&location.file).is_some()));
});
