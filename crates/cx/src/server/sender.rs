//! Requests to subscribers: one each, to exactly the address that the operator gave. A redirection is not followed, since it
//! could lead anywhere, and what an answer says is not read.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::Context as _;
use async_trait::async_trait;
use control::links::{Answered, Outgoing, Sender};
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, Proxy, Response, Url};

use crate::client::deepest;

const CONNECT_MAX: Duration = Duration::from_secs(5);

/// Sends over HTTP.
pub(super) struct HttpSender {
    direct: Client,
    /// For everything that is not on this machine.
    outside: Client,
}

impl HttpSender {
    pub(super) fn new(proxy: Option<&str>) -> anyhow::Result<Self> {
        let builder = || {
            Client::builder()
                .user_agent(concat!("Cygni-Hook/", env!("CARGO_PKG_VERSION")))
                .connect_timeout(CONNECT_MAX)
                .redirect(Policy::none())
                .no_proxy()
        };
        let direct = builder().build().context("cannot set up the HTTP client")?;
        let outside = match proxy {
            Some(proxy) => {
                let proxy = Proxy::all(proxy).context("the address of the proxy cannot be used")?;
                let built = builder().proxy(proxy).build();
                built.context("cannot set up the HTTP client")?
            }
            None => direct.clone(),
        };
        Ok(Self { direct, outside })
    }
}

#[async_trait]
impl Sender for HttpSender {
    async fn send(&self, outgoing: Outgoing) -> Result<Answered, String> {
        let url = Url::parse(&outgoing.url).map_err(|error| error.to_string())?;
        let client = match is_here(&url) {
            true => &self.direct,
            false => &self.outside,
        };
        let mut request = client.post(url).header(CONTENT_TYPE, "application/json");
        for (name, value) in outgoing.headers {
            request = request.header(name, value);
        }
        let response = request.body(outgoing.body).send().await;
        let response = response.map_err(|error| format!("no answer: {}", deepest(&error)))?;
        Ok(Answered {
            status: response.status().as_u16(),
            retry_after: retry_after(&response),
        })
    }
}

/// Seconds; a date is not understood, and the usual time is waited.
fn retry_after(response: &Response) -> Option<Duration> {
    let value = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    value.trim().parse().ok().map(Duration::from_secs)
}

/// Whether the address is one of this machine.
fn is_here(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_never_asked_for_through_a_proxy() {
        for (url, here) in [
            ("http://127.0.0.1:1/", true),
            ("http://[::1]/", true),
            ("http://localhost/x", true),
            ("http://10.0.0.1/", false),
            ("https://ci.example.org/", false),
        ] {
            assert_eq!(is_here(&Url::parse(url).unwrap()), here, "{url}");
        }
    }
}
