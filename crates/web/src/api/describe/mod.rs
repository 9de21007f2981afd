//! What the API is, as data: one table of operations makes both the routes and their description.
//!
//! Guards against a route that nobody described and a description of what is not there: neither can be written down
//! alone. It does *not* know what the operations do.

mod document;
mod examples;
mod operation;
mod problems;

pub(crate) use document::bytes;
pub use document::document;
pub(crate) use operation::{Operation, operation};
