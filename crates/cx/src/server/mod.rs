//! The server: data directory, wiring of all parts, start and end.
//!
//! It is put together here and nowhere else: control and edge know each other only through the channels of `links`.

mod data;
mod forges;
mod links;
mod manager;
mod options;
mod platform;
mod probe;
mod sender;
mod settings;
mod start;

pub(crate) use data::{RESTORING, lock};
pub(crate) use manager::Manager;
pub(crate) use options::ServerOptions;
pub(crate) use settings::{FILE as SETTINGS_FILE, Settings, UNREADABLE};
pub(crate) use start::Server;
