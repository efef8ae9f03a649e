//! Folded aggregates, and turns among those who change the same one.
//!
//! The append checks what the cache says, so a stale entry costs a retry and never an update. Turns only save effort.

use crate::store::Loaded;
use aggregates::{Decider, ids::OrgId};
use lru::LruCache;
use proof::digest::Sha256Hex;
use std::{
    any::Any,
    hash::{BuildHasher, RandomState},
    num::NonZeroUsize,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::MutexGuard;

/// How many aggregates are kept.
const ENTRIES: NonZeroUsize = NonZeroUsize::new(8_192).unwrap();
/// How many turns there are; two aggregates may share one.
const TURNS: usize = 1_024;

/// How many long texts are kept, and up to which length in bytes.
const TEXTS: NonZeroUsize = NonZeroUsize::new(512).unwrap();
const TEXT_LIMIT: usize = 64 * 1024;

type Entry = Arc<dyn Any + Send + Sync>;

pub(super) struct Cache {
    entries: Mutex<LruCache<(&'static str, OrgId, String), Entry>>,
    texts: Mutex<LruCache<Sha256Hex, Arc<str>>>,
    turns: Vec<tokio::sync::Mutex<()>>,
    hasher: RandomState,
}

impl Cache {
    pub(super) fn new() -> Self {
        Self {
            entries: Mutex::new(LruCache::new(ENTRIES)),
            texts: Mutex::new(LruCache::new(TEXTS)),
            turns: (0..TURNS).map(|_| tokio::sync::Mutex::new(())).collect(),
            hasher: RandomState::new(),
        }
    }

    /// Waits for the turn to change an aggregate.
    pub(super) async fn turn<D: Decider>(&self, org: OrgId, id: &str) -> MutexGuard<'_, ()> {
        let place = self.hasher.hash_one((D::TYPE, org, id)) as usize % TURNS;
        self.turns[place].lock().await
    }

    pub(super) fn get<D: Decider>(&self, org: OrgId, id: &str) -> Option<Arc<Loaded<D>>> {
        let entry = self.entries().get(&(D::TYPE, org, id.to_owned())).cloned()?;
        entry.downcast().ok()
    }

    pub(super) fn put<D: Decider>(&self, org: OrgId, id: &str, loaded: Arc<Loaded<D>>) {
        self.entries().put((D::TYPE, org, id.to_owned()), loaded);
    }

    pub(super) fn forget<D: Decider>(&self, org: OrgId, id: &str) {
        self.entries().pop(&(D::TYPE, org, id.to_owned()));
    }

    /// Folds what was appended into the entry that it was decided on.
    pub(super) fn settle<D: Decider>(
        &self,
        org: OrgId,
        id: &str,
        mut loaded: Arc<Loaded<D>>,
        events: &[D::Event],
    ) -> Arc<Loaded<D>> {
        // Taken out, it is ours alone, and nothing is copied.
        self.forget::<D>(org, id);
        let now = Arc::make_mut(&mut loaded);
        for event in events {
            now.state.evolve(event);
            now.sequence += 1;
        }
        self.put(org, id, Arc::clone(&loaded));
        loaded
    }

    /// A long text by its digest, which never names another.
    pub(super) fn text(&self, sha256: Sha256Hex) -> Option<Arc<str>> {
        self.texts.lock().unwrap_or_else(PoisonError::into_inner).get(&sha256).cloned()
    }

    pub(super) fn put_text(&self, sha256: Sha256Hex, text: &str) {
        if text.len() <= TEXT_LIMIT {
            self.texts.lock().unwrap_or_else(PoisonError::into_inner).put(sha256, text.into());
        }
    }

    fn entries(&self) -> std::sync::MutexGuard<'_, LruCache<(&'static str, OrgId, String), Entry>> {
        // A panic elsewhere leaves the map itself whole.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
