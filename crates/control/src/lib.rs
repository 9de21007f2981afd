//! Rows, passes and operations: the only SQL over our own state, and the only writer of it.
//!
//! Operations write rows and ring a bell; passes read rows and move the world towards them. Everything outside (the
//! edge, the providers, the builder) is reached through narrow seams, so that the whole can be told as a story in a test.
//! This crate does *not* know HTTP, terminals or how isolation works.

pub mod ops;
pub mod view;
