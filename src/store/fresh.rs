//! What was read and is still true.
//!
//! Every record has a stamp, and whoever changes the record moves the stamp before anybody is answered. On the embedded
//! store this process is the only one that writes, so that it always knows. On PostgreSQL it asks first what others have
//! changed (`others`).

use lru::LruCache;
use std::{
    any::Any,
    hash::{BuildHasher, RandomState},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

/// How much is kept, in bytes.
const BYTES: usize = 64 << 20;
/// How many stamps there are; records that share one only lose an entry too often.
const STAMPS: usize = 16_384;

pub(super) struct Fresh {
    stamps: Vec<AtomicU64>,
    entries: Mutex<Entries>,
    hasher: RandomState,
}

/// The entries, the one that was used least recently first to go.
struct Entries {
    by_key: LruCache<String, Entry>,
    bytes: usize,
}

struct Entry {
    depends: Stamps,
    bytes: usize,
    value: Arc<dyn Any + Send + Sync>,
}

/// Which stamps a value depends on, as they were before it was read.
type Stamps = Vec<(usize, u64)>;

impl Fresh {
    pub(super) fn new() -> Self {
        Self {
            stamps: (0..STAMPS).map(|_| AtomicU64::new(0)).collect(),
            entries: Mutex::new(Entries { by_key: LruCache::unbounded(), bytes: 0 }),
            hasher: RandomState::new(),
        }
    }

    /// The record has changed. Told after the change is there to be read, and before anybody is answered.
    pub(super) fn changed(&self, record: &str) {
        self.stamps[self.place(record)].fetch_add(1, Ordering::AcqRel);
    }

    /// Any record may have changed.
    pub(super) fn all_changed(&self) {
        for stamp in &self.stamps {
            stamp.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// What was read under this key, if nothing that it depends on has changed since.
    pub(super) fn get<T: Any + Send + Sync>(&self, key: &str) -> Option<Arc<T>> {
        let (current, value) = {
            let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
            let entry = entries.by_key.get(key)?;
            (self.are_current(&entry.depends), Arc::clone(&entry.value))
        };
        if current { value.downcast().ok() } else { None }
    }

    /// The stamps of some records; noted before the records are read.
    pub(super) fn stamps(&self, records: &[&str]) -> Stamps {
        let places = records.iter().map(|record| self.place(record));
        places.map(|place| (place, self.stamps[place].load(Ordering::Acquire))).collect()
    }

    /// Keeps what was read after the stamps were noted.
    pub(super) fn put<T: Any + Send + Sync>(&self, key: String, depends: Stamps, bytes: usize, value: Arc<T>) {
        // Read while something changed it, it may be the old or the new: nobody knows which.
        if !self.are_current(&depends) {
            return;
        }
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = bytes + key.len() + 128;
        entries.bytes += bytes;
        if let Some(replaced) = entries.by_key.put(key, Entry { depends, bytes, value }) {
            entries.bytes -= replaced.bytes;
        }
        while entries.bytes > BYTES
            && let Some((_, gone)) = entries.by_key.pop_lru()
        {
            entries.bytes -= gone.bytes;
        }
    }

    fn are_current(&self, stamps: &Stamps) -> bool {
        stamps.iter().all(|(place, stamp)| self.stamps[*place].load(Ordering::Acquire) == *stamp)
    }

    fn place(&self, record: &str) -> usize {
        self.hasher.hash_one(record) as usize % STAMPS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_kept_until_what_it_depends_on_changes() {
        let fresh = Fresh::new();
        let depends = fresh.stamps(&["run", "org"]);
        fresh.put("key".into(), depends, 1, Arc::new(7_u8));
        assert_eq!(fresh.get::<u8>("key").as_deref(), Some(&7));
        fresh.changed("org");
        assert_eq!(fresh.get::<u8>("key"), None);
    }

    #[test]
    fn a_value_read_while_it_changed_is_not_kept() {
        let fresh = Fresh::new();
        let depends = fresh.stamps(&["run"]);
        fresh.changed("run");
        fresh.put("key".into(), depends, 1, Arc::new(7_u8));
        assert_eq!(fresh.get::<u8>("key"), None);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let fresh = Fresh::new();
        for key in 0..3 {
            fresh.put(key.to_string(), fresh.stamps(&[]), BYTES / 2, Arc::new(key));
        }
        assert_eq!((fresh.get::<i32>("0"), fresh.get::<i32>("2").as_deref()), (None, Some(&2)));
    }

    #[test]
    fn when_anything_may_have_changed_nothing_is_fresh() {
        let fresh = Fresh::new();
        fresh.put("key".into(), fresh.stamps(&["run"]), 1, Arc::new(7_u8));
        fresh.all_changed();
        assert_eq!(fresh.get::<u8>("key"), None);
    }
}
