//! The room on the disk, and what is done below its floor: builds wait, uploads are refused. A test says how much there is.
//!
//! It does *not* make room: that is what the pass *collect* does.

use std::sync::{Arc, Mutex, PoisonError};

use model::units::format_bytes;
use store::{Room, Store};

use crate::control::Control;
use crate::ops::{Kind, OpError};

/// Tells the room on the disk that holds the store.
#[derive(Clone)]
pub struct Disk(Source);

#[derive(Clone)]
enum Source {
    Store(Store),
    Held(Arc<Mutex<Room>>),
}

impl Disk {
    /// The disk that holds `store`.
    pub fn of(store: &Store) -> Self {
        Self(Source::Store(store.clone()))
    }

    /// A disk that has `room` until that is changed.
    pub fn held(room: Room) -> Self {
        Self(Source::Held(Arc::new(Mutex::new(room))))
    }

    /// Changes how much is free on a held disk.
    pub fn set_free(&self, free_bytes: u64) {
        if let Source::Held(room) = &self.0 {
            room.lock().unwrap_or_else(PoisonError::into_inner).free_bytes = free_bytes;
        }
    }

    /// The room there is now.
    pub(crate) fn room(&self) -> std::io::Result<Room> {
        match &self.0 {
            Source::Store(store) => store.room(),
            Source::Held(room) => Ok(*room.lock().unwrap_or_else(PoisonError::into_inner)),
        }
    }
}

/// The disk has less room than must stay free.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} of the server's disk are free, and {} must stay free", format_bytes(self.free_bytes), format_bytes(self.floor_bytes))]
pub(crate) struct TooFull {
    pub(crate) free_bytes: u64,
    pub(crate) floor_bytes: u64,
}

impl TooFull {
    /// How much has to be free for this to be over: a little more than the floor, so that it does not come back at once.
    pub(crate) fn enough_bytes(self) -> u64 {
        self.floor_bytes.saturating_add(self.floor_bytes / 10)
    }
}

impl From<TooFull> for OpError {
    fn from(full: TooFull) -> Self {
        Self::new(Kind::NoRoom, "disk_full", full.to_string())
            .hint("What serves goes on. Delete previews that nobody needs, or give the server a larger disk.")
    }
}

impl Control {
    /// Whether there is room for new things. A disk that does not tell is not in anybody's way.
    pub(crate) fn check_room(&self) -> Result<(), TooFull> {
        let room = match self.inner.disk.room() {
            Ok(room) => room,
            Err(error) => {
                tracing::warn!(%error, "the disk does not tell how much room there is");
                return Ok(());
            }
        };
        let floor_bytes = self.inner.policy.floor(room.total_bytes);
        match room.free_bytes < floor_bytes {
            true => Err(TooFull {
                free_bytes: room.free_bytes,
                floor_bytes,
            }),
            false => Ok(()),
        }
    }
}
