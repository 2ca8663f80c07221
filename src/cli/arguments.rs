//! Commands and flags, each defined once: the parser, help, man page and completions follow from this file.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::config::Overrides;
use crate::limits::SHARDS_MAX;

/// Default-deny security proxy in front of the Docker Engine API.
#[derive(Debug, Parser)]
#[command(name = "sockguard", max_term_width = 120, subcommand_help_heading = "Commands")]
#[command(
    after_help = "Without a command, sockguard serves. Every configuration key is described by `sockguard schema`."
)]
pub(super) struct Arguments {
    /// Configuration file; by default /etc/sockguard/sockguard.yaml, which may be absent.
    #[arg(short, long, value_name = "PATH", global = true)]
    pub(super) config: Option<String>,

    #[command(subcommand)]
    pub(super) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Serve; this also happens without a command.
    Serve(ServeFlags),
    /// Check the configuration as `serve` would, without serving it.
    Validate(ValidateFlags),
    /// Tell what the root rules say about one request.
    #[command(after_help = "Bodies, queries and profiles are not judged. A denial is no error: the exit status is 0.")]
    Match(MatchFlags),
    /// Print version and build.
    Version(VersionFlags),
    /// Show what the proxy does, against a made-up Engine.
    Demo,
    /// Ready-made configurations for well-known clients.
    Presets {
        #[command(subcommand)]
        command: PresetsCommand,
    },
    /// Print the JSON Schema or the reference of the configuration.
    Schema(SchemaFlags),
    /// Print a completion script for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print the man page, in roff.
    Man,
}

impl Default for Command {
    fn default() -> Self {
        Self::Serve(ServeFlags::default())
    }
}

/// A flag that is given wins over variables and file, also when its value is empty.
#[derive(Args, Debug, Default)]
pub(super) struct ServeFlags {
    /// Unix socket to listen on (`listen.socket`).
    #[arg(long, value_name = "PATH")]
    listen_socket: Option<String>,
    /// The Engine's unix socket (`upstream.socket`).
    #[arg(long, value_name = "PATH")]
    upstream_socket: Option<String>,
    /// Lowest level that is logged (`log.level`).
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
    /// Format of the log (`log.format`).
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
    /// How much a denial tells (`response.deny_verbosity`).
    #[arg(long, value_name = "VERBOSITY")]
    deny_verbosity: Option<String>,
    /// How many cores serve; all of them by default. `SOCKGUARD_SHARDS` sets it, too.
    #[arg(long, value_name = "NUMBER", value_parser = parse_shards)]
    shards: Option<usize>,
}

impl ServeFlags {
    pub(super) fn into_overrides(self) -> Overrides {
        Overrides {
            listen_socket: self.listen_socket,
            upstream_socket: self.upstream_socket,
            log_level: self.log_level,
            log_format: self.log_format,
            deny_verbosity: self.deny_verbosity,
            shards: self.shards,
        }
    }
}

fn parse_shards(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(shards) if (1..=SHARDS_MAX).contains(&shards) => Ok(shards),
        _ => Err(format!("must be a number between 1 and {SHARDS_MAX}")),
    }
}

#[derive(Args, Debug)]
pub(super) struct ValidateFlags {
    /// Format of the verdict: text or json.
    #[arg(short, long, value_name = "FORMAT", default_value = "text", value_parser = parse_output_in_any_case)]
    pub(super) output: Output,
}

#[derive(Args, Debug)]
pub(super) struct MatchFlags {
    /// Method of the request.
    #[arg(short = 'X', long, value_name = "METHOD")]
    pub(super) method: String,
    /// Path of the request, as a client sends it; must start with a slash.
    #[arg(long, value_name = "PATH")]
    pub(super) path: String,
    /// Format of the answer: text or json.
    #[arg(short, long, value_name = "FORMAT", default_value = "text", value_parser = parse_output_in_any_case)]
    pub(super) output: Output,
    /// Also show every rule that was tried, and why it did not match.
    #[arg(long)]
    pub(super) explain: bool,
    /// Also judge this file as the body of the request, JSON or an archive; `-` reads standard input.
    #[arg(long, value_name = "FILE")]
    pub(super) body: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(super) struct VersionFlags {
    /// Format: text or json.
    #[arg(short, long, value_name = "FORMAT", default_value = "text", value_parser = parse_output)]
    pub(super) output: Output,
}

#[derive(Args, Debug)]
pub(super) struct SchemaFlags {
    /// Form: a JSON Schema, or the reference in Markdown.
    #[arg(short, long, value_name = "FORM", default_value = "json")]
    pub(super) output: SchemaForm,
}

/// Form of the schema.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum SchemaForm {
    /// JSON Schema, draft 2020-12.
    Json,
    /// Reference in Markdown.
    Markdown,
}

#[derive(Debug, Subcommand)]
pub(super) enum PresetsCommand {
    /// List the presets with their purpose.
    List,
    /// Print a preset, to be saved and adapted.
    Show {
        /// Name, as `list` prints it.
        name: String,
    },
}

/// Format of what a command prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Output {
    Text,
    Json,
}

fn parse_output(text: &str) -> Result<Output, String> {
    match text {
        "text" => Ok(Output::Text),
        "json" => Ok(Output::Json),
        _ => Err(format!("unknown output format {text:?} (want text or json)")),
    }
}

fn parse_output_in_any_case(text: &str) -> Result<Output, String> {
    parse_output(&text.to_ascii_lowercase()).map_err(|_| format!("unknown output format {text:?} (want text or json)"))
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser as _};

    use super::{Arguments, Command, Output};

    #[test]
    fn definitions_are_consistent() {
        Arguments::command().debug_assert();
    }

    fn parse(arguments: &[&str]) -> Result<Arguments, clap::Error> {
        Arguments::try_parse_from(std::iter::once("sockguard").chain(arguments.iter().copied()))
    }

    #[test]
    fn no_command_is_serve_without_its_flags() {
        let arguments = parse(&["-c", "x"]).expect("a global flag alone is right");
        assert!(matches!(arguments.command.unwrap_or_default(), Command::Serve(_)));
        assert!(parse(&["--upstream-socket", "x"]).is_err());
        assert!(parse(&["serve", "--upstream-socket", ""]).is_ok());
    }

    #[test]
    fn shards_are_bounded() {
        for (text, is_right) in
            [("1", true), ("1024", true), ("0", false), ("1025", false), ("-1", false), ("x", false)]
        {
            assert_eq!(parse(&["serve", &format!("--shards={text}")]).is_ok(), is_right, "{text}");
        }
    }

    #[test]
    fn output_formats() {
        let format = |arguments: &[&str]| match parse(arguments).ok()?.command? {
            Command::Match(flags) => Some(flags.output),
            Command::Version(flags) => Some(flags.output),
            _ => None,
        };
        assert_eq!(format(&["version", "-o", "json"]), Some(Output::Json));
        assert_eq!(format(&["version", "-o", "JSON"]), None);
        assert_eq!(format(&["match", "-X", "GET", "--path", "/", "-o", "JSON"]), Some(Output::Json));
    }
}
