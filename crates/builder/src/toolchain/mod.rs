//! Toolchains: Node, Python, Go, Rust and what belongs to them, as layers in the store.
//!
//! A requirement is a version range. It is met by a layer that is in the store already, else by what lies on the
//! machine (copied, never run outside a sandbox), else by a package of the registry, whose hash is checked before it is
//! unpacked. Which one is taken depends on what is there, so the exact version and the layer are part of every key.
//! Nothing here knows plans or frameworks.

mod choice;
mod copy;
mod elf;
#[cfg(any(test, fuzzing))]
pub(crate) mod hostile;
mod index;
mod kind;
mod kinds;
mod machine;
mod registry;
mod resolve;
mod unpack;
mod version;

pub use machine::{Installation, find, places};
pub use registry::Registries;
pub(crate) use resolve::{Resolved, Toolchains};
pub use version::{ParseRangeError, Range, Version};
