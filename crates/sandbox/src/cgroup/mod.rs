//! Control groups: where they can be made on this machine, and the ones of one sandbox.
//!
//! Version 1, hybrid and version 2; without a place to make any, the init approximates (see `init::watch`). Guards
//! against frozen inits: only the command's processes are in the groups that are limited and frozen.

mod discover;
mod group;
mod handles;

pub use discover::PLATFORM_GROUP;
pub(crate) use discover::{Tree, discover};
pub(crate) use group::{create, remove, thaw_all};
pub(crate) use handles::Handles;
