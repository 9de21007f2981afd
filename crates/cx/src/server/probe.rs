//! The question that decides whether a deployment is ready: does the edge answer for it through its public route?
//!
//! Asked over a real connection to the edge's own listener, with the host that visitors use. An answer that the edge made
//! up itself does not count.

use std::net::SocketAddr;
use std::time::Duration;

use async_trait::async_trait;
use control::links::{Check, NoAnswer, Probe};
use edge::{DEPLOYMENT_HEADER, ERROR_HEADER};
use reqwest::header::HOST;
use reqwest::redirect::Policy;
use tokio::time::Instant;

/// How long one answer may take; a slow first page is asked for again.
const ANSWER_MAX: Duration = Duration::from_secs(30);
/// Between two questions: short at first, because most servers are there at once.
const PAUSE_MIN: Duration = Duration::from_millis(4);
const PAUSE_MAX: Duration = Duration::from_millis(250);

/// Asks the edge at its own address.
pub(super) struct EdgeProbe {
    client: reqwest::Client,
    address: SocketAddr,
}

impl EdgeProbe {
    pub(super) fn new(address: SocketAddr) -> reqwest::Result<Self> {
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(Policy::none())
            .pool_max_idle_per_host(4)
            .build()?;
        Ok(Self { client, address })
    }

    async fn ask(&self, check: &Check, path: &str, at_most: Duration) -> Result<(), NoAnswer> {
        let edge = |why: String| NoAnswer::Edge {
            deployment: check.deployment.clone(),
            why,
        };
        let url = format!("http://{}{path}", self.address);
        let request = self.client.get(url).header(HOST, &check.host).timeout(at_most);
        let answer = match request.send().await {
            Ok(answer) => answer,
            Err(error) if error.is_timeout() => {
                let why = format!("nothing came within {} s", at_most.as_secs());
                return Err(NoAnswer::Silent {
                    path: path.to_owned(),
                    why,
                });
            }
            Err(error) => return Err(edge(error.to_string())),
        };
        let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok());
        if header(DEPLOYMENT_HEADER) != Some(check.deployment.as_str()) {
            return Err(edge(format!("status {} for another deployment", answer.status())));
        }
        if let Some(code) = header(ERROR_HEADER) {
            return Err(NoAnswer::Silent {
                path: path.to_owned(),
                why: code.replace('_', " "),
            });
        }
        let status = answer.status().as_u16();
        let healthy = match check.health.path {
            None => status < 500,
            Some(_) => (200..400).contains(&status),
        };
        if healthy {
            Ok(())
        } else {
            Err(NoAnswer::Unhealthy {
                path: path.to_owned(),
                status,
            })
        }
    }
}

#[async_trait]
impl Probe for EdgeProbe {
    async fn answer(&self, check: &Check) -> Result<(), NoAnswer> {
        let path = check.health.path.as_deref().unwrap_or("/");
        let deadline = Instant::now() + Duration::from_secs(u64::from(check.health.timeout_seconds));
        let mut pause = PAUSE_MIN;
        loop {
            let left = deadline
                .saturating_duration_since(Instant::now())
                .min(ANSWER_MAX)
                .max(PAUSE_MAX);
            let Err(no_answer) = self.ask(check, path, left).await else {
                return Ok(());
            };
            if Instant::now() + pause >= deadline {
                return Err(no_answer);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }
}
