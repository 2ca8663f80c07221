//! The policy that is in force, and how shards see it change.
//!
//! `proxy` and `control` share only this: control publishes a whole, immutable generation; every shard picks it up with
//! its next request, and a request ends with the generation that it began with.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use arc_swap::{ArcSwap, Cache};

use crate::policy::Plan;
use crate::redaction::Redaction;

/// One immutable, compiled policy and what is derived from it.
pub struct Generation {
    /// The policy.
    pub plan: Plan,
    /// What is cut out of answers.
    pub redaction: Redaction,
}

impl Generation {
    /// Derives what requests need from a policy.
    pub fn new(plan: Plan) -> Generation {
        let redaction = Redaction::compile(plan.redaction);
        Generation { plan, redaction }
    }
}

/// The place where generations are published.
pub type Published = Arc<ArcSwap<Generation>>;

/// The generation that one request has begun with. Counted per shard: a counter that all shards write to with every
/// request would travel between their caches.
pub(super) type Current = Rc<Arc<Generation>>;

/// One shard's handle on the published generation: no lock and no shared counter per request.
pub(super) struct Policy {
    cache: RefCell<Cache<Published, Arc<Generation>>>,
    current: RefCell<Current>,
}

impl Policy {
    /// Follows `published`.
    pub(super) fn new(published: Published) -> Policy {
        let mut cache = Cache::new(published);
        let current = Rc::new(Arc::clone(cache.load()));
        Policy { cache: RefCell::new(cache), current: RefCell::new(current) }
    }

    /// The generation for a request that begins now.
    pub(super) fn current(&self) -> Current {
        let mut cache = self.cache.borrow_mut();
        let latest = cache.load();
        let mut current = self.current.borrow_mut();
        if !Arc::ptr_eq(latest, &current) {
            *current = Rc::new(Arc::clone(latest));
        }
        Rc::clone(&current)
    }
}
