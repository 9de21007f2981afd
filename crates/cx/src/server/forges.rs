//! Forges whose tokens stand in the environment: there as long as the server runs, and written down nowhere.

use std::collections::BTreeMap;

use control::ops::{ForgeKind, NewForge, OpError};
use forge::settings::Settings;

use crate::environment::ForgeTokens;
use crate::exit::Fault;

/// Their settings, by the name that they have here.
pub(super) fn given(tokens: &ForgeTokens) -> Result<BTreeMap<String, Settings>, Fault> {
    let mut given = BTreeMap::new();
    if let Some(token) = &tokens.github {
        let new = NewForge {
            kind: ForgeKind::GitHub,
            // Runners of GitHub say so of GitHub itself, too.
            url: tokens
                .github_url
                .clone()
                .filter(|url| url.trim_end_matches('/') != "https://github.com"),
            api_url: tokens.github_api_url.clone(),
            token: Some(token.clone()),
            app: None,
            webhook_secret: tokens.webhook_secret.clone(),
        };
        given.insert(
            "github".to_owned(),
            new.settings().map_err(|error| wrong("GITHUB_TOKEN", &error))?,
        );
    }
    if let Some(token) = &tokens.gitea {
        let new = NewForge {
            kind: ForgeKind::Gitea,
            url: tokens.gitea_url.clone(),
            api_url: None,
            token: Some(token.clone()),
            app: None,
            webhook_secret: tokens.webhook_secret.clone(),
        };
        let settings = new.settings().map_err(|error| wrong("GITEA_TOKEN", &error))?;
        given.insert("gitea".to_owned(), settings);
    }
    Ok(given)
}

fn wrong(variable: &str, error: &OpError) -> Fault {
    Fault::usage(format!("{variable} cannot be used: {}", error.message)).hint(error.hint.clone())
}
