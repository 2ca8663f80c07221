//! config
pub mod duration;
pub mod field;
pub mod problem;
pub mod schema;
mod suggest;
pub mod yaml;
