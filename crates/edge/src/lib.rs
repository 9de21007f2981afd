//! Request to instance: hosts, proxying, waking, static files.
//!
//! Serves from an in-memory [`RouteTable`](model::route::RouteTable) and from the store, and from nothing else: no rows,
//! no builds. It keeps serving the last table when whoever makes tables is down. Hosts are looked up and never parsed.
//!
//! ```text
//! connection ─► host ─┬─ the platform's own ─► platform service
//!                     ├─ static files ───────► store
//!                     ├─ instances awake ────► the least busy ─► pooled connection ─► instance
//!                     ├─ instances asleep ───► wake request, hold, look again
//!                     └─ notice, unknown ────► page or problem document
//! ```

mod activity;
mod alarm;
mod answer;
mod balance;
mod connection;
mod edge;
mod files;
mod hold;
mod host;
mod live;
mod opening;
mod options;
mod pace;
mod page;
mod platform;
mod proxy;
mod request_id;
mod sendfile;
mod serve;
mod stalling;
mod switched;
mod table;
mod upload;
mod visitors;
mod worker;

pub use activity::{Activity, Load};
pub use answer::{Body, BoxError, DEPLOYMENT_HEADER, ERROR_HEADER, REQUEST_ID_HEADER};
pub use connection::Peer;
pub use edge::{BindError, Edge};
pub use options::{Dial, EdgeLimits, EdgeLinks, EdgeOptions};
pub use platform::PlatformService;
