//! Calls over HTTP to a forge: each ends within its time, reads no more than it may, follows nothing by itself, and is
//! not tried again. What an answer's status means is up to the kind of forge.

use std::time::Duration;

use futures_util::StreamExt as _;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, StatusCode, Url};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::ForgeError;
use crate::settings::{OpenError, Reach};

/// Most bytes of an answer.
pub(crate) const ANSWER_BYTES_MAX: usize = 8 << 20;
/// Most characters of what a forge says about an error that are passed on.
const MESSAGE_CHARS_MAX: usize = 500;

#[derive(Clone, Debug)]
pub(crate) struct Http {
    client: reqwest::Client,
    base: Url,
}

/// One call.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Option<Value>,
}

impl Call {
    pub(crate) fn header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(mut value) = HeaderValue::from_str(value) {
            value.set_sensitive(name == reqwest::header::AUTHORIZATION);
            self.headers.insert(name, value);
        }
        self
    }
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Http {
    /// A client for the API at `base`.
    pub(crate) fn new(base: &str, reach: &Reach) -> Result<Self, OpenError> {
        let base = address(base)?;
        // Harmless where the program has chosen one already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(reach.call_timeout)
            .pool_idle_timeout(Duration::from_secs(30))
            .user_agent(concat!("cygni/", env!("CARGO_PKG_VERSION")));
        if let Some(proxy) = &reach.proxy
            && !on_this_machine(&base)
        {
            let proxy = reqwest::Proxy::all(proxy);
            client = client.proxy(proxy.map_err(|error| OpenError::Client(error.to_string()))?);
        }
        Ok(Self {
            client: client
                .build()
                .map_err(|error| OpenError::Client(error.to_string()))?,
            base,
        })
    }

    /// The call of `method` at the path of `segments` below the base, each percent-encoded whole.
    pub(crate) fn call(&self, method: Method, segments: &[&str]) -> Call {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        Call {
            method,
            url,
            headers: HeaderMap::new(),
            body: None,
        }
    }

    /// Whether an address that an answer names is one of this forge's, so that our credentials may be sent there.
    pub(crate) fn is_own(&self, url: &Url) -> bool {
        url.origin() == self.base.origin()
    }

    /// The whole answer, whatever its status; no whole answer is [`ForgeError::Unavailable`].
    pub(crate) async fn send(&self, call: &Call) -> Result<Answer, ForgeError> {
        let mut request = self
            .client
            .request(call.method.clone(), call.url.clone())
            .headers(call.headers.clone());
        if let Some(body) = &call.body {
            request = request
                .header(reqwest::header::CONTENT_TYPE, "application/json")
                .body(body.to_string());
        }
        let failed = |error: reqwest::Error| unavailable(call, &causes(&error.without_url()));
        let response = request.send().await.map_err(failed)?;
        let (status, headers) = (response.status(), response.headers().clone());
        let (mut body, mut stream) = (Vec::new(), response.bytes_stream());
        while let Some(chunk) = stream.next().await {
            body.extend_from_slice(&chunk.map_err(failed)?);
            if body.len() > ANSWER_BYTES_MAX {
                let message = format!("the answer is longer than {} MiB", ANSWER_BYTES_MAX >> 20);
                return Err(unavailable(call, &message));
            }
        }
        Ok(Answer {
            status,
            headers,
            body,
        })
    }
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body as JSON; anything else is no answer.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, ForgeError> {
        serde_json::from_slice(&self.body).map_err(|error| ForgeError::Unavailable {
            message: format!("the answer cannot be read: {error}"),
        })
    }

    /// The address that the `Link` header calls `rel`.
    pub(crate) fn link(&self, rel: &str) -> Option<Url> {
        let wanted = format!("rel=\"{rel}\"");
        self.header("link")?.split(',').find_map(|link| {
            let (target, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
            let is_wanted = parameters.split(';').any(|parameter| parameter.trim() == wanted);
            is_wanted.then(|| Url::parse(target).ok()).flatten()
        })
    }
}

/// `text` as the base of addresses.
pub(crate) fn address(text: &str) -> Result<Url, OpenError> {
    let url = Url::parse(text).map_err(|_| OpenError::Address(text.to_owned()))?;
    let is_plain = url.username().is_empty() && url.password().is_none() && url.query().is_none();
    match url.scheme() {
        "http" | "https" if url.host_str().is_some() && is_plain => Ok(url),
        _ => Err(OpenError::Address(text.to_owned())),
    }
}

pub(crate) fn unavailable(call: &Call, why: &str) -> ForgeError {
    ForgeError::Unavailable {
        message: format!("{} {}: {why}", call.method, call.url.path()),
    }
}

/// What a forge says, short enough to be shown.
pub(crate) fn shortened(message: &str) -> String {
    match message.char_indices().nth(MESSAGE_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &message[..end]),
        None => message.to_owned(),
    }
}

fn on_this_machine(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

fn causes(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    shortened(&text)
}
