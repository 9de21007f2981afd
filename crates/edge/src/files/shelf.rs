//! The files used last, ready to be sent: small ones in memory, large ones open, both with the header fields that are
//! the same in every answer.
//!
//! Bounded in bytes and in open files; whatever does not fit is read again.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard};

use model::Digest;

use super::content::Content;

/// Bytes of all small files in memory.
const BYTES_MAX: usize = 32 << 20;
/// What one file takes beside its bytes.
const OVERHEAD_BYTES: usize = 1 << 10;
/// Large files that are held open.
const OPEN_MAX: usize = 128;

#[derive(Default)]
pub(super) struct Shelf {
    books: RwLock<Books>,
    clock: AtomicU64,
}

#[derive(Default)]
struct Books {
    by_name: HashMap<Name, Book>,
    bytes: usize,
    open: usize,
    /// Grows when something may have become stale.
    changes: u64,
}

/// A blob, and whether it is of a kind that is sent compressed.
pub(super) type Name = (Digest, bool);

struct Book {
    content: Arc<Content>,
    used: AtomicU64,
}

impl Shelf {
    pub(super) fn get(&self, name: &Name) -> Option<Arc<Content>> {
        let books = self.read();
        let book = books.by_name.get(name)?;
        let now = self.clock.load(Ordering::Relaxed);
        // Most files are used again and again: only the first use after an insertion is noted.
        if book.used.load(Ordering::Relaxed) != now {
            book.used.store(now, Ordering::Relaxed);
        }
        Some(book.content.clone())
    }

    /// To be asked for before something is read, and given back with it.
    pub(super) fn changes(&self) -> u64 {
        self.read().changes
    }

    /// Keeps what was read since `changes`, unless it may be stale.
    pub(super) fn put(&self, name: Name, content: &Arc<Content>, changes: u64) {
        let mut books = self.write();
        if books.changes != changes {
            return;
        }
        let now = self.clock.fetch_add(1, Ordering::Relaxed) + 1;
        books.remove(&name);
        books.bytes += cost(content);
        books.open += content.open_files();
        let book = Book {
            content: content.clone(),
            used: AtomicU64::new(now),
        };
        books.by_name.insert(name, book);
        if books.bytes > BYTES_MAX || books.open > OPEN_MAX {
            books.make_room();
        }
    }

    /// There is something new of a blob on disk.
    pub(super) fn forget(&self, digest: &Digest) {
        let mut books = self.write();
        books.changes += 1;
        for compressible in [true, false] {
            books.remove(&(*digest, compressible));
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, Books> {
        self.books.read().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn write(&self) -> RwLockWriteGuard<'_, Books> {
        self.books
            .write()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Books {
    /// Removes what was used longest ago, an eighth of everything at once: looking for it takes a while.
    fn make_room(&mut self) {
        let used = |book: &Book| book.used.load(Ordering::Relaxed);
        let mut names: Vec<(u64, Name)> = self
            .by_name
            .iter()
            .map(|(name, book)| (used(book), *name))
            .collect();
        names.sort_unstable();
        for (_, name) in names {
            if self.bytes <= BYTES_MAX / 8 * 7 && self.open <= OPEN_MAX / 8 * 7 {
                break;
            }
            self.remove(&name);
        }
    }

    fn remove(&mut self, name: &Name) {
        if let Some(book) = self.by_name.remove(name) {
            self.bytes -= cost(&book.content);
            self.open -= book.content.open_files();
        }
    }
}

fn cost(content: &Content) -> usize {
    content.bytes_in_memory() + OVERHEAD_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::content::SMALL_BYTES_MAX;

    fn content() -> Arc<Content> {
        Arc::new(Content::in_memory(vec![0; SMALL_BYTES_MAX as usize].into()))
    }

    fn name(number: u32) -> Name {
        (Digest::of(&number.to_be_bytes()), true)
    }

    #[test]
    fn it_stays_within_its_bound_and_keeps_what_was_used_last() {
        let shelf = Shelf::default();
        let fit = u32::try_from(BYTES_MAX / (SMALL_BYTES_MAX as usize + OVERHEAD_BYTES)).unwrap();
        for number in 0..fit {
            shelf.put(name(number), &content(), 0);
        }
        assert!(shelf.get(&name(0)).is_some());
        shelf.put(name(fit), &content(), 0);
        assert!(shelf.get(&name(0)).is_some() && shelf.get(&name(fit)).is_some());
        assert!(shelf.get(&name(1)).is_none());
        assert!(shelf.read().bytes <= BYTES_MAX);
    }

    #[test]
    fn what_was_read_before_a_change_is_not_kept() {
        let shelf = Shelf::default();
        let before = shelf.changes();
        shelf.put(name(1), &content(), before);
        shelf.forget(&name(1).0);
        assert!(shelf.get(&name(1)).is_none());
        shelf.put(name(1), &content(), before);
        assert!(shelf.get(&name(1)).is_none());
        shelf.put(name(1), &content(), shelf.changes());
        assert!(shelf.get(&name(1)).is_some());
        assert_eq!(shelf.read().by_name.len(), 1);
    }
}
