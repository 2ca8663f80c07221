//! Redaction: which answers are edited before a client sees them, and where (spec 50 part C).
//!
//! Owns the table of endpoints and fields, its compilation for one set of toggles, and the one-pass rewriter that
//! turns a whole answer into a list of cuts. It must not decide *whether* an answer is eligible (method, status,
//! content coding): that is the caller's, who holds the head. It keeps nothing between answers but scratch memory.

mod bind;
mod cuts;
mod endpoint;
mod fields;
mod matcher;
#[cfg(test)]
mod reference;
mod rewriter;
#[cfg(test)]
mod tests;
mod toggles;

use matcher::Root;

pub use cuts::Cuts;
pub use endpoint::Endpoint;
pub use rewriter::{Rejected, Scratch};
pub use toggles::Toggles;

/// The redaction of one policy: one compiled [`Matcher`] per covered endpoint.
#[derive(Clone, Debug)]
pub struct Redaction {
    matchers: Vec<Option<Matcher>>,
}

impl Redaction {
    /// Compiles the table for the toggles of one policy. Cannot fail: the table is ours.
    pub fn compile(toggles: Toggles) -> Redaction {
        Redaction { matchers: Endpoint::ALL.iter().map(|endpoint| Matcher::compile(*endpoint, toggles)).collect() }
    }

    /// The matcher for a canonical path, for any method (spec 50 C1), or `None` when no active toggle covers the path
    /// and its answers stream through untouched.
    ///
    /// HEAD, the status and the content coding are the caller's to judge.
    pub fn covers(&self, canonical_path: &[u8]) -> Option<&Matcher> {
        let endpoint = Endpoint::of(canonical_path)?;
        self.matchers.get(endpoint as usize)?.as_ref()
    }
}

/// The rewriter of one endpoint's answers under one set of toggles.
#[derive(Clone, Debug)]
pub struct Matcher {
    endpoint: Endpoint,
    root: Root,
}

impl Matcher {
    fn compile(endpoint: Endpoint, toggles: Toggles) -> Option<Matcher> {
        Some(Matcher { endpoint, root: Root::compile(endpoint, toggles)? })
    }

    /// The endpoint whose answers this edits.
    pub fn endpoint(&self) -> Endpoint {
        self.endpoint
    }

    /// Judges a whole answer and lists what has to be replaced in it (spec 50 C2, C5).
    ///
    /// The answer is the body after chunked decoding, complete. A body of no bytes is not JSON and is rejected here;
    /// the caller passes such a 2xx answer through before asking (spec 50 C1).
    ///
    /// # Errors
    ///
    /// The answer must be answered with the 502 of spec 50 C5 and nothing of it may leave: it is not one JSON
    /// document, has another shape than the table expects, repeats a key that the table names, or is too large.
    pub fn cuts<'s>(&self, answer: &[u8], scratch: &'s mut Scratch) -> Result<&'s Cuts, Rejected> {
        rewriter::rewrite(&self.root, answer, scratch)
    }
}
