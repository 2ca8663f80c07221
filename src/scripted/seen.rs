//! What reached the scripted Engine: one bounded record per request, and waiting for one.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::lock;

/// The first bytes of a request body that are kept; the rest is counted only.
pub const RECORDED_BODY_MAX_BYTES: usize = 1 << 20;
/// Requests that are kept; the oldest goes first, so that a benchmark cannot fill the memory.
pub const RECORDED_REQUESTS_MAX: usize = 4096;

/// A request as it reached the Engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenRequest {
    /// Number of the connection, counted from 1.
    pub connection: u64,
    /// Method as sent.
    pub method: String,
    /// Request target as sent, with query.
    pub target: String,
    /// Header lines in order, names as sent; bytes outside ASCII are replaced.
    pub headers: Vec<(String, String)>,
    /// The first [`RECORDED_BODY_MAX_BYTES`] of the body, without its framing.
    pub body: Vec<u8>,
    /// Length of the body so far, without its framing.
    pub body_bytes: u64,
    /// Whether the body has arrived whole.
    pub body_complete: bool,
}

impl SeenRequest {
    /// The value of the first header line of this name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The path: the target without query and without `/vN.NN`.
    pub fn path(&self) -> &str {
        let path = self.target.split_once('?').map_or(self.target.as_str(), |(path, _)| path);
        match path.strip_prefix("/v").and_then(|rest| rest.split_once('/')) {
            Some((version, _)) if !version.is_empty() && version.bytes().all(|b| b.is_ascii_digit() || b == b'.') => {
                path.get(2 + version.len()..).unwrap_or(path)
            }
            _ => path,
        }
    }

    /// The value of a query parameter, not decoded.
    pub fn query(&self, name: &str) -> Option<&str> {
        let (_, query) = self.target.split_once('?')?;
        query.split('&').find_map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (key == name).then_some(value)
        })
    }
}

/// The record of one Engine.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Number of the oldest request that is still kept.
    first: u64,
    kept: VecDeque<SeenRequest>,
}

impl Ledger {
    /// Records a request by its head; the number stands for it in [`Ledger::update`].
    pub(super) fn push(&self, request: SeenRequest) -> u64 {
        let mut state = lock(&self.state);
        if state.kept.len() == RECORDED_REQUESTS_MAX {
            state.kept.pop_front();
            state.first += 1;
        }
        state.kept.push_back(request);
        let number = state.first + state.kept.len() as u64 - 1;
        self.changed.notify_all();
        number
    }

    /// Changes the record of a request, if it is still kept.
    pub(super) fn update(&self, number: u64, change: impl FnOnce(&mut SeenRequest)) {
        let mut state = lock(&self.state);
        let at = number.checked_sub(state.first).and_then(|at| usize::try_from(at).ok());
        if let Some(request) = at.and_then(|at| state.kept.get_mut(at)) {
            change(request);
            self.changed.notify_all();
        }
    }

    pub(super) fn requests(&self) -> Vec<SeenRequest> {
        lock(&self.state).kept.iter().cloned().collect()
    }

    pub(super) fn total(&self) -> u64 {
        let state = lock(&self.state);
        state.first + state.kept.len() as u64
    }

    pub(super) fn wait_for(&self, within: Duration, matches: impl Fn(&SeenRequest) -> bool) -> Option<SeenRequest> {
        let deadline = Instant::now() + within;
        let mut state = lock(&self.state);
        loop {
            if let Some(found) = state.kept.iter().find(|request| matches(request)) {
                return Some(found.clone());
            }
            let left = deadline.checked_duration_since(Instant::now())?;
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}
