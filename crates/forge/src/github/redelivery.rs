//! Deliveries that did not arrive: GitHub does not try again by itself, but keeps them for a while and sends them again
//! when asked.

use std::collections::BTreeMap;

use jiff::Timestamp;
use reqwest::Method;
use serde::Deserialize;

use super::api::{Api, Identity, Right};
use super::pages;
use crate::error::ForgeError;
use crate::http::{Call, unavailable};

/// Most attempts of one delivery, beginning with GitHub's own; what fails as often is given up.
const ATTEMPTS_MAX: usize = 5;

#[derive(Clone, Deserialize)]
struct Delivery {
    id: u64,
    /// The same for all attempts.
    guid: String,
    delivered_at: Timestamp,
    status_code: u16,
}

/// Asks again for what no attempt has brought here since then.
pub(super) async fn failed_since(api: &Api, since_ms: i64) -> Result<u32, ForgeError> {
    if !matches!(api.identity, Identity::App { .. }) {
        return Err(ForgeError::Unsupported(
            "deliveries that can be asked for again, without an App",
        ));
    }
    let mut attempts: BTreeMap<String, Vec<Delivery>> = BTreeMap::new();
    for delivery in since(api, since_ms).await? {
        attempts.entry(delivery.guid.clone()).or_default().push(delivery);
    }
    let mut asked = 0;
    for attempts in attempts.into_values() {
        let arrived = attempts
            .iter()
            .any(|attempt| (200..300).contains(&attempt.status_code));
        if arrived || attempts.len() >= ATTEMPTS_MAX {
            continue;
        }
        // The newest comes first.
        let id = attempts[0].id.to_string();
        let call = api.call(Method::POST, &["app", "hook", "deliveries", &id, "attempts"]);
        match api.send(Right::App, call).await {
            Ok(_) => asked += 1,
            // Too old by now, or not to be had any more.
            Err(ForgeError::NotFound { .. } | ForgeError::Refused { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(asked)
}

/// All attempts since then, newest first.
async fn since(api: &Api, since_ms: i64) -> Result<Vec<Delivery>, ForgeError> {
    let mut all = Vec::new();
    let mut call = pages::paged(api.call(Method::GET, &["app", "hook", "deliveries"]));
    for _ in 0..pages::PAGES_MAX {
        let answer = api.send(Right::App, call.clone()).await?;
        let page: Vec<Delivery> = answer.json()?;
        let is_new = |delivery: &Delivery| delivery.delivered_at.as_millisecond() >= since_ms;
        let reaches_back = !page.iter().all(is_new);
        all.extend(page.into_iter().filter(is_new));
        match answer.link("next") {
            Some(url) if !reaches_back => {
                if !api.is_own(&url) {
                    return Err(unavailable(&call, "the next page is at another server"));
                }
                call = Call { url, ..call };
            }
            _ => return Ok(all),
        }
    }
    // More than can be looked through: the newest are what matters.
    Ok(all)
}
