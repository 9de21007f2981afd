//! The step itself: its directories, its time, its way to the forge, and the tree that comes of it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use model::commit::CommitSha;
use model::failure::Code;
use model::inside::APP_DIRECTORY;
use model::limits::{FILE_BYTES_MAX, SOURCE_BYTES_MAX};
use model::network::Egress;
use model::tree::{ENTRIES_MAX, Node};
use model::{Failure, Tree};
use reqwest::Url;
use sandbox::Limits;
use sandbox::egress::AllowedAddress;
use sandbox::log::Level;
use store::{ImportError, ImportLimits, Staging, Store};
use tokio_util::sync::CancellationToken;

use super::failure;
use super::request::{FetchRequest, Fetched};
use super::settings;
use crate::build::builder::Builder;
use crate::build::cache::Held;
use crate::build::environment::Phase;
use crate::build::request::{BuildError, Observer};
use crate::build::runner::StepSpec;
use crate::build::scratch::{BUILD_PREFIX, Scratch};
use crate::build::step::{Outcome, Watch};
use crate::build::work::blocking;

/// What the step runs. Its text is ours; it lies in the step's own temporary directory.
const SCRIPT: &str = include_str!("fetch.sh");
const SCRIPT_NAME: &str = "fetch.sh";
/// All of it: repository, submodules and large files.
const SECONDS_MAX: u32 = 10 * 60;
/// git unpacks what it received in memory, as far as it can.
const MEMORY_BYTES: u64 = 2 << 30;
const CPU_MILLIS: u32 = 2_000;
const PIDS_MAX: u32 = 256;
/// The files and what git keeps of them.
const DISK_BYTES_MAX: u64 = 2 * SOURCE_BYTES_MAX;
/// Addresses of a forge's name that are tried.
const ADDRESSES_MAX: usize = 8;
/// Until the forge's name is looked up.
const LOOKUP: Duration = Duration::from_secs(10);

const LIMITS: ImportLimits = ImportLimits {
    entries_max: ENTRIES_MAX,
    file_bytes_max: FILE_BYTES_MAX,
    bytes_max: SOURCE_BYTES_MAX,
};

/// The command of the step that fetches `commit`, as runners see it.
pub(crate) fn command(commit: &CommitSha) -> String {
    format!("sh /tmp/{SCRIPT_NAME} {commit}")
}

/// Where the forge is on the network.
struct Forge {
    addresses: Vec<SocketAddr>,
    /// As git takes it: `name:port:address,address`.
    resolved: String,
}

/// The directories of one fetch.
struct Ground {
    scratch: Scratch,
    staging: Staging,
    /// Keeps others from the cache.
    _held: Option<Held>,
    cache: PathBuf,
}

impl Builder {
    /// Fetches a commit with its submodules, and its large files where asked for, into the store. `observer` is told of
    /// the phase `source` and the log.
    ///
    /// Dropping the future ends it as well, and leaves nothing but the cache of what was received.
    pub async fn fetch(
        &self,
        request: &FetchRequest,
        observer: &dyn Observer,
        cancel: &CancellationToken,
    ) -> Result<Fetched, BuildError> {
        observer.phase_started(Phase::Source.name());
        let fetched = self.fetch_whole(request, observer, cancel).await;
        observer.phase_ended(Phase::Source.name());
        fetched
    }

    async fn fetch_whole(
        &self,
        request: &FetchRequest,
        observer: &dyn Observer,
        cancel: &CancellationToken,
    ) -> Result<Fetched, BuildError> {
        let deadline = Instant::now() + Duration::from_secs(SECONDS_MAX.into());
        let forge = tokio::select! {
            forge = look_up(&request.remote.url) => forge?,
            () = cancel.cancelled() => return Err(BuildError::Cancelled),
        };
        let ground = self.ground(request).await?;
        let spec = spec(request, &ground, &forge)?;
        let watch = Watch {
            phase: Phase::Source,
            title: "fetching the source",
            deadline,
            seconds_max: SECONDS_MAX,
            disk_bytes_max: DISK_BYTES_MAX,
            measured: vec![
                ground.staging.path().to_owned(),
                ground.scratch.path.clone(),
                ground.cache.clone(),
            ],
            store: self.store(),
            tree: &Tree::default(),
            root: "",
        };
        let outcome = watch.run(self.runner(), spec, observer, cancel).await;
        let store = self.store().clone();
        // Tens of thousands of files go with what is dropped there.
        let fetched = blocking(move || {
            let ground = ground;
            Ok(match outcome {
                Ok(Outcome::Done) => Ok(keep(&store, ground.staging.path())?),
                Ok(Outcome::Unsuccessful(failed)) => Err(Ok(failed)),
                Err(error) => Err(Err(error)),
            })
        });
        match fetched.await? {
            Ok(fetched) => {
                let text = format!("The source has {} files", fetched.files);
                observer.line(Level::Info, &text);
                Ok(fetched)
            }
            Err(Ok(failed)) => Err(failure::explain(request, failed).into()),
            Err(Err(error)) => Err(error),
        }
    }

    async fn ground(&self, request: &FetchRequest) -> Result<Ground, Failure> {
        let (store, caches) = (self.store().clone(), self.caches().clone());
        let (project, trust) = (request.project.clone(), request.trust);
        let name = format!("{BUILD_PREFIX}{}", request.name);
        blocking(move || {
            let scratch = Scratch::make(&store, name)?;
            let held = caches.take(&store, (&project, trust), Phase::Source)?;
            let cache = match &held {
                Some(held) => held.path().to_owned(),
                None => scratch.kept("cache")?,
            };
            let staging = store
                .stage()
                .map_err(|error| Failure::new(Code::PlatformError, error.to_string()))?;
            Ok(Ground {
                scratch,
                staging,
                _held: held,
                cache,
            })
        })
        .await
    }
}

fn spec(request: &FetchRequest, ground: &Ground, forge: &Forge) -> Result<StepSpec, Failure> {
    let scratch = &ground.scratch;
    let temporary = scratch.fresh("tmp")?;
    std::fs::write(temporary.join(SCRIPT_NAME), SCRIPT).map_err(|error| {
        let message = format!("{} could not be written: {error}", temporary.display());
        Failure::new(Code::PlatformError, message)
    })?;
    Ok(StepSpec {
        name: format!("{}-{}", request.name, Phase::Source.name()),
        command: command(&request.commit),
        directory: APP_DIRECTORY.to_owned(),
        environment: settings::environment(request, &forge.resolved),
        lowers: vec![scratch.fresh("empty")?],
        upper: ground.staging.path().to_owned(),
        work: scratch.fresh("work")?,
        toolchains: Vec::new(),
        home: scratch.kept("home")?,
        temporary,
        cache: ground.cache.clone(),
        limits: Limits {
            memory_bytes: MEMORY_BYTES,
            cpu_millis: CPU_MILLIS,
            pids_max: PIDS_MAX,
            file_bytes_max: FILE_BYTES_MAX,
            wall_seconds: Some(SECONDS_MAX),
        },
        egress: Egress::Public,
        opened: forge
            .addresses
            .iter()
            .copied()
            .map(AllowedAddress::exactly)
            .collect(),
        secrets: settings::secrets(request),
    })
}

/// Stores what was checked out.
fn keep(store: &Store, checked_out: &Path) -> Result<Fetched, Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::new(Code::PlatformError, error.to_string());
    let tree = store.import(checked_out, LIMITS).map_err(|error| match error {
        ImportError::Put { .. } => failed(&error),
        error => Failure::new(
            Code::SourceInvalid,
            format!("the repository cannot be taken as a source: {error}"),
        ),
    })?;
    let bytes = tree.entries().iter().map(|entry| match entry.node {
        Node::File { size_bytes, .. } => size_bytes,
        Node::Symlink { .. } => 0,
    });
    Ok(Fetched {
        files: tree.entries().len() as u64,
        bytes: bytes.sum(),
        tree: store.put_tree(&tree).map_err(|error| failed(&error))?,
    })
}

/// Where `url` leads to now. The operator configured it: it may be private, and the host's own.
async fn look_up(url: &str) -> Result<Forge, Failure> {
    let unreachable = |why: &str| {
        let message = format!("{url} could not be fetched: {why}");
        Failure::new(Code::SourceUnreachable, message)
    };
    let parsed = Url::parse(url).map_err(|error| unreachable(&error.to_string()))?;
    let (Some(host), Some(port), "http" | "https") =
        (parsed.host_str(), parsed.port_or_known_default(), parsed.scheme())
    else {
        return Err(unreachable("it is no http or https address"));
    };
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let found = tokio::time::timeout(LOOKUP, tokio::net::lookup_host((bare, port))).await;
    let addresses: Vec<SocketAddr> = found
        .map_err(std::io::Error::from)
        .flatten()
        .map_err(|error| unreachable(&error.to_string()))?
        .take(ADDRESSES_MAX)
        .collect();
    let listed = addresses.iter().map(|address| address.ip().to_string());
    let resolved = format!("{bare}:{port}:{}", listed.collect::<Vec<_>>().join(","));
    Ok(Forge { addresses, resolved })
}
