//! What is known of the instances: a handle or an end for each, and one operation at a time on each.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use model::InstanceId;
use sandbox::{Ended, Exit, Sandbox};

use crate::Phase;

/// All instances of this machine.
#[derive(Default)]
pub(super) struct Instances {
    known: Mutex<BTreeMap<InstanceId, Known>>,
    /// Held during an operation. Kept as long as somebody waits for it.
    turns: Mutex<BTreeMap<InstanceId, Arc<tokio::sync::Mutex<()>>>>,
}

/// One instance.
#[derive(Clone)]
pub(super) enum Known {
    Alive { sandbox: Sandbox, asleep: bool },
    Ended { summary: String, out_of_memory: bool },
}

impl Known {
    /// How it is now; an end that was not noted yet is told all the same.
    pub(super) async fn phase(&self) -> Phase {
        match self {
            Self::Alive { sandbox, .. } if sandbox.has_ended() => {
                Self::ended(&sandbox.wait().await).settled()
            }
            other => other.settled(),
        }
    }

    fn settled(&self) -> Phase {
        match self {
            Self::Alive { asleep: true, .. } => Phase::Asleep,
            Self::Alive { .. } => Phase::Running,
            Self::Ended {
                summary,
                out_of_memory,
            } => Phase::Exited {
                summary: summary.clone(),
                out_of_memory: *out_of_memory,
            },
        }
    }

    pub(super) fn ended(exit: &Exit) -> Self {
        Self::Ended {
            summary: exit.how.to_string(),
            out_of_memory: exit.how == Ended::OutOfMemory,
        }
    }
}

impl Instances {
    pub(super) fn get(&self, instance: &InstanceId) -> Option<Known> {
        self.known().get(instance).cloned()
    }

    pub(super) fn set(&self, instance: &InstanceId, known: Known) {
        self.known().insert(instance.clone(), known);
    }

    pub(super) fn forget(&self, instance: &InstanceId) {
        self.known().remove(instance);
    }

    pub(super) fn all(&self) -> Vec<(InstanceId, Known)> {
        self.known()
            .iter()
            .map(|(instance, known)| (instance.clone(), known.clone()))
            .collect()
    }

    /// Notes the end of `sandbox`, unless another one has taken its place.
    pub(super) fn note_end(&self, instance: &InstanceId, sandbox: &Sandbox, end: Known) {
        let mut known = self.known();
        if let Some(Known::Alive { sandbox: present, .. }) = known.get(instance)
            && present.pid() == sandbox.pid()
        {
            known.insert(instance.clone(), end);
        }
    }

    /// Waits until nobody else works on `instance`.
    pub(super) async fn turn(&self, instance: &InstanceId) -> tokio::sync::OwnedMutexGuard<()> {
        let turn = {
            let mut turns = self.turns.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            turns.retain(|_, turn| Arc::strong_count(turn) > 1);
            turns.entry(instance.clone()).or_default().clone()
        };
        turn.lock_owned().await
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<InstanceId, Known>> {
        self.known.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}
