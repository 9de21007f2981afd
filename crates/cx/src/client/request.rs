//! One request and its answer.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use reqwest::{Method, RequestBuilder, Response, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::address::Address;
use super::{problem, sse::SseReader};
use crate::exit::{Exit, Fault};

const CONNECT: Duration = Duration::from_secs(10);
/// The longest silence within one answer. Event streams send a comment every few seconds.
const SILENCE: Duration = Duration::from_secs(90);
/// The largest answer that is taken into memory, in bytes.
const ANSWER_BYTES_MAX: usize = 256 << 20;

/// Talks to one server. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    http: reqwest::Client,
    address: Address,
}

impl Client {
    pub(crate) fn new(address: Address) -> anyhow::Result<Self> {
        Ok(Self {
            http: http(address.local().is_some(), None)?,
            address,
        })
    }

    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        self.json(self.request(Method::GET, path)?).await
    }

    pub(crate) async fn delete<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        self.json(self.request(Method::DELETE, path)?).await
    }

    pub(crate) async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &impl Serialize,
    ) -> anyhow::Result<T> {
        let body = serde_json::to_vec(body).context("cannot write the request")?;
        self.json(
            self.request(method, path)?
                .header(CONTENT_TYPE, "application/json")
                .body(body),
        )
        .await
    }

    /// Sends `body` of exactly `size_bytes`.
    pub(crate) async fn put_bytes(
        &self,
        path: &str,
        body: reqwest::Body,
        size_bytes: u64,
    ) -> anyhow::Result<()> {
        let request = self.request(Method::PUT, path)?;
        let request = request
            .header("content-length", size_bytes)
            .header(CONTENT_TYPE, "application/octet-stream");
        self.answer(request.body(body)).await.map(drop)
    }

    /// Follows an event stream, after the event `last` when given.
    pub(crate) async fn follow(&self, path: &str, last: Option<&str>) -> anyhow::Result<SseReader> {
        let mut request = self
            .request(Method::GET, path)?
            .header(ACCEPT, "text/event-stream");
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        Ok(SseReader::new(self.answer(request).await?))
    }

    fn request(&self, method: Method, path: &str) -> anyhow::Result<RequestBuilder> {
        let url = self
            .address
            .url
            .join(&format!("/api/v1{path}"))
            .context("cannot form the address")?;
        let mut request = self.http.request(method, url);
        if let Some(token) = &self.address.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        Ok(request)
    }

    async fn answer(&self, request: RequestBuilder) -> anyhow::Result<Response> {
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let body = read(response).await.unwrap_or_default();
        Err(problem::fault(status, &body, self.address.text()).into())
    }

    async fn json<T: DeserializeOwned>(&self, request: RequestBuilder) -> anyhow::Result<T> {
        let response = self.answer(request).await?;
        let body = read(response).await?;
        serde_json::from_slice(&body).map_err(|error| {
            let message = format!(
                "{} gave an answer that this cx does not understand: {error}",
                self.address.text()
            );
            Fault::new(Exit::Internal, "unexpected_answer", message)
                .hint("use the same version of cx here and on the server")
                .into()
        })
    }

    fn unreachable(&self, error: &reqwest::Error) -> anyhow::Error {
        let server = self.address.text();
        // What rustls says when the other side answers in plain text.
        if deepest(error).contains("InvalidContentType") {
            let message = format!("{server} does not answer in HTTPS");
            return Fault::new(Exit::Unreachable, "no_tls", message)
                .hint("write the address with http:// if the server has no TLS")
                .into();
        }
        let fault = if error.is_connect() {
            Fault::new(
                Exit::Unreachable,
                "unreachable",
                format!("no Cygni server answers at {server}"),
            )
        } else {
            let why = deepest(error);
            Fault::new(
                Exit::Unreachable,
                "connection_lost",
                format!("the connection to {server} broke: {why}"),
            )
        };
        let hint = match self.address.local() {
            Some(_) if !self.address.named => "start one with `cx serve` or `cx up`",
            Some(_) => "start one there with `cx serve`, or check the address in --url or CX_URL",
            None => "check the address in --url or CX_URL and your network",
        };
        fault.hint(hint).into()
    }
}

/// An HTTP client. What is on this machine is never asked for through a proxy; `pin` names the socket of a host that
/// the system need not be able to resolve.
pub(crate) fn http(local: bool, pin: Option<(&str, SocketAddr)>) -> anyhow::Result<reqwest::Client> {
    let agent = concat!("cx/", env!("CARGO_PKG_VERSION"));
    let mut builder = reqwest::Client::builder()
        .user_agent(agent)
        .connect_timeout(CONNECT)
        .read_timeout(SILENCE);
    if local {
        builder = builder.no_proxy();
    }
    if let Some((host, socket)) = pin {
        builder = builder
            .resolve(host, socket)
            .redirect(reqwest::redirect::Policy::none());
    }
    builder.build().context("cannot set up the HTTP client")
}

/// The whole body of an answer, bounded.
pub(crate) async fn read(mut response: Response) -> anyhow::Result<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.context("the answer broke off")? {
        anyhow::ensure!(
            body.len() + chunk.len() <= ANSWER_BYTES_MAX,
            "the answer is larger than 256 MiB"
        );
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The innermost cause: what really happened.
pub(crate) fn deepest(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

/// `value` as one segment, or as the value of one parameter, of an address.
pub(super) fn quote(value: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~');
    value.bytes().fold(String::new(), |mut text, b| {
        if plain(b) {
            text.push(char::from(b));
        } else {
            text.push_str(&format!("%{b:02X}"));
        }
        text
    })
}

/// An address of `path` with those `parameters` that have a value.
pub(super) fn with_query(path: &str, parameters: &[(&str, Option<String>)]) -> String {
    let given = parameters
        .iter()
        .filter_map(|(name, value)| value.as_ref().map(|value| format!("{name}={}", quote(value))));
    let query = given.collect::<Vec<_>>().join("&");
    if query.is_empty() {
        path.to_owned()
    } else {
        format!("{path}?{query}")
    }
}

/// Host and port of an address, for pinning.
pub(crate) fn host_of(url: &Url) -> Option<(&str, u16)> {
    url.host_str().zip(url.port_or_known_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_quoted_and_absent_ones_left_out() {
        let path = with_query("/logs", &[("kind", Some("a b&c".into())), ("from", None)]);
        assert_eq!(path, "/logs?kind=a%20b%26c");
        assert_eq!(with_query("/logs", &[("from", None)]), "/logs");
    }
}
