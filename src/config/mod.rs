//! The configuration: from a file, variables and flags to settings and a plan (spec 10).
//!
//! The way of a configuration: [`yaml`] reads the file into a tree, [`environment`] lays variables over it, [`schema`]
//! turns it into a [`Config`] by the rows of [`field`], [`candidate`] adds flags and chooses the rules, [`compile`]
//! checks everything and returns [`Settings`] for the process and a [`Plan`](crate::policy::Plan) for its requests.
//! This module decides what a configuration means; it must not decide about requests.

pub mod build;
pub mod candidate;
pub mod check;
pub mod compat;
pub mod compile;
pub mod duration;
pub mod environment;
pub mod field;
mod inspection;
pub mod notice;
pub mod presets;
pub mod problem;
pub mod reference;
pub mod report;
pub mod schema;
pub mod settings;
mod suggest;
mod unavailable;
pub mod yaml;

pub use candidate::{Candidate, ConfigFile, DEFAULT_PATH, Layers, LoadError, Overrides, RulesSource};
pub use compile::compile;
pub use environment::Environment;
pub use notice::{Notice, notices};
pub use problem::{Origin, Problem, Problems};
pub use report::Report;
pub use schema::Config;
pub use settings::{HealthSettings, ListenAddress, LogSettings, MetricsSettings, Settings};
pub use unavailable::unavailable;
