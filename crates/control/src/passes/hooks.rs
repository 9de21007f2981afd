//! *hooks*: webhooks of single repositories are made and removed at the forge until they are as the rows want them.
//!
//! Where a forge delivers to is written before the webhook is made, so that one whose making was cut off is found and
//! removed. Guards against wanting what cannot work: a forge elsewhere does not reach a server on loopback.

use std::time::Duration;

use forge::ForgeError;
use model::RepositoryId;

use crate::control::Control;
use crate::forges::OpenForge;
use crate::ops::OpError;
use crate::rows::repository::{Hook, Repository};
use crate::rows::{self};

/// How long until a webhook is tried again that the forge could not take, or would not.
const AGAIN: Duration = Duration::from_secs(60);
const REFUSED_AGAIN: Duration = Duration::from_secs(3_600);

impl Control {
    pub(super) async fn hooks(&self) {
        if let Err(error) = self.tend_hooks().await {
            tracing::error!(%error, "webhooks could not be looked after; the next pass continues");
        }
    }

    /// Every webhook that is not as it is wanted is tried.
    async fn tend_hooks(&self) -> Result<(), OpError> {
        let now = self.now();
        for repository in rows::repository::all(self.db().read()).await? {
            if repository.hook.not_before_ms <= now && !self.as_wanted(&repository) {
                self.tend_hook(&repository.id).await?;
            }
        }
        Ok(())
    }

    /// Makes or removes the webhook of one repository, and notes what came of it.
    pub(crate) async fn tend_hook(&self, id: &RepositoryId) -> Result<(), OpError> {
        let Some(_hand) = self.take_in_hand(&format!("hook/{id}")) else {
            return Ok(());
        };
        let Some(repository) = rows::repository::by_id(self.db().read(), id).await? else {
            return Ok(());
        };
        if self.as_wanted(&repository) {
            return Ok(());
        }
        let open = match self.forge(&repository.forge).await {
            Ok(open) => open,
            Err(error) => return self.note_hook(&repository, &error.message, REFUSED_AGAIN).await,
        };
        let wanted = self.webhook_url(&repository.forge);
        if repository.hook.wanted
            && let Some(why) = unreachable(&wanted, &open)
        {
            return self.note_hook(&repository, &why, REFUSED_AGAIN).await;
        }
        match self.change_hook(&repository, &open, &wanted).await {
            Ok(()) => Ok(()),
            Err(Failed::Own(error)) => Err(error),
            Err(Failed::Forge(error)) => {
                let again = match &error {
                    ForgeError::Limited { retry_after, .. } => *retry_after,
                    ForgeError::Unavailable { .. } => AGAIN,
                    _ => REFUSED_AGAIN,
                };
                self.note_hook(&repository, &told(&error, &wanted), again).await
            }
        }
    }

    fn as_wanted(&self, repository: &Repository) -> bool {
        let hook = &repository.hook;
        match hook.wanted {
            true => hook.done && hook.url.as_deref() == Some(&self.webhook_url(&repository.forge)),
            false => hook.url.is_none(),
        }
    }

    async fn change_hook(
        &self,
        repository: &Repository,
        open: &OpenForge,
        wanted: &str,
    ) -> Result<(), Failed> {
        let reference = repository.reference();
        let mut hook = Hook {
            trouble: None,
            not_before_ms: 0,
            ..repository.hook.clone()
        };
        if let Some(old) = hook.url.as_deref()
            && (!hook.wanted || old != wanted)
        {
            match open.forge.remove_hook(&reference, old).await {
                Ok(()) | Err(ForgeError::NotFound { .. } | ForgeError::Unsupported(_)) => {}
                Err(error) => return Err(error.into()),
            }
            (hook.url, hook.done) = (None, false);
            self.write_hook(repository, &hook).await?;
        }
        if !hook.wanted {
            return Ok(());
        }
        (hook.url, hook.done) = (Some(wanted.to_owned()), false);
        self.write_hook(repository, &hook).await?;
        let secret = self.webhook_secret(&repository.forge, open);
        match open.forge.ensure_hook(&reference, wanted, &secret).await {
            Ok(()) => hook.done = true,
            // Its deliveries come without one.
            Err(ForgeError::Unsupported(_)) => hook = Hook::default(),
            Err(error) => return Err(error.into()),
        }
        Ok(self.write_hook(repository, &hook).await?)
    }

    async fn write_hook(&self, repository: &Repository, hook: &Hook) -> Result<(), OpError> {
        Ok(rows::repository::set_hook(self.db().write(), &repository.id, hook).await?)
    }

    async fn note_hook(
        &self,
        repository: &Repository,
        trouble: &str,
        again: Duration,
    ) -> Result<(), OpError> {
        let now = rows::repository::by_id(self.db().read(), &repository.id).await?;
        let hook = Hook {
            trouble: Some(trouble.to_owned()),
            not_before_ms: self.now() + again.as_millis() as i64,
            ..now.map_or_else(Hook::default, |repository| repository.hook)
        };
        self.write_hook(repository, &hook).await
    }
}

/// It was not done, because of us or of the forge.
enum Failed {
    Own(OpError),
    Forge(ForgeError),
}

impl From<OpError> for Failed {
    fn from(error: OpError) -> Self {
        Self::Own(error)
    }
}

impl From<ForgeError> for Failed {
    fn from(error: ForgeError) -> Self {
        Self::Forge(error)
    }
}

/// Why the forge can never deliver to `hook`, if that is so.
fn unreachable(hook: &str, open: &OpenForge) -> Option<String> {
    let forge = open.settings.web.as_str();
    (is_loopback(hook) && !is_loopback(forge)).then(|| {
        format!(
            "{forge} cannot reach {hook}; start the server with --public-url and an address that it reaches. Until then \
             changes are looked for every few minutes"
        )
    })
}

/// Whether an address names this very machine.
fn is_loopback(url: &str) -> bool {
    let host = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = host.split('/').next().unwrap_or("");
    let host = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(""),
        None => host.split(':').next().unwrap_or(""),
    };
    let name = host.trim_end_matches('.').to_ascii_lowercase();
    name == "localhost"
        || name.ends_with(".localhost")
        || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn told(error: &ForgeError, hook: &str) -> String {
    match error {
        ForgeError::Denied { .. } | ForgeError::NotFound { .. } => format!(
            "the webhook could not be set: {error}; give the token the right to administer webhooks of the repository, or \
             make one by hand that delivers to {hook}"
        ),
        error => format!("the webhook could not be set: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::is_loopback;

    #[test]
    fn loopback_is_told_by_its_names() {
        for url in [
            "http://localhost:7700/api",
            "http://cygni.localhost",
            "http://127.0.0.9:1/",
            "http://[::1]:7700/x",
            "https://LOCALHOST.",
        ] {
            assert!(is_loopback(url), "{url}");
        }
        for url in [
            "https://github.com",
            "http://localhost.example.org/",
            "http://10.0.0.1:80",
            "http://[fd00::1]/",
        ] {
            assert!(!is_loopback(url), "{url}");
        }
    }
}
