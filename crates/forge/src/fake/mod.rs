//! Forges for tests, that speak the real protocols over real sockets.

pub mod github;

pub use github::FakeGitHub;
