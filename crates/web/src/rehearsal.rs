//! A place for deliveries where nothing is done because of them: what would be done is told instead.

use axum::Json as Answer;
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use control::view::Rehearsal;
use http::HeaderMap;
use tokio::sync::mpsc;

use crate::api::webhooks::{headers_of, read, refused};
use crate::api::{health, webhooks};
use crate::problem::Problem;
use crate::service::Web;
use crate::{WebOptions, guard};

#[derive(Clone)]
struct Stage {
    web: Web,
    told: mpsc::Sender<Rehearsal>,
}

/// Takes deliveries at `/webhook`, tells each to `told`, and answers with it. Control must be over a copy of the rows.
pub fn rehearsal(options: WebOptions, told: mpsc::Sender<Rehearsal>) -> Router {
    let web = Web::new(options);
    let stage = Stage {
        web: web.clone(),
        told,
    };
    let health = Router::new()
        .route("/api/v1/health", get(health::get))
        .with_state(web.clone());
    Router::new()
        .route("/webhook", post(rehearse))
        .with_state(stage)
        .merge(health)
        .fallback(guard::unknown_path)
        .layer(from_fn_with_state(web, guard::guard))
}

async fn rehearse(
    State(stage): State<Stage>,
    headers: HeaderMap,
    body: Body,
) -> Result<Answer<Rehearsal>, Problem> {
    let body = read(&stage.web, &headers, body).await?;
    let forge = webhooks::only_forge(&stage.web).await?;
    let rehearsed = stage
        .web
        .control
        .rehearse(&forge, &headers_of(&headers), &body)
        .await;
    let rehearsed = rehearsed.map_err(refused)?;
    // Nobody listens any more only when the process ends.
    let _ = stage.told.send(rehearsed.clone()).await;
    Ok(Answer(rehearsed))
}
