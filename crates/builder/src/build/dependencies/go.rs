//! What `go mod download` reads: the files of all modules, since one may replace another.

use model::Tree;
use model::tree::Entry;

const READ: [&str; 4] = ["go.mod", "go.sum", "go.work", "go.work.sum"];

/// The files that count.
pub(super) fn read(tree: &Tree) -> Vec<Entry> {
    let counts = |entry: &&Entry| READ.contains(&entry.path.file_name());
    tree.entries().iter().filter(counts).cloned().collect()
}
