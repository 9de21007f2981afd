//! Forges: added with their credentials, which are sealed at once and never shown again; listed; removed.

use data_encoding::HEXLOWER;
use forge::settings::{Credentials, Settings};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Kind, OpError};
use crate::control::Control;
use crate::rows;
use crate::secret::random;
use crate::view;

/// Letters of a forge's name.
const NAME_MAX: usize = 40;
/// Random bytes of a secret for webhooks.
const SECRET_BYTES: usize = 32;

/// A forge and the right to ask it: a token, an App where it is GitHub, or nothing but what is public.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewForge {
    pub kind: ForgeKind,
    /// The address of its pages, such as `https://git.example.org`; GitHub's own where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The address of its API, where it is not the usual one below its pages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<ForgeApp>,
    /// What its webhooks are signed with; one is made where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_secret: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ForgeKind {
    GitHub,
    /// Forgejo too.
    Gitea,
}

/// An App of GitHub.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ForgeApp {
    #[serde(deserialize_with = "model::units::whole")]
    pub id: u64,
    /// Its name in addresses.
    pub slug: String,
    /// The .pem file that GitHub made, whole.
    pub private_key: String,
}

impl NewForge {
    /// As the forge understands it.
    pub fn settings(self) -> Result<Settings, OpError> {
        let credentials = match (self.token, self.app) {
            (None, None) => Credentials::Anonymous,
            (Some(token), None) => Credentials::Token { token },
            (None, Some(app)) => Credentials::App {
                id: app.id,
                slug: app.slug,
                private_key: app.private_key,
            },
            (Some(_), Some(_)) => {
                return Err(
                    OpError::invalid("forge_invalid", "both a token and an App are given")
                        .hint("Give one of them."),
                );
            }
        };
        let mut settings = match (self.kind, &self.url) {
            (ForgeKind::GitHub, None) => Settings::github(credentials),
            (ForgeKind::GitHub, Some(url)) => Settings::github_enterprise(url, credentials),
            (ForgeKind::Gitea, Some(url)) => Settings::gitea(url, credentials),
            (ForgeKind::Gitea, None) => {
                return Err(OpError::invalid("forge_invalid", "a Gitea has no usual address")
                    .hint("Give the address of its pages, such as https://git.example.com."));
            }
        };
        if let Some(api) = self.api_url {
            settings.api = api.trim_end_matches('/').to_owned();
        }
        settings.webhook_secret = self.webhook_secret;
        Ok(settings)
    }
}

impl Control {
    /// Adds a forge, or gives the one of that name other settings. Where these name no secret for its webhooks, one is made.
    pub async fn add_forge(&self, name: &str, new: NewForge) -> Result<view::AddedForge, OpError> {
        check_name(name)?;
        let mut settings = new.settings()?;
        if settings.webhook_secret.as_ref().is_some_and(String::is_empty) {
            return Err(
                OpError::invalid("forge_invalid", "the secret of the webhooks is empty")
                    .hint("Give one, or none to have one made."),
            );
        }
        // Opened before it is kept: what cannot be used is refused, and nothing is changed.
        self.inner.forges.try_open(&settings).map_err(|error| {
            OpError::invalid(
                "forge_invalid",
                format!("the forge `{name}` cannot be used: {error}"),
            )
            .hint("Correct its address and credentials.")
        })?;
        let secret = match settings.webhook_secret.take() {
            Some(secret) => secret,
            None => HEXLOWER.encode(&random::<SECRET_BYTES>()?),
        };
        settings.webhook_secret = Some(secret.clone());
        let plain = serde_json::to_vec(&settings).map_err(OpError::internal)?;
        let sealed = self.inner.sealer.seal(&rows::forge::Forge::place(name), &plain)?;
        rows::forge::set(
            self.db().write(),
            (name, settings.kind.as_str()),
            &sealed,
            self.now(),
        )
        .await?;
        self.inner.forges.forget(name);
        self.inner.work.ring();
        Ok(view::AddedForge {
            forge: self.shown_forge(name).await?,
            webhook_secret: secret,
        })
    }

    /// Every forge, the oldest first.
    pub async fn forges(&self) -> Result<Vec<view::Forge>, OpError> {
        let mut shown = Vec::new();
        for row in rows::forge::all(self.db().read()).await? {
            shown.push(self.show_forge(row).await?);
        }
        Ok(shown)
    }

    /// Forgets a forge, its credentials, and the repositories that no project belongs to.
    pub async fn remove_forge(&self, name: &str) -> Result<view::Forge, OpError> {
        let shown = self.shown_forge(name).await?;
        let mut tx = self.db().begin().await?;
        rows::repository::delete_unused(&mut tx, name).await?;
        if let Some(used) = rows::repository::of_forge(&mut *tx, name).await?.first() {
            let message = format!("projects still belong to `{}` at `{name}`", used.name);
            return Err(OpError::new(Kind::Conflict, "forge_in_use", message)
                .hint("Delete or disconnect them first; `cx project list` shows them."));
        }
        rows::forge::delete(&mut *tx, name).await?;
        tx.commit().await?;
        self.inner.forges.forget(name);
        Ok(shown)
    }

    /// The forge that is meant where none is named: the only one there is.
    pub async fn only_forge(&self) -> Result<String, OpError> {
        let mut all = rows::forge::all(self.db().read()).await?;
        let names: Vec<&str> = all.iter().map(|row| row.name.as_str()).collect();
        match names.as_slice() {
            [] => Err(OpError::new(Kind::NotFound, "no_forge", "no forge is known yet")
                .hint("`cx github setup` or `cx forge add` adds one.")),
            [_] => Ok(all.remove(0).name),
            several => {
                let message = format!("there are several forges: {}", several.join(", "));
                Err(OpError::invalid("forge_ambiguous", message).hint("Name the one that is meant."))
            }
        }
    }

    async fn shown_forge(&self, name: &str) -> Result<view::Forge, OpError> {
        match rows::forge::by_name(self.db().read(), name).await? {
            Some(row) => self.show_forge(row).await,
            None => Err(self.unknown_forge(name).await?),
        }
    }

    async fn show_forge(&self, row: rows::forge::Forge) -> Result<view::Forge, OpError> {
        let open = self.forge(&row.name).await;
        let repositories = rows::repository::of_forge(self.db().read(), &row.name).await?;
        let trouble = match &open {
            Ok(_) => row.trouble,
            Err(error) => Some(error.message.clone()),
        };
        Ok(view::Forge {
            kind: row.kind,
            given: row.sealed.is_empty(),
            web_url: open.as_ref().ok().map(|open| open.settings.web.clone()),
            credentials: open
                .as_ref()
                .map_or("none", |open| kind_of(&open.settings.credentials))
                .to_owned(),
            install_url: open.as_ref().ok().and_then(|open| open.install_url()),
            webhook_url: self.webhook_url(&row.name),
            repositories: repositories.len() as u64,
            trouble,
            created_at_ms: row.created_at_ms,
            name: row.name,
        })
    }

    /// Where a forge delivers to.
    pub(crate) fn webhook_url(&self, forge: &str) -> String {
        format!("{}/api/v1/webhooks/{forge}", self.inner.platform_url)
    }
}

fn kind_of(credentials: &Credentials) -> &'static str {
    match credentials {
        Credentials::Anonymous => "none",
        Credentials::Token { .. } => "token",
        Credentials::App { .. } => "app",
    }
}

fn check_name(name: &str) -> Result<(), OpError> {
    let sound = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if !name.is_empty() && name.len() <= NAME_MAX && name.bytes().all(sound) && !name.starts_with('-') {
        return Ok(());
    }
    let shown: String = name.chars().take(NAME_MAX).collect();
    Err(OpError::invalid(
        "invalid_forge_name",
        format!("`{shown}` cannot be the name of a forge"),
    )
    .hint("Use lower-case letters, digits and `-`, at most 40 of them."))
}
