//! JSON as the Engine reads and writes it (spec 30 §0, 50 part C).
//!
//! Owns three readings of one grammar, each for what it is best at, and the way back:
//! - [`Reader`] gives the inspectors a typed [`View`] of a request body over a simd-json tape, in the Engine's terms;
//! - [`Splicer`] sets a string in a body without touching another byte;
//! - the token walk below both lets answers be checked and edited in one pass, without a tree;
//! - [`escape`] prints strings.
//!
//! It must not know any endpoint or field: which keys matter is the business of the modules above. (The list of data
//! maps, which the Engine's API has in common, is the exception.)

pub(crate) mod classify;
mod duplicates;
pub mod escape;
pub(crate) mod fold;
mod reader;
pub(crate) mod scalar;
mod splice;
#[cfg(test)]
mod tests;
pub(crate) mod tokens;
mod value;
pub(crate) mod walk;

pub use reader::{Reader, Unreadable, View};
pub use splice::{SpliceError, Splicer, Step};
pub use tokens::Malformed;
pub use value::{Field, Names, Object, StringMap, Strings, TypeError};
