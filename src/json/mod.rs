//! JSON as the Engine reads and writes it (spec 30 §0, 50 part C).
//!
//! Owns how a document is read, not what it may say: which keys matter is the business of the modules above.

mod duplicates;
pub mod fold;
pub mod view;

pub use view::{ReadError, Reader, View};
