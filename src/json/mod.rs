//! JSON as the Engine reads and writes it (spec 30 §0, 50 part C).
//!
//! Owns how a document is read, not what it may say: which keys matter is the business of the modules above. Two readers:
//! the [`View`] over a tape, for requests that are judged, and the structural scanner that validates an answer without
//! building anything, for those that are edited.

pub(crate) mod classify;
mod duplicates;
pub mod fold;
pub(crate) mod scalar;
pub(crate) mod tokens;
pub mod view;

pub use view::{ReadError, Reader, View};
