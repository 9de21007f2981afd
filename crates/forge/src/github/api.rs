//! One call to GitHub, from "by what right" to "what does the answer mean": redirects of what was renamed are followed, a
//! token that is not taken any more is made anew once, and every other answer becomes data or an error of the seam.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use data_encoding::BASE64;
use jiff::Timestamp;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderName};
use reqwest::{Method, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::answer;
use super::key::AppKey;
use super::tokens::{Scope, Tokens};
use crate::change::RepositoryRef;
use crate::error::ForgeError;
use crate::http::{Answer, Call, Http, unavailable};
use crate::settings::{Credentials, OpenError, Reach, Settings};

/// The version of the API that is spoken.
const API_VERSION: &str = "2022-11-28";
/// Most redirects of one call.
const REDIRECTS_MAX: usize = 5;
pub(super) struct Api {
    http: Http,
    pub(super) identity: Identity,
    tokens: Tokens,
}

pub(super) enum Identity {
    Anonymous,
    Token(String),
    App { id: u64, slug: String, key: Box<AppKey> },
}

/// By what right one call is made.
#[derive(Clone, Debug)]
pub(super) enum Right<'a> {
    /// As the App itself.
    App,
    /// For one repository.
    Repository(&'a RepositoryRef),
    /// To ask what a repository is, of which perhaps only the name is known.
    Metadata(&'a RepositoryRef),
    /// As whoever the token belongs to.
    Own,
}

#[derive(Deserialize)]
struct Installation {
    id: u64,
}

#[derive(Deserialize)]
struct Minted {
    token: String,
    expires_at: Timestamp,
}

impl Api {
    pub(super) fn new(settings: &Settings, reach: &Reach) -> Result<Self, OpenError> {
        let identity = match &settings.credentials {
            Credentials::Anonymous => Identity::Anonymous,
            Credentials::Token { token } => {
                if token.is_empty() || !token.bytes().all(|b| b.is_ascii_graphic()) {
                    return Err(OpenError::Token);
                }
                Identity::Token(token.clone())
            }
            Credentials::App {
                id,
                slug,
                private_key,
            } => Identity::App {
                id: *id,
                slug: slug.clone(),
                key: Box::new(AppKey::new(*id, private_key)?),
            },
        };
        Ok(Self {
            http: Http::new(&settings.api, reach)?,
            identity,
            tokens: Tokens::default(),
        })
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
    pub(super) async fn json<T: DeserializeOwned>(
        &self,
        right: Right<'_>,
        call: Call,
    ) -> Result<T, ForgeError> {
        self.send(right, call).await?.json()
    }

    /// A successful answer (2xx, or 304 where that was asked for).
    pub(super) async fn send(&self, right: Right<'_>, call: Call) -> Result<Answer, ForgeError> {
        let call = call
            .header(HeaderName::from_static("x-github-api-version"), API_VERSION)
            .header(ACCEPT, "application/vnd.github+json");
        let token = self.authorization(&right).await?;
        let answer = self.follow(&call, token.as_deref()).await?;
        let is_app = matches!(self.identity, Identity::App { .. });
        if answer.status != 401 || !is_app || matches!(right, Right::App) {
            return answer::successful(&call, answer);
        }
        if let Some(token) = &token {
            self.tokens.forget(token);
        }
        let token = self.authorization(&right).await?;
        answer::successful(&call, self.follow(&call, token.as_deref()).await?)
    }

    /// The answer at the end of redirects, to which the call is repeated as it is.
    async fn follow(&self, call: &Call, token: Option<&str>) -> Result<Answer, ForgeError> {
        let mut call = call.clone();
        if let Some(token) = token {
            call = call.header(AUTHORIZATION, &format!("Bearer {token}"));
        }
        for _ in 0..=REDIRECTS_MAX {
            let answer = self.http.send(&call).await?;
            if !matches!(answer.status.as_u16(), 301 | 302 | 307 | 308) {
                return Ok(answer);
            }
            let to = answer.header("location").and_then(|to| call.url.join(to).ok());
            call.url = match to {
                Some(to) if self.http.is_own(&to) => to,
                _ => return Err(unavailable(&call, "redirected to another server")),
            };
        }
        Err(unavailable(&call, "redirected in circles"))
    }

    async fn authorization(&self, right: &Right<'_>) -> Result<Option<String>, ForgeError> {
        let (key, id) = match &self.identity {
            Identity::Anonymous => return Ok(None),
            Identity::Token(token) => return Ok(Some(token.clone())),
            Identity::App { key, id, .. } => (key, id),
        };
        let scope = match right {
            Right::App => return Ok(Some(key.token(since_1970()))),
            Right::Own => {
                return Err(ForgeError::Denied {
                    message: format!("App {id} is no user"),
                });
            }
            Right::Repository(repository) => Scope::Repository {
                id: number(&repository.id)?,
            },
            Right::Metadata(_) => Scope::Metadata,
        };
        let (Right::Repository(repository) | Right::Metadata(repository)) = right else {
            return Ok(None);
        };
        self.installation_token(repository, &scope).await.map(Some)
    }

    /// A token of the installation that may see the repository. The one that is known may have gone, when the repository
    /// was transferred or the App installed again: then it is asked for once.
    pub(super) async fn installation_token(
        &self,
        repository: &RepositoryRef,
        scope: &Scope,
    ) -> Result<String, ForgeError> {
        let known = self.tokens.installation(&repository.id);
        let Some(known) = known.or_else(|| repository.installation.clone()) else {
            let found = self.installation(repository).await?;
            return self.token_of(&found, scope).await;
        };
        match self.token_of(&known, scope).await {
            Err(error @ (ForgeError::NotFound { .. } | ForgeError::Refused { .. })) => {
                self.tokens.set_installation(&repository.id, None);
                let found = self.installation(repository).await?;
                if found == known {
                    return Err(error);
                }
                self.token_of(&found, scope).await
            }
            other => other,
        }
    }

    /// Whether another installation may see the repository than the one that is known, after a transfer.
    pub(super) async fn moved(&self, repository: &RepositoryRef) -> Result<bool, ForgeError> {
        if !matches!(self.identity, Identity::App { .. }) {
            return Ok(false);
        }
        let known = self.tokens.installation(&repository.id);
        let known = known.or_else(|| repository.installation.clone());
        match self.installation(repository).await {
            Ok(found) => Ok(known.as_ref() != Some(&found)),
            Err(ForgeError::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// What was found out on the way, so that tokens of an earlier installation are not used any more.
    pub(super) fn learn_installation(&self, repository: &str, installation: &str) {
        self.tokens.set_installation(repository, Some(installation));
    }

    pub(super) fn is_own(&self, url: &Url) -> bool {
        self.http.is_own(url)
    }

    /// The installation that may see the repository now.
    pub(super) async fn installation(&self, repository: &RepositoryRef) -> Result<String, ForgeError> {
        let call = self.of(repository, Method::GET, &["installation"]);
        let answer = Box::pin(self.send(Right::App, call)).await?;
        let id = answer.json::<Installation>()?.id.to_string();
        if !repository.id.is_empty() {
            self.tokens.set_installation(&repository.id, Some(&id));
        }
        Ok(id)
    }

    async fn token_of(&self, installation: &str, scope: &Scope) -> Result<String, ForgeError> {
        if let Some(token) = self.tokens.get(installation, scope, Timestamp::now()) {
            return Ok(token);
        }
        number(installation)?;
        let path = ["app", "installations", installation, "access_tokens"];
        let mut call = self.call(Method::POST, &path);
        call.body = Some(scope.body());
        let minted: Minted = Box::pin(self.send(Right::App, call)).await?.json()?;
        let token = (minted.token.as_str(), minted.expires_at);
        self.tokens.put((installation, scope), token, Timestamp::now());
        Ok(minted.token)
    }

    /// The `Authorization` that git sends, for a token.
    pub(super) fn for_git(token: &str) -> String {
        format!(
            "Basic {}",
            BASE64.encode(format!("x-access-token:{token}").as_bytes())
        )
    }
}

/// GitHub's own numbers are that.
pub(super) fn number(text: &str) -> Result<u64, ForgeError> {
    text.parse().map_err(|_| ForgeError::Refused {
        status: 400,
        message: format!("`{text}` is no number of GitHub's"),
    })
}

fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
