//! Which user ids belong to which sandbox, as root.
//!
//! Guards against two sandboxes with a user in common. Knows of the sandboxes of one directory only; installations
//! begin at different places, since they do not know of each other.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::error::SpawnError;
use crate::state::State;
use crate::zygote::IDS;

/// First user id of the first range; below lie the ids of people, services and other tools' ranges.
const UID_BASE: u32 = 0x4000_0000;
/// How many ranges there are, and so how many sandboxes can exist at a time.
const SLOTS: u32 = 1 << 14;

/// First user id of each name's range.
pub(crate) struct Ranges {
    first_slot: u32,
    taken: Mutex<BTreeMap<String, u32>>,
}

impl Ranges {
    /// The ranges of the sandboxes that are recorded in `dir`.
    pub(crate) fn recorded(dir: &Path) -> Ranges {
        let entries = fs::read_dir(dir).into_iter().flatten().flatten();
        let states = entries.filter_map(|entry| State::read(&entry.path()).ok());
        let taken = states
            .filter_map(|state| Some((state.name, state.uid_base?)))
            .collect();
        Ranges {
            first_slot: first_slot(dir),
            taken: Mutex::new(taken),
        }
    }

    /// The range of `name`, kept until it is freed.
    pub(crate) fn reserve(&self, name: &str) -> Result<u32, SpawnError> {
        let mut taken = self.taken();
        if let Some(known) = taken.get(name) {
            return Ok(*known);
        }
        let free = (0..SLOTS)
            .map(|step| UID_BASE + (self.first_slot + step) % SLOTS * IDS)
            .find(|base| !taken.values().any(|other| other == base))
            .ok_or(SpawnError::NoIds(SLOTS as usize))?;
        taken.insert(name.to_owned(), free);
        Ok(free)
    }

    pub(crate) fn free(&self, name: &str) {
        self.taken().remove(name);
    }

    fn taken(&self) -> MutexGuard<'_, BTreeMap<String, u32>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn first_slot(dir: &Path) -> u32 {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};
    let mut hasher = DefaultHasher::new();
    dir.hash(&mut hasher);
    (hasher.finish() % u64::from(SLOTS)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_a_range_of_its_own_and_a_freed_one_is_given_again() {
        let dir = tempfile::tempdir().unwrap();
        let ranges = Ranges::recorded(dir.path());
        let (a, b) = (ranges.reserve("a").unwrap(), ranges.reserve("b").unwrap());
        assert!(a.abs_diff(b) >= IDS);
        assert_eq!(ranges.reserve("a").unwrap(), a);
        ranges.free("a");
        assert_eq!(ranges.reserve("c").unwrap(), a);
        assert!(a >= UID_BASE && a.checked_add(IDS).is_some());
    }

    #[test]
    fn the_last_range_ends_before_ids_do() {
        let end = u64::from(UID_BASE) + u64::from(SLOTS) * u64::from(IDS);
        assert!(end <= 1 << 31, "ids above 2^31 are negative to some programs");
    }
}
