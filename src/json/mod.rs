//! JSON as the Engine reads and writes it (spec 30 §0, 50 part C).
//!
//! Owns the structural scanner that validates a document without building a tree. It must not know any endpoint or
//! field: which keys matter is the business of the modules above.

pub(crate) mod classify;
pub(crate) mod scalar;
pub(crate) mod tokens;
