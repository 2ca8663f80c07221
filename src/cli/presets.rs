//! `presets`: the configurations that come with the program.

use super::Failure;
use super::arguments::PresetsCommand;
use super::terminal::Terminal;
use crate::config::presets::PRESETS;

pub(super) fn run(command: &PresetsCommand, terminal: &mut Terminal) -> Result<(), Failure> {
    let text = match command {
        PresetsCommand::List => {
            PRESETS.iter().map(|preset| format!("{:<24} {}\n", preset.name, preset.purpose())).collect()
        }
        PresetsCommand::Show { name } => match PRESETS.iter().find(|preset| preset.name == name) {
            Some(preset) => preset.text.to_owned(),
            None => {
                let names: Vec<&str> = PRESETS.iter().map(|preset| preset.name).collect();
                return Err(Failure::Error(format!("unknown preset {name:?} (known: {})", names.join(", "))));
            }
        },
    };
    Ok(terminal.print(&text)?)
}
