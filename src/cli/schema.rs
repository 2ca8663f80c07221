//! `schema`: every configuration key, for editors and for people.

use super::Failure;
use super::arguments::SchemaForm;
use super::terminal::Terminal;
use crate::config::reference;

pub(super) fn run(form: SchemaForm, terminal: &mut Terminal) -> Result<(), Failure> {
    let text = match form {
        SchemaForm::Json => format!("{}\n", serde_json::to_string_pretty(&reference::json_schema())?),
        SchemaForm::Markdown => reference::markdown(),
    };
    Ok(terminal.print(&text)?)
}
