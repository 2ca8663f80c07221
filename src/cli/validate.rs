//! `validate`: everything that `serve` checks before it opens a socket (spec 10 §3.2).

use std::fmt::Write as _;

use super::Failure;
use super::arguments::Output;
use super::terminal::{Colour, Terminal, on_one_line};
use crate::config::schema::Rule;
use crate::config::{
    Candidate, ConfigFile, Environment, ListenAddress, LoadError, Overrides, Problems, Report, compile,
};

pub(super) fn run(
    file: &ConfigFile,
    environment: &Environment,
    output: Output,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    let verdict = Verdict::of(file, environment);
    match output {
        Output::Json => {
            terminal.print(&format!("{}\n", serde_json::to_string(&verdict.report())?))?;
            if verdict.is_passed() { Ok(()) } else { Err(Failure::Told) }
        }
        Output::Text => match &verdict {
            Verdict::Passed(candidate) => Ok(terminal.print(&summary(file, candidate, terminal))?),
            Verdict::Rejected(..) | Verdict::NotLoaded(_) => {
                let headline = terminal.paint(Colour::Red, "✗ validation failed");
                terminal.complain(&format!("  {headline}\n\n{}\n", indented(&verdict.complaint())));
                Err(Failure::Told)
            }
        },
    }
}

/// What became of the candidate.
enum Verdict {
    Passed(Box<Candidate>),
    Rejected(Box<Candidate>, Problems),
    NotLoaded(LoadError),
}

impl Verdict {
    fn of(file: &ConfigFile, environment: &Environment) -> Self {
        match Candidate::load(file, environment, &Overrides::default()) {
            Err(error) => Self::NotLoaded(error),
            Ok(candidate) => match compile(&candidate) {
                Ok(_) => Self::Passed(Box::new(candidate)),
                Err(problems) => Self::Rejected(Box::new(candidate), problems),
            },
        }
    }

    fn is_passed(&self) -> bool {
        matches!(self, Self::Passed(_))
    }

    fn report(&self) -> Report {
        match self {
            Self::Passed(candidate) => Report::passed(candidate),
            Self::Rejected(candidate, problems) => Report::rejected(candidate, problems),
            Self::NotLoaded(error) => Report::not_loaded(error),
        }
    }

    fn complaint(&self) -> String {
        match self {
            Self::Passed(_) => String::new(),
            Self::NotLoaded(error) => error.to_string(),
            Self::Rejected(_, problems) => {
                let lines = problems.lines().into_iter().map(|line| format!("\n  - {line}"));
                format!("config validation failed:{}", lines.collect::<String>())
            }
        }
    }
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
}

fn summary(file: &ConfigFile, candidate: &Candidate, terminal: &Terminal) -> String {
    let config = &candidate.config;
    let mut text = String::new();
    let mut line = |label: &str, value: &str| {
        let label = terminal.paint(Colour::Dim, &format!("{label:<9}"));
        let _ = writeln!(text, "  {label} {}", on_one_line(value));
    };
    line("Config", &file.path().display().to_string());
    line("Listen", &ListenAddress::of(config).to_string());
    line("Upstream", &config.upstream.socket);
    if candidate.is_compatibility_mode() {
        line("Mode", "tecnativa compatibility");
    }
    let _ = writeln!(text, "\n  Rules ({})", candidate.rules().len());
    write_rules(&mut text, "    ", candidate.rules(), terminal);
    let profiles = &config.clients.profiles;
    if !profiles.is_empty() {
        let _ = writeln!(text, "\n  Client Profiles ({})", profiles.len());
    }
    for profile in profiles {
        let default = if profile.name == config.clients.default_profile { " (default)" } else { "" };
        let _ = writeln!(text, "    {}{default}", on_one_line(&profile.name));
        write_rules(&mut text, "      ", &profile.rules, terminal);
    }
    let _ = writeln!(text, "\n  {}", terminal.paint(Colour::Green, "✓ validation passed"));
    text
}

fn write_rules(text: &mut String, indent: &str, rules: &[Rule], terminal: &Terminal) {
    for rule in rules {
        let action = match rule.action.as_str() {
            "allow" => terminal.paint(Colour::Green, "✓ allow"),
            _ => terminal.paint(Colour::Red, "✗ deny "),
        };
        let (method, path) = (on_one_line(&rule.r#match.method), on_one_line(&rule.r#match.path));
        let _ = writeln!(text, "{indent}{action}  {method:<6} {path}");
    }
}
