//! Makes the compressed forms of what is served, once for every blob, beside everything else: a deployment never waits
//! for them, and until they are there files are sent as they are.
//!
//! Guards against being in the way: one thread, of the lowest priority, which stops between two files.

use std::collections::HashSet;
use std::sync::Arc;

use model::Digest;
use model::route::{RouteTable, Target};
use model::tree::Node;
use rustix::process::setpriority_process;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{Files, kind};

/// The lowest priority there is.
const NICE: i32 = 19;

pub(crate) struct Encoder {
    pub(crate) files: Arc<Files>,
    pub(crate) tables: watch::Receiver<Arc<RouteTable>>,
    /// Ends it after the file that it works on.
    pub(crate) stop: CancellationToken,
}

impl Encoder {
    /// Starts its thread, which waits for tables on `home`.
    pub(crate) fn start(mut self, home: Handle) -> std::io::Result<()> {
        let work = move || {
            // On Linux this is about the thread and not about the process.
            if let Err(error) = setpriority_process(None, NICE) {
                tracing::warn!(%error, "files are compressed at the priority of everything else");
            }
            let mut done = HashSet::new();
            loop {
                let table = self.tables.borrow_and_update().clone();
                let trees = trees(&table);
                done.retain(|tree| trees.contains(tree));
                for tree in trees {
                    if !done.contains(&tree) && !self.encode(&tree) {
                        return;
                    }
                    done.insert(tree);
                }
                let newer = home.block_on(async {
                    tokio::select! {
                        changed = self.tables.changed() => changed.is_ok(),
                        () = self.stop.cancelled() => false,
                    }
                });
                if !newer {
                    return;
                }
            }
        };
        std::thread::Builder::new()
            .name("edge-encoder".to_owned())
            .spawn(work)?;
        Ok(())
    }

    /// `false` when it is to end.
    fn encode(&self, digest: &Digest) -> bool {
        let tree = match self.files.store.read_tree(digest) {
            Ok(tree) => tree,
            Err(error) => {
                tracing::warn!(%error, "the files of a tree are sent as they are");
                return true;
            }
        };
        for entry in tree.entries() {
            if self.stop.is_cancelled() {
                return false;
            }
            let Node::File { digest, .. } = &entry.node else {
                continue;
            };
            if !kind::is_compressible(kind::of(entry.path.as_str())) {
                continue;
            }
            match self.files.store.encode_blob(digest) {
                Ok(true) => self.files.shelf.forget(digest),
                Ok(false) => {}
                Err(error) => tracing::warn!(%error, %digest, "a file is sent as it is"),
            }
        }
        true
    }
}

fn trees(table: &RouteTable) -> HashSet<Digest> {
    let tree = |target: &Target| match target {
        Target::Static { tree, .. } => Some(*tree),
        _ => None,
    };
    table
        .routes
        .values()
        .filter_map(|route| tree(&route.target))
        .collect()
}
