//! The command line (spec 10 §3).
//!
//! Owns arguments, what each command prints and where, and the exit code: 0 on success, 1 on any error. It asks
//! [`config`](crate::config) and [`policy`](crate::policy) for facts and takes no decision itself.

mod arguments;
mod carried;
pub mod demo;
mod judge;
mod presets;
mod schema;
mod serve;
mod terminal;
mod validate;
mod version;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};

use crate::config::{ConfigFile, Environment};
use arguments::{Arguments, Command};
use terminal::Terminal;

/// Why a command ends with exit code 1.
#[derive(Debug)]
pub enum Failure {
    /// Printed as `Error: TEXT`.
    Error(String),
    /// The command has printed what there is to say.
    Told,
}

impl<E: std::fmt::Display> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Error(error.to_string())
    }
}

/// Runs the program with these arguments, the first of which is its name.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let mut terminal = Terminal::of_process();
    let outcome = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => run(arguments, &mut terminal),
        Err(error) => refuse(&error, &mut terminal),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Told) => ExitCode::FAILURE,
        Err(Failure::Error(text)) => {
            terminal.complain(&format!("Error: {text}\n"));
            ExitCode::FAILURE
        }
    }
}

/// Help was asked for, or the arguments are wrong: the text names the argument and shows the usage.
fn refuse(error: &clap::Error, terminal: &mut Terminal) -> Result<(), Failure> {
    let text = error.render().to_string();
    if error.use_stderr() {
        let text = text.strip_prefix("error: ").unwrap_or(&text);
        terminal.complain(&format!("Error: {text}"));
        return Err(Failure::Told);
    }
    Ok(terminal.print(&text)?)
}

fn run(arguments: Arguments, terminal: &mut Terminal) -> Result<(), Failure> {
    let file = arguments.config.map_or(ConfigFile::Default, ConfigFile::Named);
    let environment = || std::env::vars_os().collect::<Environment>();
    match arguments.command.unwrap_or_default() {
        Command::Serve(flags) => serve::run(&flags.into_overrides(), &file, terminal),
        Command::Validate(flags) => validate::run(&file, &environment(), flags.output, terminal),
        Command::Match(flags) => judge::run(&file, &environment(), &flags, terminal),
        Command::Version(flags) => version::run(flags.output, terminal),
        Command::Demo if demo::run(&mut std::io::stdout().lock()) => Ok(()),
        Command::Demo => Err(Failure::Told),
        Command::Presets { command } => presets::run(&command, terminal),
        Command::Schema(flags) => schema::run(flags.output, terminal),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "sockguard", &mut script);
            Ok(terminal.print_bytes(&script)?)
        }
        Command::Man => {
            let mut page = Vec::new();
            clap_mangen::Man::new(Arguments::command()).render(&mut page)?;
            Ok(terminal.print_bytes(&page)?)
        }
    }
}
