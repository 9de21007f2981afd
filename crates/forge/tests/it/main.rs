//! Forges at their protocols.

mod github;
