//! The client of the HTTP API.
//!
//! Every command that is not the server itself goes through here. It knows how to find a local server and its token,
//! turns problem documents into [`Fault`]s, and follows event streams. It does *not* print.

mod address;
mod api;
mod event;
mod problem;
mod repositories;
mod request;
mod sse;
mod subscribers;

pub(crate) use address::{Address, DEFAULT_PORT, find};
pub(crate) use api::{Live, NewDeployment, Uploaded, VariableScope};
pub(crate) use repositories::Connection;
pub(crate) use request::{Client, deepest, host_of, http};
pub(crate) use sse::SseReader;
pub(crate) use subscribers::{Again, NewHook};
