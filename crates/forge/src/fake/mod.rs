//! Forges for tests, that speak the real protocols over real sockets.

pub mod gitea;
pub mod github;

pub use gitea::RealGitea;
pub use github::FakeGitHub;
