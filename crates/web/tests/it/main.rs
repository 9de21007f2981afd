//! API and dashboard over HTTP, as clients and browsers meet them.

mod api;
mod dashboard;
mod server;
