//! Instances in the sandboxes of this machine. They outlive the platform; the next one takes them over.
//!
//! The state of the world is the sandboxes' own: what is remembered here is only handles, and is made anew at each
//! start. Variables and secrets are given to a process and to nobody else, and never written to disk.

mod command;
mod environment;
mod instances;
mod live;
mod log;
mod operate;
mod probe;
mod ready;
mod specification;

use std::path::PathBuf;
use std::sync::Arc;

use model::InstanceId;
use sandbox::Host;
use store::Store;
use tokio::sync::OnceCell;

use self::instances::Instances;
use self::log::Logs;
use crate::ProviderError;

/// What the provider works with.
pub struct LocalOptions {
    /// Where sandboxes are made. Others may use the same one for other things.
    pub host: Host,
    /// Holds sources and layers, and the scratch directories of instances.
    pub store: Store,
    /// Takes the logs of instances that were removed, in a directory each, named by the instance.
    pub logs_dir: PathBuf,
}

/// Runs instances on this machine. Cheap to clone.
#[derive(Clone)]
pub struct LocalProvider {
    inner: Arc<Inner>,
}

struct Inner {
    host: Host,
    store: Store,
    logs: Logs,
    instances: Instances,
    adopted: OnceCell<()>,
}

impl LocalProvider {
    /// Needs a tokio runtime from the first call on.
    pub fn new(options: LocalOptions) -> Self {
        let LocalOptions {
            host,
            store,
            logs_dir,
        } = options;
        let inner = Inner {
            host,
            store,
            logs: Logs::new(logs_dir),
            instances: Instances::default(),
            adopted: OnceCell::new(),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Takes over the instances that an earlier platform left, once. Every other call does it first where it was not
    /// done: an empty list must mean that nothing runs.
    pub async fn adopt(&self) -> Result<(), ProviderError> {
        self.inner
            .adopted
            .get_or_try_init(|| self.take_over())
            .await
            .map(drop)
    }
}

/// The sandbox of an instance: sandboxes take no underscore.
fn sandbox_name(instance: &InstanceId) -> String {
    instance.as_str().replacen("ins_", "i-", 1)
}

/// The instance of a sandbox; `None` for sandboxes of others.
fn instance_of(sandbox: &str) -> Option<InstanceId> {
    format!("ins_{}", sandbox.strip_prefix("i-")?).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_there_and_back() {
        let instance = InstanceId::from_random([9; 10]);
        assert_eq!(instance_of(&sandbox_name(&instance)), Some(instance));
        for other in ["b-aaaaaaaaaaaaaaaa", "i-", "i-short", "build-1"] {
            assert_eq!(instance_of(other), None, "{other}");
        }
    }
}
