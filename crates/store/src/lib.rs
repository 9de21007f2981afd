//! Content-addressed blobs and trees, layers and garbage collection.
//!
//! Bytes are immutable and named by digest, a put is atomic, and nothing that is named is collected. Everything here
//! blocks: callers in async code use `spawn_blocking`. This crate does *not* know what a tree or a layer is for, nor
//! which rows name it; it is told what to keep.
//!
//! One directory holds everything, on one file system, owned by the platform's user:
//!
//! ```text
//! blobs/<2 hex>/<hex>    file contents, 0644: in a sandbox the files of a source belong to the app, and tools rewrite them
//! exec/<2 hex>/<hex>     the same bytes again, 0755, where a tree has them executable
//! encoded/<2 hex>/<hex>.<coding>  the bytes of a blob, compressed for visitors; empty where that is not worth it
//! manifests/<hex>        trees in their canonical form
//! trees/<hex>/files/     trees as directories, hard links to the blobs
//! layers/<hex>/files/    raw directories: the upper part of an overlay, or a toolchain
//! scratch/<name>/        writable directories of builds and instances
//! staging/               what is being made; emptied at every start
//! synced                 the boot in which, and the time at which, everything was last known to be on disk
//! ```

pub mod archive;
mod blob;
mod collect;
mod durable;
mod encoded;
mod export;
mod import;
mod layer;
mod materialise;
mod measure;
mod overlay;
mod remove;
mod scratch;
mod store;
mod tree;
mod usage;

pub use blob::{BlobWriter, PutError};
pub use collect::{CollectError, Collected, KeepSet, Unneeded, UnusedSince};
pub use encoded::{Coding, ENCODE_BYTES_MAX, ENCODE_BYTES_MIN};
pub use export::{Contents, ExportError};
pub use import::{ImportError, ImportLimits};
pub use layer::{StageError, Staging};
pub use materialise::MaterialiseError;
pub use measure::{Pace, TooMuch, measure};
pub use scratch::ScratchError;
pub use store::{OpenError, Store, WriteCheck};
pub use tree::ReadError;
pub use usage::{Room, Taken, Usage};
