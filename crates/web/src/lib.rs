//! The HTTP API and the dashboard: thin skins over the operations of control.
//!
//! Guards against what a browser can be made to do: every request must name one of the platform's own hosts (DNS
//! rebinding), whatever changes something must come from the dashboard's own pages, and no answer but a problem document
//! or a page tells of an error. It has no SQL and no state of its own, and does *not* know how its requests arrive.
//!
//! ```text
//! request ─► guard: id, host ─┬─ /api/v1 ─► bearer token ─► control::ops ─► JSON, event streams
//!                             └─ pages ───► session cookie ─► control::ops ─► HTML
//! ```

mod api;
mod dashboard;
mod extract;
mod guard;
mod problem;
mod rehearsal;
mod service;
mod session;
mod stream;

pub use api::description;
pub use rehearsal::rehearsal;
pub use service::{WebOptions, service};
pub use session::SessionKey;
