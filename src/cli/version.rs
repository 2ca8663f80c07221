//! `version`: which build this is. Reads neither configuration nor environment.

use serde_json::json;

use super::Failure;
use super::arguments::Output;
use super::terminal::Terminal;
use crate::config::build::{BUILT, COMMIT, RUSTC, VERSION, short_commit};

pub(super) fn run(output: Output, terminal: &mut Terminal) -> Result<(), Failure> {
    let text = match output {
        Output::Json => format!("{}\n", json!({"version": VERSION, "commit": COMMIT, "built": BUILT, "rustc": RUSTC})),
        Output::Text => {
            format!("sockguard {VERSION}\ncommit    {}\nbuilt     {BUILT}\nrustc     {RUSTC}\n", short_commit())
        }
    };
    Ok(terminal.print(&text)?)
}
