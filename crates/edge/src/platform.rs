//! The service that answers for the platform's own hosts, given from outside so that the edge does not know it.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt;
use tower_service::Service;

use crate::{Body, BoxError};

type Answer = Pin<Box<dyn Future<Output = Response<Body>> + Send>>;

/// A service of the platform. Cheap to clone.
#[derive(Clone)]
pub struct PlatformService {
    call: Arc<dyn Fn(Request<Body>) -> Answer + Send + Sync>,
}

impl PlatformService {
    /// Takes any service that always answers, such as a router of axum. Each request comes with a
    /// [`Peer`](crate::Peer) and a valid `x-request-id`.
    pub fn new<S, B>(service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<B>, Error = Infallible> + Clone + Send + Sync + 'static,
        S::Future: Send,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let call = move |request| {
            let mut service = service.clone();
            Box::pin(async move {
                let Ok(()) = poll_fn(|context| service.poll_ready(context)).await;
                let answer: Pin<Box<dyn Future<Output = Result<Response<B>, Infallible>> + Send>> =
                    Box::pin(service.call(request));
                let Ok(response) = answer.await;
                response.map(|body| body.map_err(Into::into).boxed_unsync())
            }) as Answer
        };
        Self { call: Arc::new(call) }
    }

    pub(crate) async fn call(&self, request: Request<Body>) -> Response<Body> {
        (self.call)(request).await
    }
}
