//! Forges at their protocols.

mod gitea;
mod github;
