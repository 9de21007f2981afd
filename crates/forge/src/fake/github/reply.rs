//! Calls as the fake's routes see them, and what they answer.

use std::collections::BTreeMap;

use reqwest::Url;
use serde_json::{Value, json};

use super::access::Actor;

/// Entries of a page where nothing is said, and most of them.
const PAGE_DEFAULT: usize = 30;
const PAGE_MAX: usize = 100;

pub(super) struct Request {
    pub(super) method: &'static str,
    pub(super) template: &'static str,
    /// The path as it was asked for, for links to other pages.
    pub(super) path: String,
    pub(super) parameters: BTreeMap<&'static str, String>,
    pub(super) query: BTreeMap<String, String>,
    pub(super) body: Value,
    pub(super) actor: Actor,
    /// The repository that the path names.
    pub(super) repository: u64,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Option<Value>,
}

impl Reply {
    pub(super) fn new(status: u16, body: Value) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Some(body),
        }
    }

    pub(super) fn empty(status: u16) -> Self {
        Self {
            status,
            ..Self::default()
        }
    }

    /// GitHub's form of an error.
    pub(super) fn problem(status: u16, message: &str) -> Self {
        Self::new(
            status,
            json!({
                "message": message,
                "documentation_url": "https://docs.github.com/rest",
                "status": status.to_string(),
            }),
        )
    }

    pub(super) fn not_found() -> Self {
        Self::problem(404, "Not Found")
    }

    pub(super) fn invalid(field: &str) -> Self {
        let mut reply = Self::problem(422, "Validation Failed");
        if let Some(body) = &mut reply.body {
            body["errors"] = json!([{ "resource": "Thing", "field": field, "code": "invalid" }]);
        }
        reply
    }

    pub(super) fn with(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }
}

impl Request {
    pub(super) fn text(&self, name: &str) -> &str {
        self.parameters.get(name).map_or("", String::as_str)
    }

    pub(super) fn number(&self, name: &str) -> Result<u64, Reply> {
        self.text(name).parse().map_err(|_| Reply::not_found())
    }

    pub(super) fn said(&self, name: &str) -> Option<String> {
        self.body[name].as_str().map(str::to_owned)
    }

    /// One page of `items`, with links to its neighbours.
    pub(super) fn page<T>(&self, items: Vec<T>, base: &str) -> (Vec<T>, Vec<(&'static str, String)>) {
        let number = |name: &str| self.query.get(name).and_then(|text| text.parse::<usize>().ok());
        let size = number("per_page").unwrap_or(PAGE_DEFAULT).clamp(1, PAGE_MAX);
        let page = number("page").unwrap_or(1).max(1);
        let last = items.len().div_ceil(size).max(1);
        let link = |page: usize, rel: &str| {
            let mut url = Url::parse(&format!("{base}{}", self.path)).expect("an address");
            let others = self.query.iter().filter(|(name, _)| *name != "page");
            url.query_pairs_mut()
                .extend_pairs(others)
                .append_pair("page", &page.to_string());
            format!("<{url}>; rel=\"{rel}\"")
        };
        let mut links = Vec::new();
        if page > 1 {
            links.extend([link(page - 1, "prev"), link(1, "first")]);
        }
        if page < last {
            links.extend([link(page + 1, "next"), link(last, "last")]);
        }
        let shown = items.into_iter().skip((page - 1) * size).take(size).collect();
        let headers = match links.is_empty() {
            true => Vec::new(),
            false => vec![("link", links.join(", "))],
        };
        (shown, headers)
    }

    /// A list of one page.
    pub(super) fn list(&self, items: Vec<Value>, base: &str) -> Reply {
        let (items, headers) = self.page(items, base);
        Reply {
            status: 200,
            headers,
            body: Some(Value::Array(items)),
        }
    }
}
