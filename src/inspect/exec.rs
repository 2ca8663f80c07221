//! Exec create and start: which commands may run, and as whom (spec 30 §2).
//!
//! Owns the command list and the checks that create and start share.

use crate::policy::Glob;

/// Commands that are allowed, each a list of globs, one for each argument.
#[derive(Clone, Debug, Default)]
pub struct Commands {
    entries: Vec<Vec<Glob>>,
}

impl Commands {
    /// Compiles configured commands. An entry without words allows nothing; the configuration refuses it.
    #[must_use]
    pub fn new<S: AsRef<str>>(commands: &[Vec<S>]) -> Commands {
        let compile = |words: &Vec<S>| words.iter().map(|word| Glob::new_lf_strict(word.as_ref())).collect();
        Commands { entries: commands.iter().map(compile).collect() }
    }

    /// Whether no command is listed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether an entry has as many words as the command, each matching the argument at its place.
    pub(crate) fn allow<'a>(&self, arguments: impl Iterator<Item = &'a str> + Clone) -> bool {
        self.entries.iter().any(|entry| {
            let mut arguments = arguments.clone();
            let all_match =
                entry.iter().all(|glob| arguments.next().is_some_and(|argument| glob.matches(argument.as_bytes())));
            all_match && !entry.is_empty() && arguments.next().is_none()
        })
    }
}
