//! The source of a commit, fetched by the machine's git in a sandbox.
//!
//! Guards against what a repository can say: nothing of it is executed, its submodules are fetched from addresses that
//! were checked, and credentials go to the forge alone and are gone with the step. It does *not* know forges: an address
//! and a header come in, a tree in the store comes out.

mod failure;
mod request;
mod settings;
mod step;

pub use request::{FetchRequest, Fetched, Remote};
pub(crate) use step::command;
