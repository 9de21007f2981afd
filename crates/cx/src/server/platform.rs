//! The service for the platform's own hosts, which is there only after control; control needs the edge, and the edge
//! needs the service. So the edge is given a place that is filled before it takes its first request.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body;
use http::{Request, Response, StatusCode};
use tower_service::Service;

/// A router that is given later. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Platform {
    router: Arc<OnceLock<Router>>,
}

impl Platform {
    /// Fills the place; the first router stays.
    pub(super) fn fill(&self, router: Router) {
        self.router.get_or_init(|| router);
    }
}

impl Service<Request<edge::Body>> for Platform {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<edge::Body>) -> Self::Future {
        let router = self.router.get().cloned();
        Box::pin(async move {
            match router {
                Some(mut router) => router.call(request.map(Body::new)).await,
                None => {
                    let mut response = Response::new(Body::empty());
                    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
                    Ok(response)
                }
            }
        })
    }
}
