//! Where a forge is and by what right we talk to it: what is kept, sealed, of a configured forge.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::forge::Forge;
use crate::gitea::Gitea;
use crate::github::GitHub;

/// Most time that a call may take, from connecting to the last byte of the answer.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// A kind of forge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    GitHub,
    /// Forgejo too.
    Gitea,
}

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::GitHub => "github",
            Self::Gitea => "gitea",
        }
    }
}

/// A configured forge. Not `Debug`: it holds credentials.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub kind: Kind,
    /// The beginning of all addresses of its API, such as `https://api.github.com` or `https://host/api/v3`.
    pub api: String,
    /// The beginning of all addresses of its pages and repositories, such as `https://github.com`.
    pub web: String,
    pub credentials: Credentials,
    /// What webhooks are signed with. Not used by the forge itself: it is told when it verifies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_secret: Option<String>,
}

impl Settings {
    /// github.com.
    pub fn github(credentials: Credentials) -> Self {
        Self {
            kind: Kind::GitHub,
            api: "https://api.github.com".to_owned(),
            web: "https://github.com".to_owned(),
            credentials,
            webhook_secret: None,
        }
    }

    /// GitHub Enterprise Server at `web`, such as `https://github.example.com`.
    pub fn github_enterprise(web: &str, credentials: Credentials) -> Self {
        let web = web.trim_end_matches('/');
        Self {
            api: format!("{web}/api/v3"),
            web: web.to_owned(),
            ..Self::github(credentials)
        }
    }

    /// Gitea or Forgejo at `web`, such as `https://git.example.com`.
    pub fn gitea(web: &str, credentials: Credentials) -> Self {
        let web = web.trim_end_matches('/');
        Self {
            kind: Kind::Gitea,
            api: format!("{web}/api/v1"),
            web: web.to_owned(),
            credentials,
            webhook_secret: None,
        }
    }
}

/// By what right.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "as", rename_all = "lowercase")]
pub enum Credentials {
    /// What is public, to read.
    Anonymous,
    Token {
        token: String,
    },
    /// A GitHub App.
    App {
        id: u64,
        /// Its name in addresses.
        slug: String,
        /// PEM, PKCS#1 or PKCS#8.
        private_key: String,
    },
}

/// How the forge is reached from here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    /// For everything but what is on this machine.
    pub proxy: Option<String>,
    pub call_timeout: Duration,
}

impl Default for Reach {
    fn default() -> Self {
        Self {
            proxy: None,
            call_timeout: CALL_TIMEOUT,
        }
    }
}

/// The settings cannot be right. The texts name no credentials.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    #[error("`{0}` is not the address of a forge; write https://host or http://host")]
    Address(String),
    #[error("the private key of the App cannot be used: {0}; give the .pem file that GitHub made, whole")]
    Key(String),
    #[error(
        "the token is empty or holds a character that no token has; give it without quotes and line breaks"
    )]
    Token,
    #[error("a {0} forge has no Apps; give a token")]
    NoApps(&'static str),
    #[error("cannot make a client for HTTP: {0}")]
    Client(String),
}

/// Makes what talks to the forge; nothing is asked yet.
pub fn open(settings: &Settings, reach: &Reach) -> Result<Arc<dyn Forge>, OpenError> {
    match settings.kind {
        Kind::GitHub => Ok(Arc::new(GitHub::new(settings, reach)?)),
        Kind::Gitea => Ok(Arc::new(Gitea::new(settings, reach)?)),
    }
}
