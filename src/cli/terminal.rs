//! Standard output and standard error, with or without colour.
//!
//! Owns when there is colour: on a terminal or when `FORCE_COLOR` is set, never when `NO_COLOR` is set (spec 10 §3).

use std::io::{self, IsTerminal as _, Write as _};

/// The process's two output streams.
#[derive(Debug)]
pub(super) struct Terminal {
    has_colour: bool,
}

/// Colour of a piece of text.
#[derive(Clone, Copy, Debug)]
pub(super) enum Colour {
    Green,
    Red,
    Dim,
}

impl Terminal {
    pub(super) fn of_process() -> Self {
        let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_terminal = io::stdout().is_terminal() && io::stderr().is_terminal();
        Self { has_colour: !is_set("NO_COLOR") && (is_set("FORCE_COLOR") || is_terminal) }
    }

    pub(super) fn has_colour(&self) -> bool {
        self.has_colour
    }

    /// The text, coloured when there is colour.
    pub(super) fn paint(&self, colour: Colour, text: &str) -> String {
        let code = match colour {
            Colour::Green => 32,
            Colour::Red => 31,
            Colour::Dim => 2,
        };
        if self.has_colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    /// Writes to standard output. A reader that has gone away is no failure of ours.
    pub(super) fn print(&mut self, text: &str) -> io::Result<()> {
        self.print_bytes(text.as_bytes())
    }

    /// The same for bytes.
    pub(super) fn print_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut out = io::stdout().lock();
        match out.write_all(bytes).and_then(|()| out.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            outcome => outcome,
        }
    }

    /// Writes to standard error; when that fails there is nobody left to tell.
    pub(super) fn complain(&mut self, text: &str) {
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }
}

/// A configured text on one line: control characters, with which it could forge lines or colours, are escaped.
pub(super) fn on_one_line(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
}
