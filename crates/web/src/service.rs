//! The whole service: what it is given, and how its parts are put together.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::post;
use control::Control;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::session::SessionKey;
use crate::{api, dashboard, guard};

/// Bytes of a body where a call says nothing else.
pub(crate) const BODY_BYTES_MAX: usize = 256 << 10;
/// Event streams open at a time.
const FOLLOWERS_MAX: usize = 512;
/// Requests with large bodies that are read into memory at a time.
const LARGE_BODIES_MAX: usize = 4;
/// Blobs received at a time.
const UPLOADS_MAX: usize = 64;

/// What the service is given.
pub struct WebOptions {
    pub control: Control,
    /// Hosts that it answers for, lower case and without port: the bare domain or the dashboard's host, `127.0.0.1`,
    /// `[::1]`. Requests for any other host are refused.
    pub hosts: Vec<String>,
    /// Where the dashboard is, as `http://localhost:7700`; told to clients.
    pub dashboard_url: String,
    pub session: SessionKey,
    /// The forge whose deliveries come to `/webhook`; the only one there is where it is `None`.
    pub webhook_forge: Option<String>,
    /// Ends event streams, which would otherwise hold up the end of the process.
    pub closing: CancellationToken,
}

/// What the handlers share.
#[derive(Clone)]
pub(crate) struct Web {
    pub(crate) control: Control,
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) hosts: Vec<String>,
    pub(crate) dashboard_url: String,
    pub(crate) session: SessionKey,
    pub(crate) webhook_forge: Option<String>,
    pub(crate) closing: CancellationToken,
    pub(crate) followers: Arc<Semaphore>,
    pub(crate) large_bodies: Semaphore,
    pub(crate) uploads: Semaphore,
}

impl Web {
    pub(crate) fn new(options: WebOptions) -> Self {
        Self {
            control: options.control,
            shared: Arc::new(Shared {
                hosts: options.hosts,
                dashboard_url: options.dashboard_url,
                session: options.session,
                webhook_forge: options.webhook_forge,
                closing: options.closing,
                followers: Arc::new(Semaphore::new(FOLLOWERS_MAX)),
                large_bodies: Semaphore::new(LARGE_BODIES_MAX),
                uploads: Semaphore::new(UPLOADS_MAX),
            }),
        }
    }

    /// Whether the dashboard is reached over TLS, so that cookies may and must be marked so.
    pub(crate) fn secure(&self) -> bool {
        self.shared.dashboard_url.starts_with("https:")
    }
}

/// The API below `/api/v1`, the dashboard everywhere else.
pub fn service(options: WebOptions) -> Router {
    let web = Web::new(options);
    Router::new()
        .nest("/api/v1", api::routes(&web))
        .route("/webhook", post(api::webhooks::deliver_to_only))
        .merge(dashboard::routes(&web))
        .fallback(guard::unknown_path)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(from_fn_with_state(web.clone(), guard::guard))
        .with_state(web)
}
