//! The whole, as a user meets it: the real binary, every directory of `examples/`, real HTTP through the edge.
//!
//! Each test has a server of its own over a data directory of its own, and ends by comparing processes, mounts, cgroups
//! and files with what was there before.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(
    clippy::disallowed_methods,
    reason = "the tests run the binary and the browser"
)]

mod browser;
#[allow(dead_code, reason = "the tests of the builder ask for more of it")]
#[path = "../../../builder/tests/it/git_server.rs"]
mod git_server;
mod http;
mod platform;
mod traces;

mod backup;
mod balancing;
mod broken;
mod completions;
mod crash;
mod crash_loop;
mod crash_rounds;
mod dashboard;
mod dev;
mod disk;
mod escape;
mod examples;
mod git_listen;
mod gitea;
mod github_setup;
mod hooks;
mod input;
mod interrupted;
mod lifecycle;
mod neighbours;
mod program;
mod pull_requests;
mod room;
mod rootless;
mod schemathesis;
mod service;
mod stopping;
mod tools;
mod up;
mod watch;
