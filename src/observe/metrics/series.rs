//! The series of a metric family.
//!
//! Owns the lock between the one who counts and a scrape. It is taken to find a series, never to count in one.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The series of one family in label order.
#[derive(Debug)]
pub(super) struct Series<L, M>(Mutex<BTreeMap<L, M>>);

impl<L, M> Default for Series<L, M> {
    fn default() -> Self {
        Series(Mutex::default())
    }
}

impl<L: Ord, M: Clone + Default> Series<L, M> {
    /// The series with these labels, new if need be.
    pub(super) fn resolve(&self, labels: L) -> M {
        self.lock().entry(labels).or_default().clone()
    }

    /// All series as they are now.
    pub(super) fn lock(&self) -> MutexGuard<'_, BTreeMap<L, M>> {
        // Nothing in here is left half done by a panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
