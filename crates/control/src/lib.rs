//! Rows, passes and operations: the only SQL over our own state, and the only writer of it.
//!
//! Operations write rows and ring a bell; passes read rows and move the world towards them. Everything outside (the
//! edge, the providers, the builder) is reached through narrow seams, so that the whole can be told as a story in a test.
//! This crate does *not* know HTTP, terminals or how isolation works.

pub mod backup;
mod bell;
mod changes;
mod clock;
mod control;
mod db;
mod disk;
mod flush;
mod forges;
mod journal;
mod lease;
pub mod links;
pub mod ops;
mod outgoing;
mod passes;
mod patience;
mod patient_forge;
mod policy;
mod render;
mod rows;
mod secret;
mod variables;
pub mod view;

pub use clock::Clock;
pub use control::{Control, ControlOptions, OpenError, PublicAddress};
pub use db::CommitCheck;
pub use disk::Disk;
pub use policy::Policy;
pub use secret::KEY_BYTES;
