//! From what is wanted to what a sandbox is told: mounts, limits, network.

use std::path::{Path, PathBuf};
use std::{fs, io};

use model::artifact::Server;
use model::inside::{self, APP_DIRECTORY, HOME_DIRECTORY};
use model::limits::LOG_BYTES_MAX;
use model::network::Egress;
use model::{Digest, InstanceId};
use sandbox::egress::Policy;
use sandbox::{Lifetime, Limits, LogOptions, Mount, Spec};
use serde_json::json;
use store::Store;

use super::command;
use super::environment;
use super::{live, sandbox_name};
use crate::InstanceSpec;

/// `/tmp` is memory, within the instance's own limit.
const TEMPORARY_SHARE: u64 = 4;
const TEMPORARY_BYTES_MAX: u64 = 512 << 20;
/// In the scratch directory, beside what the instance can write.
const FINGERPRINT: &str = "fingerprint";
const DISK_LIMIT: &str = "disk-limit";

/// Why what an instance stands on could not be laid out.
#[derive(Debug, thiserror::Error)]
pub(super) enum LayError {
    #[error("the layer {0} is not in the store; deploy again with --rebuild")]
    LayerMissing(Digest),
    #[error(transparent)]
    Source(#[from] store::MaterialiseError),
    #[error(transparent)]
    Scratch(#[from] store::ScratchError),
    #[error("{0} is not the directory any more that was named; start `cx up --dev` again where it is now")]
    LiveMoved(PathBuf),
    #[error("its directory could not be prepared: {0}")]
    Io(#[from] io::Error),
}

/// The writable directories of an instance.
pub(super) struct Scratch {
    pub(super) root: PathBuf,
}

impl Scratch {
    /// Made where it is not there. What an earlier process wrote stays; it survives a crash of the app.
    pub(super) fn open(store: &Store, instance: &InstanceId) -> Result<Self, LayError> {
        let root = store.scratch(instance.as_str())?;
        let scratch = Self { root };
        for directory in [scratch.upper(), scratch.home()] {
            fs::create_dir_all(directory)?;
        }
        Ok(scratch)
    }

    pub(super) fn upper(&self) -> PathBuf {
        self.root.join("upper")
    }

    pub(super) fn home(&self) -> PathBuf {
        self.root.join("home")
    }

    /// An empty directory for the overlay, as every mount needs one of its own.
    pub(super) fn work(&self) -> io::Result<PathBuf> {
        let work = self.root.join("work");
        match fs::remove_dir_all(&work) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        fs::create_dir(&work)?;
        Ok(work)
    }

    /// Whether the process that was started here last is what `spec` asks for.
    pub(super) fn is_of(&self, spec: &InstanceSpec) -> bool {
        fs::read_to_string(self.root.join(FINGERPRINT)).is_ok_and(|text| text == fingerprint(spec))
    }

    pub(super) fn mark(&self, spec: &InstanceSpec) -> io::Result<()> {
        fs::write(self.root.join(DISK_LIMIT), spec.limits.disk_bytes.to_string())?;
        fs::write(self.root.join(FINGERPRINT), fingerprint(spec))
    }
}

/// Everything that makes it another process, without variables: those are secrets, and take effect at the next start.
fn fingerprint(spec: &InstanceSpec) -> String {
    let all = json!({
        "deployment": spec.deployment,
        "server": spec.server,
        "live": spec.live,
        "limits": spec.limits,
        "egress": spec.egress,
    });
    Digest::of(all.to_string().as_bytes()).hex()
}

/// What the sandbox is told. Makes the source a directory where it is not one yet; blocks.
pub(super) fn sandbox_spec(store: &Store, spec: &InstanceSpec, scratch: &Scratch) -> Result<Spec, LayError> {
    let mut told = Spec::new(
        sandbox_name(&spec.instance),
        command::arguments(&spec.server.command),
    );
    told.cwd = inside::directory(&spec.server.root);
    told.env = environment::environment(spec);
    told.mounts = mounts(store, spec, scratch)?;
    told.limits = Limits {
        memory_bytes: spec.limits.memory_bytes,
        cpu_millis: spec.limits.cpu_millis,
        pids_max: spec.limits.pids_max,
        file_bytes_max: spec.limits.disk_bytes,
        wall_seconds: None,
    };
    told.egress = policy(&spec.egress);
    told.lifetime = Lifetime::Detached;
    told.log = LogOptions {
        bytes_max: LOG_BYTES_MAX,
        redact: spec.secrets.clone(),
    };
    told.hostname = hostname(spec);
    Ok(told)
}

/// `web`, and `web-2` for the second instance.
fn hostname(spec: &InstanceSpec) -> String {
    match spec.replica {
        1 => spec.service.as_str().to_owned(),
        replica => format!("{}-{replica}", spec.service),
    }
}

fn mounts(store: &Store, spec: &InstanceSpec, scratch: &Scratch) -> Result<Vec<Mount>, LayError> {
    let Server {
        source,
        layers,
        toolchains,
        ..
    } = &spec.server;
    let layer = |key: &Digest| store.layer(key).ok_or(LayError::LayerMissing(*key));
    let mut mounts = match &spec.live {
        Some(directory) => live::mounts(store, spec, scratch, directory)?,
        None => {
            let mut lowers = layers.iter().rev().map(layer).collect::<Result<Vec<_>, _>>()?;
            lowers.push(store.materialise(source)?);
            vec![Mount::Overlay {
                lowers,
                upper: scratch.upper(),
                work: scratch.work()?,
                target: APP_DIRECTORY.to_owned(),
            }]
        }
    };
    let temporary = (spec.limits.memory_bytes / TEMPORARY_SHARE).clamp(1 << 20, TEMPORARY_BYTES_MAX);
    mounts.extend([
        Mount::Writable {
            source: scratch.home(),
            target: HOME_DIRECTORY.to_owned(),
        },
        Mount::Tmpfs {
            target: "/tmp".to_owned(),
            bytes_max: temporary,
        },
    ]);
    for toolchain in toolchains {
        let source = layer(&toolchain.layer)?;
        mounts.push(Mount::ReadOnly {
            source,
            target: inside::toolchain(&toolchain.name, &toolchain.version),
        });
    }
    Ok(mounts)
}

fn policy(egress: &Egress) -> Policy {
    match egress {
        Egress::None => Policy::None,
        Egress::Registries => Policy::registries(&[]),
        Egress::Names(names) => Policy::Names(names.clone()),
        Egress::Public => Policy::Public,
    }
}

/// The scratch directory of an instance, whether it is there or not.
pub(super) fn scratch_root(store: &Store, instance: &InstanceId) -> PathBuf {
    store
        .directory()
        .join("scratch")
        .join(Path::new(instance.as_str()))
}

/// How much an instance that was taken over may write; `None` where that is not known any more.
pub(super) fn disk_limit(store: &Store, instance: &InstanceId) -> Option<u64> {
    fs::read_to_string(scratch_root(store, instance).join(DISK_LIMIT))
        .ok()?
        .parse()
        .ok()
}

#[cfg(test)]
pub(super) mod tests {
    use model::artifact::ToolchainLayer;
    use model::plan::Health;
    use model::{DeploymentId, PreviewId, ServiceName, Tree};

    use super::*;

    pub(in crate::local) fn spec() -> InstanceSpec {
        InstanceSpec {
            instance: InstanceId::from_random([1; 10]),
            preview: PreviewId::from_random([1; 10]),
            deployment: DeploymentId::from_random([1; 10]),
            service: ServiceName::web(),
            replica: 1,
            server: Server {
                source: Digest::of(b""),
                layers: Vec::new(),
                toolchains: vec![ToolchainLayer {
                    name: "node".to_owned(),
                    version: "20.1.0".to_owned(),
                    layer: Digest::of(b"node"),
                }],
                root: "web".to_owned(),
                command: "node server.js".to_owned(),
                port: None,
                health: Health::default(),
                variables: Default::default(),
            },
            live: None,
            variables: vec![("TOKEN".to_owned(), "hunter2".to_owned())],
            secrets: vec!["hunter2".to_owned()],
            limits: Default::default(),
            egress: Egress::None,
        }
    }

    #[test]
    fn nothing_secret_is_written_down() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let mut spec = spec();
        spec.server.toolchains.clear();
        spec.server.source = store.put_tree(&Tree::default()).unwrap();
        let scratch = Scratch::open(&store, &spec.instance).unwrap();
        assert!(!scratch.is_of(&spec));
        scratch.mark(&spec).unwrap();
        sandbox_spec(&store, &spec, &scratch).unwrap();
        assert!(scratch.is_of(&spec));
        assert_eq!(disk_limit(&store, &spec.instance), Some(spec.limits.disk_bytes));
        spec.variables[0].1 = "hunter3".to_owned();
        assert!(scratch.is_of(&spec));
        spec.server.command = "node other.js".to_owned();
        assert!(!scratch.is_of(&spec));
    }

    #[test]
    fn a_missing_layer_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let mut spec = spec();
        spec.server.source = store.put_tree(&Tree::default()).unwrap();
        let scratch = Scratch::open(&store, &spec.instance).unwrap();
        let error = sandbox_spec(&store, &spec, &scratch).err().unwrap().to_string();
        assert!(error.contains(&Digest::of(b"node").to_string()), "{error}");
    }
}
