//! One call to Gitea: redirects of what was renamed are followed, and lists are read to their end.

use reqwest::Method;
use reqwest::header::{ACCEPT, AUTHORIZATION};
use serde::de::DeserializeOwned;

use super::answer;
use crate::change::RepositoryRef;
use crate::error::ForgeError;
use crate::http::{Answer, Call, Http, unavailable};
use crate::settings::{Credentials, OpenError, Reach, Settings};

/// Most redirects of one call.
const REDIRECTS_MAX: usize = 5;
/// Entries of one page that are asked for; a server may be set to give fewer.
const PAGE: &str = "50";
/// Most pages of a list.
const PAGES_MAX: usize = 200;

pub(super) struct Api {
    http: Http,
    token: Option<String>,
}

impl Api {
    pub(super) fn new(settings: &Settings, reach: &Reach) -> Result<Self, OpenError> {
        let token = match &settings.credentials {
            Credentials::Anonymous => None,
            Credentials::Token { token } => {
                if token.is_empty() || !token.bytes().all(|b| b.is_ascii_graphic()) {
                    return Err(OpenError::Token);
                }
                Some(token.clone())
            }
            Credentials::App { .. } => return Err(OpenError::NoApps("Gitea")),
        };
        Ok(Self {
            http: Http::new(&settings.api, reach)?,
            token,
        })
    }

    pub(super) fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// The call of `method` at `/repos/{owner}/{name}/` and then `segments`.
    pub(super) fn of(&self, repository: &RepositoryRef, method: Method, segments: &[&str]) -> Call {
        let name = &repository.name;
        let mut path = vec!["repos", name.owner(), name.name()];
        path.extend_from_slice(segments);
        self.http.call(method, &path)
    }

    pub(super) fn call(&self, method: Method, segments: &[&str]) -> Call {
        self.http.call(method, segments)
    }

    /// The data of a successful answer.
    pub(super) async fn json<T: DeserializeOwned>(&self, call: Call) -> Result<T, ForgeError> {
        self.send(call).await?.json()
    }

    /// The data of all pages. An error of one is an error of the list, and so is one that is shorter than the server says.
    pub(super) async fn all<T: DeserializeOwned>(&self, call: Call) -> Result<Vec<T>, ForgeError> {
        let mut items: Vec<T> = Vec::new();
        for number in 1..=PAGES_MAX {
            let mut call = call.clone();
            let number = number.to_string();
            let pairs = [("limit", PAGE), ("page", number.as_str())];
            call.url.query_pairs_mut().extend_pairs(pairs);
            let answer = self.send(call.clone()).await?;
            let page: Vec<T> = answer.json()?;
            let is_empty = page.is_empty();
            items.extend(page);
            // The addresses of further pages are those that people use, which may not be ours.
            let total = answer
                .header("x-total-count")
                .and_then(|text| text.parse::<usize>().ok());
            match total {
                Some(total) if items.len() >= total => return Ok(items),
                Some(total) if is_empty => {
                    let message = format!("gave {} of {total} entries", items.len());
                    return Err(unavailable(&call, &message));
                }
                None if is_empty => return Ok(items),
                _ => {}
            }
        }
        Err(ForgeError::Refused {
            status: 200,
            message: format!("{}: more than {PAGES_MAX} pages", call.url.path()),
        })
    }

    /// A successful answer.
    pub(super) async fn send(&self, call: Call) -> Result<Answer, ForgeError> {
        let mut call = call.header(ACCEPT, "application/json");
        if let Some(token) = &self.token {
            call = call.header(AUTHORIZATION, &format!("token {token}"));
        }
        for _ in 0..=REDIRECTS_MAX {
            let answer = self.http.send(&call).await?;
            if !matches!(answer.status.as_u16(), 301 | 302 | 307 | 308) {
                return answer::successful(&call, answer);
            }
            let to = answer.header("location").and_then(|to| call.url.join(to).ok());
            call.url = match to {
                Some(to) if self.http.is_own(&to) => to,
                _ => return Err(unavailable(&call, "redirected to another server")),
            };
        }
        Err(unavailable(&call, "redirected in circles"))
    }
}
