//! A GitHub App in one click: the manifest that GitHub's page is given, and the exchange of the code that comes back for
//! the App's credentials.

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::{Api, Right};
use crate::error::ForgeError;
use crate::settings::{Credentials, OpenError, Reach, Settings};

/// What the App is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// At most 34 characters, and nobody else's.
    pub name: String,
    /// Its home page.
    pub url: String,
    /// Where deliveries go; `None` for an App without, when GitHub could not reach it anyway.
    pub webhook_url: Option<String>,
    /// Where the browser comes back to with the code.
    pub redirect_url: String,
}

impl Manifest {
    pub fn to_json(&self) -> Value {
        let mut manifest = json!({
            "name": self.name,
            "url": self.url,
            "redirect_url": self.redirect_url,
            "description": "Turns every pull request into a live preview.",
            "public": false,
            "default_permissions": {
                "metadata": "read",
                "contents": "read",
                "pull_requests": "write",
                "issues": "write",
                "checks": "write",
                "statuses": "write",
                "deployments": "write",
                "environments": "write",
            },
            "default_events": [
                "pull_request", "push", "delete", "issue_comment", "check_run", "repository",
            ],
        });
        if let Some(url) = &self.webhook_url {
            manifest["hook_attributes"] = json!({ "url": url, "active": true });
        }
        manifest
    }
}

/// Where the browser sends the manifest to, for an App of one's own or of an organisation.
pub fn form_url(web: &str, organization: Option<&str>, state: &str) -> Result<String, OpenError> {
    let mut url = crate::http::address(web)?;
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty();
        if let Some(organization) = organization {
            path.extend(["organizations", organization]);
        }
        path.extend(["settings", "apps", "new"]);
    }
    url.query_pairs_mut().append_pair("state", state);
    Ok(url.into())
}

/// An App that was just made. Not `Debug`: it holds credentials.
#[derive(Clone, PartialEq, Eq)]
pub struct MadeApp {
    /// Its settings, the webhook's secret among them.
    pub settings: Settings,
    pub name: String,
    /// Where it is installed on repositories.
    pub install_url: String,
}

/// Exchanges the code, which is good once and within an hour. `to` says where the GitHub is that it comes from.
pub async fn convert(to: &Settings, reach: &Reach, code: &str) -> Result<MadeApp, ConvertError> {
    #[derive(Deserialize)]
    struct Conversion {
        id: u64,
        slug: Option<String>,
        name: String,
        html_url: String,
        pem: String,
        webhook_secret: Option<String>,
    }
    let anonymous = Settings {
        credentials: Credentials::Anonymous,
        ..to.clone()
    };
    let api = Api::new(&anonymous, reach)?;
    let call = api.call(Method::POST, &["app-manifests", code, "conversions"]);
    let made: Conversion = api.json(Right::Own, call).await?;
    let slug = made
        .slug
        .unwrap_or_else(|| made.name.to_lowercase().replace(' ', "-"));
    Ok(MadeApp {
        install_url: format!("{}/installations/new", made.html_url.trim_end_matches('/')),
        name: made.name,
        settings: Settings {
            credentials: Credentials::App {
                id: made.id,
                slug,
                private_key: made.pem,
            },
            webhook_secret: made.webhook_secret,
            ..anonymous
        },
    })
}

/// The code was not exchanged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConvertError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Forge(#[from] ForgeError),
}
