//! The edge as a visitor meets it: real sockets, a real store, applications behind a dialer of the test.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where something is not as it must be"
)]

mod application;
mod balancing;
mod codings;
mod files;
mod forwarding;
mod hosts;
mod http2;
mod leaving;
mod limits;
mod live;
mod streams;
mod switching;
mod visitor;
mod waking;
mod world;
