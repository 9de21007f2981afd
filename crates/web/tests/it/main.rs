//! API and dashboard over HTTP, as clients and browsers meet them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod api;
mod dashboard;
mod description;
mod server;
