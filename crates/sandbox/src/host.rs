//! The platform's side: starts sandboxes, finds the ones an earlier platform left, removes them.
//!
//! Guards against things left behind: every sandbox has a directory before anything else of it exists, and `remove`
//! takes away all that a directory's name can stand for, however far its making had come.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::capability::Capabilities;
use crate::cgroup::{self, Tree};
use crate::egress::{AllowedAddress, Policy, Rules};
use crate::error::{FoundError, RemoveError, SpawnError, StartError};
use crate::exit::Exit;
use crate::limits;
use crate::options::HostOptions;
use crate::privilege::Privilege;
use crate::ranges::Ranges;
use crate::removal;
use crate::running::Sandbox;
use crate::spec::{SPEC_BYTES_MAX, Spec, check_name};
use crate::start::{self, Prepared};
use crate::state::{self, State};
use crate::zygote::{Answer, Client, Request};

/// All sandboxes of one directory. Cheap to clone.
#[derive(Clone)]
pub struct Host {
    inner: Arc<Inner>,
}

struct Inner {
    options: HostOptions,
    privilege: Privilege,
    capabilities: Capabilities,
    tree: Tree,
    boot_id: String,
    zygote: Client,
    ranges: Ranges,
}

/// What lies in a sandbox's directory after a restart.
pub enum Found {
    /// Its init runs and answers: adopted.
    Running(Sandbox),
    Ended {
        name: String,
        exit: Exit,
    },
    /// Not to be understood: to be removed.
    Broken {
        name: String,
        reason: String,
    },
}

impl Found {
    pub fn name(&self) -> &str {
        match self {
            Found::Running(sandbox) => sandbox.name(),
            Found::Ended { name, .. } | Found::Broken { name, .. } => name,
        }
    }
}

impl Host {
    /// Starts the zygote and looks at what the machine can do. Needs a tokio runtime with IO and time.
    pub async fn start(options: HostOptions) -> Result<Host, StartError> {
        let unusable = |error| StartError::Directory {
            path: options.dir.clone(),
            error,
        };
        let privilege = Privilege::current().ok_or(StartError::Unprivileged)?;
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&options.dir)
            .map_err(unusable)?;
        let dir = options.dir.canonicalize().map_err(unusable)?;
        let boot_id = state::boot_id().map_err(unusable)?;
        let options = HostOptions { dir, ..options };
        let tree = cgroup::discover().unwrap_or_default();
        let zygote = Client::new(options.zygote.clone());
        let capabilities = ask(&zygote, &tree, privilege).await?;
        let ranges = Ranges::recorded(&options.dir);
        let inner = Inner {
            options,
            privilege,
            capabilities,
            tree,
            boot_id,
            zygote,
            ranges,
        };
        Ok(Host {
            inner: Arc::new(inner),
        })
    }

    /// Where the sandbox `name` has its record and its log, whether it exists or not.
    pub fn directory_of(&self, name: &str) -> PathBuf {
        self.inner.options.dir.join(name)
    }

    pub fn capabilities(&self) -> &Capabilities {
        &self.inner.capabilities
    }

    /// Starts `spec`; returns when its command has been executed. After an error nothing of it is left. Goes on to
    /// its end when the caller stops waiting; a detached sandbox is then found by [`Host::found`].
    pub async fn spawn(&self, spec: Spec) -> Result<Sandbox, SpawnError> {
        spec.check()?;
        if spec.egress != Policy::None && !self.inner.capabilities.egress() {
            let entry = self
                .inner
                .capabilities
                .entries
                .iter()
                .find(|entry| entry.name == crate::EGRESS);
            return Err(SpawnError::NoEgress(
                entry.map(|entry| entry.detail.clone()).unwrap_or_default(),
            ));
        }
        let bytes = serde_json::to_vec(&spec).map_or(usize::MAX, |bytes| bytes.len());
        if bytes > SPEC_BYTES_MAX {
            return Err(SpawnError::TooLarge { bytes });
        }
        let host = self.clone();
        let attempt = tokio::spawn(async move { host.spawn_whole(spec).await });
        attempt
            .await
            .unwrap_or_else(|error| Err(SpawnError::Silent(io::Error::other(error))))
    }

    async fn spawn_whole(&self, spec: Spec) -> Result<Sandbox, SpawnError> {
        let dir = self.inner.options.dir.join(&spec.name);
        fs::DirBuilder::new()
            .mode(0o700)
            .create(&dir)
            .map_err(|error| match error.kind() {
                io::ErrorKind::AlreadyExists => SpawnError::Exists(spec.name.clone()),
                _ => SpawnError::Directory {
                    path: dir.clone(),
                    error,
                },
            })?;
        let first = self.attempt(&spec, &dir).await;
        let result = match first {
            // The zygote can be killed at any time; what it had begun is taken away and begun again.
            Err(SpawnError::Zygote(_)) => {
                self.clear(&spec.name).await;
                let remade = fs::DirBuilder::new().mode(0o700).create(&dir);
                remade.map_err(|error| SpawnError::Directory {
                    path: dir.clone(),
                    error,
                })?;
                self.attempt(&spec, &dir).await
            }
            other => other,
        };
        if result.is_err() {
            self.clear(&spec.name).await;
        }
        result
    }

    async fn attempt(&self, spec: &Spec, dir: &Path) -> Result<Sandbox, SpawnError> {
        let inner = &self.inner;
        let prepared = Prepared {
            dir: dir.to_owned(),
            uid_base: self.range(&spec.name)?,
            tree: inner.tree.clone(),
            cgroup: self.cgroup(&spec.name),
            ca_bundle: inner.options.ca_bundle.clone(),
            boot_id: inner.boot_id.clone(),
        };
        let sandbox = start::start(&inner.zygote, spec.clone(), prepared).await?;
        sandbox
            .open_gateway(self.rules(spec.egress.clone(), &spec.opened))
            .await
            .map_err(SpawnError::Silent)?;
        Ok(sandbox)
    }

    /// Best effort; the next `remove` or `found` sees what is left.
    async fn clear(&self, name: &str) {
        if let Err(error) = self.remove(name).await {
            tracing::warn!(sandbox = name, %error, "a sandbox that failed to start is not wholly removed");
        }
    }

    /// Every sandbox in the directory, by name; running ones are adopted.
    pub async fn found(&self) -> Result<Vec<Found>, FoundError> {
        let path = &self.inner.options.dir;
        let unreadable = |error| FoundError {
            path: path.clone(),
            error,
        };
        let mut names = Vec::new();
        for entry in fs::read_dir(path).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            names.extend(
                entry
                    .file_name()
                    .into_string()
                    .ok()
                    .filter(|name| check_name(name).is_ok()),
            );
        }
        names.sort();
        let mut found = Vec::new();
        for name in names {
            found.push(self.look(name).await);
        }
        Ok(found)
    }

    async fn look(&self, name: String) -> Found {
        let dir = self.inner.options.dir.join(&name);
        let state = match State::read(&dir) {
            Ok(state) if state.version == state::VERSION => state,
            Ok(state) => {
                let reason = format!("its form is version {}, not {}", state.version, state::VERSION);
                return Found::Broken { name, reason };
            }
            Err(error) => {
                return Found::Broken {
                    name,
                    reason: format!("its record is unreadable: {error}"),
                };
            }
        };
        if !state.is_alive() {
            return Found::Ended {
                name,
                exit: state::read_exit(&dir).unwrap_or_else(Exit::lost),
            };
        }
        let policy = state.policy.clone();
        match Sandbox::adopt(&dir, state).await {
            Ok(sandbox) => match sandbox.open_gateway(self.rules(policy, &[])).await {
                Ok(()) => Found::Running(sandbox),
                Err(error) => Found::Broken {
                    name,
                    reason: format!("its network does not answer: {error}"),
                },
            },
            // It may have ended just now.
            Err(error) => match state::read_exit(&dir) {
                Some(exit) => Found::Ended { name, exit },
                None => Found::Broken {
                    name,
                    reason: format!("its init does not answer: {error}"),
                },
            },
        }
    }

    /// Ends the sandbox `name` if it runs and deletes all of it: processes, mounts, cgroups, directory. Absent is
    /// fine; can be repeated. Directories that the spec mounted are the caller's.
    pub async fn remove(&self, name: &str) -> Result<(), RemoveError> {
        check_name(name)?;
        let dir = self.inner.options.dir.join(name);
        removal::remove(name, &dir, self.inner.tree.groups(&self.cgroup(name))).await?;
        self.inner.ranges.free(name);
        Ok(())
    }

    fn cgroup(&self, name: &str) -> String {
        format!("{}{name}", self.inner.options.cgroup_prefix)
    }

    fn rules(&self, policy: Policy, opened: &[AllowedAddress]) -> Rules {
        let options = &self.inner.options;
        let mut allow = options.allow.clone();
        allow.addresses.extend_from_slice(opened);
        Rules {
            policy,
            allow,
            upstream: options.upstream.clone(),
        }
    }

    /// Reserves a range of user ids that no other sandbox of this directory has; without root there are none.
    fn range(&self, name: &str) -> Result<Option<u32>, SpawnError> {
        match self.inner.privilege {
            Privilege::Root => self.inner.ranges.reserve(name).map(Some),
            Privilege::Rootless { .. } => Ok(None),
        }
    }
}

/// What this machine can enforce, without a host. Starts a zygote for it and ends it.
pub async fn probe(zygote: PathBuf) -> Result<Capabilities, StartError> {
    let privilege = Privilege::current().ok_or(StartError::Unprivileged)?;
    let tree = cgroup::discover().unwrap_or_default();
    ask(&Client::new(zygote), &tree, privilege).await
}

async fn ask(zygote: &Client, tree: &Tree, privilege: Privilege) -> Result<Capabilities, StartError> {
    match zygote.ask(&Request::Probe, &[]).await {
        Ok((Answer::Probed(mut entries), _)) => {
            entries.extend(limits::capabilities(tree));
            Ok(Capabilities {
                root: privilege == Privilege::Root,
                entries,
            })
        }
        Ok((other, _)) => Err(StartError::Silent(format!("{other:?}"))),
        Err(error) => Err(StartError::Silent(error.to_string())),
    }
}
