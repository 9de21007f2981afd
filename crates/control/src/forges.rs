//! The forges that the server knows, opened once and kept: their settings are sealed in rows, or given at every start.
//!
//! It does *not* know what any of them answers; it only hands out who is asked, and the secret that its webhooks are
//! signed with.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use forge::Forge;
use forge::settings::{Credentials, OpenError, Settings};

use model::Digest;

use crate::control::Control;
use crate::links::OpenForges;
use crate::ops::{Kind, OpError};
use crate::patient_forge::PatientForge;
use crate::rows;

/// A forge that can be asked.
pub(crate) struct OpenForge {
    pub(crate) forge: Arc<dyn Forge>,
    pub(crate) settings: Settings,
}

impl OpenForge {
    /// Where somebody lets the App see repositories, where it is an App.
    pub(crate) fn install_url(&self) -> Option<String> {
        let Credentials::App { slug, .. } = &self.settings.credentials else {
            return None;
        };
        let web = self.settings.web.trim_end_matches('/');
        // GitHub Enterprise Server keeps the pages of Apps elsewhere.
        let apps = match web {
            "https://github.com" => "apps",
            _ => "github-apps",
        };
        Some(format!("{web}/{apps}/{slug}/installations/new"))
    }
}

/// Forges by name.
pub(crate) struct Forges {
    opened: Mutex<BTreeMap<String, Arc<OpenForge>>>,
    open: OpenForges,
    /// Those whose settings no row holds.
    given: Mutex<BTreeMap<String, Settings>>,
}

impl Forges {
    pub(crate) fn new(given: BTreeMap<String, Settings>, open: OpenForges) -> Self {
        Self {
            opened: Mutex::default(),
            open,
            given: Mutex::new(given),
        }
    }

    /// Whether it can be used, without asking it anything.
    pub(crate) fn try_open(&self, settings: &Settings) -> Result<Arc<dyn Forge>, OpenError> {
        (self.open)(settings)
    }

    /// Its settings have changed, and are in a row from now on, or nowhere.
    pub(crate) fn forget(&self, name: &str) {
        self.given().remove(name);
        self.opened().remove(name);
    }

    fn given(&self) -> MutexGuard<'_, BTreeMap<String, Settings>> {
        self.given.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn opened(&self) -> MutexGuard<'_, BTreeMap<String, Arc<OpenForge>>> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Control {
    /// The forge of that name, ready to be asked.
    pub(crate) async fn forge(&self, name: &str) -> Result<Arc<OpenForge>, OpError> {
        if let Some(open) = self.inner.forges.opened().get(name) {
            return Ok(Arc::clone(open));
        }
        let given = self.inner.forges.given().get(name).cloned();
        let settings = match given {
            Some(given) => given,
            None => self.sealed_settings(name).await?,
        };
        let forge = self.inner.forges.try_open(&settings).map_err(|error| {
            OpError::invalid(
                "forge_invalid",
                format!("the forge `{name}` cannot be used: {error}"),
            )
        })?;
        let clock = self.inner.clock.clone();
        let forge = Arc::new(PatientForge { forge, clock });
        let open = Arc::new(OpenForge { forge, settings });
        // Whoever opened it first meanwhile has tokens already.
        let mut opened = self.inner.forges.opened();
        Ok(Arc::clone(opened.entry(name.to_owned()).or_insert(open)))
    }

    async fn sealed_settings(&self, name: &str) -> Result<Settings, OpError> {
        let row = match rows::forge::by_name(self.db().read(), name).await? {
            Some(row) => row,
            None => return Err(self.unknown_forge(name).await?),
        };
        if row.sealed.is_empty() {
            let message = format!("the credentials of the forge `{name}` were not given at this start");
            return Err(OpError::new(Kind::Unavailable, "forge_without_credentials", message)
                .hint("Start the server with its token in the environment again, or `cx forge add` it for good."));
        }
        let place = rows::forge::Forge::place(name);
        let opened = self.inner.sealer.open(&place, &row.sealed)?;
        serde_json::from_slice(&opened).map_err(OpError::internal)
    }

    /// What its webhooks are signed with: what was agreed, or else what only we can know.
    pub(crate) fn webhook_secret(&self, name: &str, open: &OpenForge) -> String {
        open.settings
            .webhook_secret
            .clone()
            .unwrap_or_else(|| Digest::of(format!("webhook/{name}/{}", self.inner.token).as_bytes()).hex())
    }

    /// Forges whose credentials are given at every start have rows too: their repositories belong to them. One that was
    /// added for good comes before one of the same name that is given, but for the secret of its webhooks.
    pub(crate) async fn note_given_forges(&self) -> Result<(), sqlx::Error> {
        let given = self.inner.forges.given().clone();
        for (name, settings) in given {
            match rows::forge::by_name(self.db().read(), &name).await? {
                Some(row) if !row.sealed.is_empty() => {
                    self.inner.forges.forget(&name);
                    self.override_secret(&name, settings.webhook_secret).await;
                }
                _ => {
                    let kind = settings.kind.as_str();
                    rows::forge::set(self.db().write(), (&name, kind), "", self.now()).await?;
                }
            }
        }
        Ok(())
    }

    /// Webhooks of the forge are signed with another secret than the one that is kept, as long as this run lasts.
    async fn override_secret(&self, name: &str, secret: Option<String>) {
        let Some(secret) = secret else { return };
        // A forge that cannot be used says so when it is used.
        let Ok(open) = self.forge(name).await else { return };
        let settings = Settings {
            webhook_secret: Some(secret),
            ..open.settings.clone()
        };
        let forge = Arc::clone(&open.forge);
        self.inner
            .forges
            .opened()
            .insert(name.to_owned(), Arc::new(OpenForge { forge, settings }));
    }

    pub(crate) async fn unknown_forge(&self, name: &str) -> Result<OpError, OpError> {
        let all = rows::forge::all(self.db().read()).await?;
        let error = OpError::unknown("forge", name, all.iter().map(|row| row.name.as_str()));
        Ok(error.hint("`cx forge list` shows those that there are, `cx forge add` adds one."))
    }
}
