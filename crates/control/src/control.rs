//! The handle that operations and passes share: where everything is, and nothing of what is done with it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use builder::Builder;
use model::{DeploymentId, ProjectId};
use provider::Provider;
use store::Store;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::bell::Bell;
use crate::clock::Clock;
use crate::db::{CommitCheck, Db, OpenDbError};
use crate::disk::Disk;
use crate::forges::Forges;
use crate::links::{Activity, EdgeLinks, Probe, Sender};
use crate::ops::Counted;
use crate::passes::{Following, Schedule, Telling};
use crate::patience::Patient;
use crate::policy::Policy;
use crate::rows;
use crate::secret::{KEY_BYTES, SealError, Sealer, random};

/// Where visitors reach previews.
#[derive(Clone, Debug)]
pub struct PublicAddress {
    /// `http` or `https`.
    pub scheme: &'static str,
    /// What stands behind every label, such as `localhost`.
    pub domain: String,
    /// `None` where it is the scheme's own.
    pub port: Option<u16>,
}

/// What control is given to work with.
pub struct ControlOptions {
    /// The file of the database.
    pub database: PathBuf,
    /// Asked before every commit, by tests of what happens when one fails; `None` in a server.
    pub commit_check: Option<CommitCheck>,
    /// Where the logs of builds are kept, one directory per deployment.
    pub logs: PathBuf,
    /// Seals the data key that seals everything else.
    pub master_key: [u8; KEY_BYTES],
    /// The bearer token of the API.
    pub token: String,
    pub public: PublicAddress,
    /// Where dashboard and API are reached from outside, such as `https://cygni.example.org`, without a slash at its end.
    pub platform_url: String,
    /// Forges whose settings are given at this start and kept nowhere, by name.
    pub forges: BTreeMap<String, forge::settings::Settings>,
    pub open_forge: crate::links::OpenForges,
    pub store: Store,
    pub builder: Builder,
    pub provider: Arc<dyn Provider>,
    pub links: EdgeLinks,
    pub sender: Arc<dyn Sender>,
    pub clock: Clock,
    pub disk: Disk,
    pub policy: Policy,
    /// Whether this machine keeps what runs within its limits; where it cannot, sources that nobody trusts are refused.
    pub limits_hold: bool,
    /// Builds that run at the same time in the whole installation.
    pub builds_max: usize,
    /// Builds of one project that run at the same time.
    pub builds_per_project_max: usize,
}

/// Control could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    Database(#[from] OpenDbError),
    #[error("the state could not be read: {0}")]
    Read(#[from] sqlx::Error),
    #[error(transparent)]
    Key(#[from] SealError),
}

/// The platform's control; cheap to clone.
#[derive(Clone)]
pub struct Control {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) db: Db,
    pub(crate) sealer: Sealer,
    pub(crate) clock: Clock,
    pub(crate) disk: Disk,
    pub(crate) policy: Policy,
    pub(crate) store: Store,
    pub(crate) builder: Builder,
    pub(crate) provider: Arc<dyn Provider>,
    pub(crate) database: PathBuf,
    pub(crate) logs: PathBuf,
    pub(crate) token: String,
    pub(crate) public: PublicAddress,
    pub(crate) platform_url: String,
    pub(crate) forges: Forges,
    pub(crate) tables: watch::Sender<Arc<model::route::RouteTable>>,
    pub(crate) acknowledged: watch::Receiver<u64>,
    pub(crate) wakes: Mutex<Option<mpsc::Receiver<model::InstanceId>>>,
    pub(crate) activity: Arc<dyn Activity>,
    pub(crate) probe: Arc<dyn Probe>,
    pub(crate) sender: Arc<dyn Sender>,
    /// Rung when rows changed and a pass may have work.
    pub(crate) work: Bell,
    /// Rung when there is a new event.
    pub(crate) news: Bell,
    /// Rung when a build log has a new line.
    pub(crate) lines: Bell,
    /// Names this run of the platform; leases of another one are void.
    pub(crate) boot: String,
    pub(crate) installation: String,
    pub(crate) started_at_ms: i64,
    /// What this run has done about repositories.
    pub(crate) following: Mutex<Following>,
    /// What this run has told the forges.
    pub(crate) telling: Mutex<Telling>,
    /// What is being moved forward.
    pub(crate) drives: Mutex<HashMap<DeploymentId, Drive>>,
    /// Things outside that somebody is at work on, by name: nobody else may touch them meanwhile.
    pub(crate) in_hand: Mutex<HashSet<String>>,
    pub(crate) tasks: TaskTracker,
    /// Cancelled when the passes are to end: what takes long looks at it.
    pub(crate) closing: CancellationToken,
    /// When the store is next looked through. Held while it is.
    pub(crate) collecting: tokio::sync::Mutex<Schedule>,
    /// What the server took when that was last counted.
    pub(crate) counted: tokio::sync::Mutex<Counted>,
    pub(crate) limits_hold: bool,
    pub(crate) build_slots: Arc<Semaphore>,
    pub(crate) builds_per_project_max: usize,
    pub(crate) project_slots: Mutex<HashMap<ProjectId, Arc<Semaphore>>>,
    /// The generation of the newest route table; held while one is published.
    pub(crate) publishing: tokio::sync::Mutex<u64>,
}

impl Control {
    /// Opens the state, makes it ready for this run, and puts out the first route table. Nothing runs before
    /// [`Control::run`].
    pub async fn open(options: ControlOptions) -> Result<Self, OpenError> {
        let db = Db::open(&options.database, options.commit_check).await?;
        let sealer = open_sealer(&db, &options.master_key).await?;
        let installation = installation(&db).await?;
        let boot: [u8; 10] = random()?;
        let now_ms = options.clock.now_ms();
        let inner = Inner {
            sealer,
            installation,
            boot: data_encoding::HEXLOWER.encode(&boot),
            started_at_ms: now_ms,
            clock: options.clock.clone(),
            disk: options.disk,
            policy: options.policy,
            store: options.store,
            builder: options.builder,
            provider: Arc::new(Patient {
                provider: options.provider,
                clock: options.clock,
            }),
            database: options.database,
            logs: options.logs,
            token: options.token,
            public: options.public,
            platform_url: options.platform_url,
            forges: Forges::new(options.forges, options.open_forge),
            tables: options.links.tables,
            acknowledged: options.links.acknowledged,
            wakes: Mutex::new(Some(options.links.wakes)),
            activity: options.links.activity,
            probe: options.links.probe,
            sender: options.sender,
            work: Bell::new(),
            news: Bell::new(),
            lines: Bell::new(),
            following: Mutex::default(),
            telling: Mutex::default(),
            drives: Mutex::default(),
            counted: tokio::sync::Mutex::default(),
            collecting: tokio::sync::Mutex::new(Schedule::from(now_ms)),
            in_hand: Mutex::default(),
            tasks: TaskTracker::new(),
            closing: CancellationToken::new(),
            limits_hold: options.limits_hold,
            build_slots: Arc::new(Semaphore::new(options.builds_max.max(1))),
            builds_per_project_max: options.builds_per_project_max.max(1),
            project_slots: Mutex::default(),
            publishing: tokio::sync::Mutex::new(0),
            db,
        };
        let control = Self {
            inner: Arc::new(inner),
        };
        control.note_given_forges().await?;
        control.put_out_table().await?;
        Ok(control)
    }

    /// Closes the database; what still runs fails its next statement and is taken up at the next start.
    pub async fn close(&self) {
        self.inner.db.close().await;
    }

    /// The id of this installation, which every outside thing is labelled with.
    pub fn installation(&self) -> &str {
        &self.inner.installation
    }

    pub(crate) fn db(&self) -> &Db {
        &self.inner.db
    }

    pub(crate) fn now(&self) -> i64 {
        self.inner.clock.now_ms()
    }

    /// The address of a host label.
    pub(crate) fn url(&self, label: &str) -> String {
        let public = &self.inner.public;
        let port = public.port.map_or(String::new(), |port| format!(":{port}"));
        format!("{}://{label}.{}{port}", public.scheme, public.domain)
    }

    /// Where the build log of a deployment lies.
    pub(crate) fn log_directory(&self, deployment: &DeploymentId) -> PathBuf {
        self.inner.logs.join(deployment.as_str())
    }

    pub(crate) fn logs(&self) -> &Path {
        &self.inner.logs
    }

    /// Stops whoever is moving the deployment forward.
    pub(crate) fn stop_work(&self, deployment: &DeploymentId) {
        if let Some(drive) = self.drives().get(deployment) {
            drive.cancel.cancel();
        }
    }

    /// What is being moved forward.
    pub(crate) fn drives(&self) -> MutexGuard<'_, HashMap<DeploymentId, Drive>> {
        self.inner.drives.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the outside thing `name` in hand, or `None` where somebody has it.
    pub(crate) fn take_in_hand(&self, name: &str) -> Option<InHand> {
        let mut held = self.inner.in_hand.lock().unwrap_or_else(PoisonError::into_inner);
        held.insert(name.to_owned()).then(|| InHand {
            control: self.clone(),
            name: name.to_owned(),
        })
    }

    /// How many builds of this project may run at once.
    pub(crate) fn project_slots(&self, project: &ProjectId) -> Arc<Semaphore> {
        let mut slots = self
            .inner
            .project_slots
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        // Projects come and go; one that nobody waits for need not be remembered.
        slots.retain(|_, semaphore| Arc::strong_count(semaphore) > 1);
        let new = || Arc::new(Semaphore::new(self.inner.builds_per_project_max));
        slots.entry(project.clone()).or_insert_with(new).clone()
    }
}

/// A deployment that is being moved forward.
pub(crate) struct Drive {
    /// Stops it.
    pub(crate) cancel: CancellationToken,
    /// What it uses, it has used since then.
    pub(crate) since_ms: i64,
}

/// Somebody is at work on an outside thing, until this is dropped.
pub(crate) struct InHand {
    control: Control,
    name: String,
}

impl Drop for InHand {
    fn drop(&mut self) {
        self.control
            .inner
            .in_hand
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.name);
    }
}

async fn open_sealer(db: &Db, master: &[u8; KEY_BYTES]) -> Result<Sealer, OpenError> {
    match rows::meta::get(db.read(), "data_key").await? {
        Some(sealed) => Ok(Sealer::open_data_key(master, &sealed)?),
        None => {
            let (sealer, sealed) = Sealer::create(master)?;
            rows::meta::set(db.write(), "data_key", &sealed).await?;
            Ok(sealer)
        }
    }
}

async fn installation(db: &Db) -> Result<String, OpenError> {
    if let Some(id) = rows::meta::get(db.read(), "installation").await? {
        return Ok(id);
    }
    let bytes: [u8; 10] = random()?;
    let id = data_encoding::BASE32_NOPAD.encode(&bytes).to_ascii_lowercase();
    rows::meta::set(db.write(), "installation", &id).await?;
    Ok(id)
}
