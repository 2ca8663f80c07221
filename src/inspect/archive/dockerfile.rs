//! Whether a Dockerfile runs commands, or hands itself to a frontend that might (spec 30 §7, §15 gap 6).
//!
//! Owns the search, not a parser. Builders differ in how they join lines, so the text is read in every way that one of
//! them reads it, and `RUN` in any reading counts:
//!
//! - *plain*: lines are trimmed before they are joined, and comments end nothing;
//! - *BuildKit's*: comments and blank lines vanish inside an instruction, and a doubled escape character joins nothing;
//! - after a here-document may have begun, any line may begin an instruction. Where one ends depends on shell quoting
//!   (`COPY <<'E\' /x` ends at `E\`, which seems to continue), and to get that wrong would hide the line that follows.

use std::borrow::Cow;
use std::ops::ControlFlow;

use memchr::memmem;

/// What a Dockerfile does that cannot be allowed while `RUN` is restricted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The frontend that is to read it; nobody knows what that makes of it.
    Frontend(String),
    /// It runs a command.
    Run,
}

/// The instructions of a Dockerfile, in upper case.
const INSTRUCTIONS: &[&str] = &[
    "ADD",
    "ARG",
    "CMD",
    "COPY",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "HEALTHCHECK",
    "LABEL",
    "MAINTAINER",
    "ONBUILD",
    "RUN",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
];

/// How much of an instruction is kept when only its keyword matters.
const KEYWORDS_MAX_CHARACTERS: usize = 64;

/// Looks for what is not allowed.
#[must_use]
pub fn find(dockerfile: &[u8]) -> Option<Finding> {
    let text = decode(dockerfile);
    if let Some(frontend) = json_frontend(&text) {
        return Some(Finding::Frontend(frontend));
    }
    let directives = Directives::read(&text);
    if let Some(frontend) = directives.frontend {
        return Some(Finding::Frontend(frontend.to_owned()));
    }
    let runs = |escape| runs_when_read_plainly(&text, escape) || runs_when_read_by_buildkit(&text, escape);
    let runs = match directives.escape {
        Escape::Is(escape) => runs(escape),
        Escape::Unclear => runs('\\') || runs('`'),
    };
    runs.then_some(Finding::Run)
}

/// Whether a text that is no archive begins like a Dockerfile.
#[must_use]
pub fn is_dockerfile(text: &[u8]) -> bool {
    let text = decode(text);
    let first = text.split('\n').map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'));
    let keyword = first.and_then(|line| line.split_whitespace().next()).unwrap_or_default();
    INSTRUCTIONS.iter().any(|instruction| keyword.eq_ignore_ascii_case(instruction))
}

/// The text without byte order mark; what is not UTF-8 is no part of a keyword.
fn decode(dockerfile: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(dockerfile.strip_prefix("\u{feff}".as_bytes()).unwrap_or(dockerfile))
}

/// BuildKit looks for a frontend in a Dockerfile that is one JSON object. Nothing else begins with a brace.
fn json_frontend(text: &str) -> Option<String> {
    let text = text.trim_start();
    text.starts_with('{').then(|| text.split('\n').next().unwrap_or_default().trim_end().to_owned())
}

/// The character that continues a line at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Escape {
    Is(char),
    /// Builders could disagree; both are tried.
    Unclear,
}

/// What the leading lines of the form `# key = value` say.
#[derive(Debug, PartialEq, Eq)]
struct Directives<'t> {
    frontend: Option<&'t str>,
    escape: Escape,
}

impl<'t> Directives<'t> {
    fn read(text: &'t str) -> Directives<'t> {
        let mut directives = Directives { frontend: None, escape: Escape::Is('\\') };
        let mut has_escape = false;
        // A builder that skips a first line for the kernel reads on behind it, another one stops there.
        let mut is_certain = !text.starts_with("#!");
        for line in text.split('\n').skip(usize::from(!is_certain)) {
            let Some((mark, key, value)) = directive(line) else { break };
            is_certain &= mark == "#";
            if key.eq_ignore_ascii_case("syntax") {
                directives.frontend = directives.frontend.or(Some(value));
            } else if key.eq_ignore_ascii_case("escape") {
                is_certain &= !has_escape;
                has_escape = true;
                directives.escape = match value {
                    _ if !is_certain => Escape::Unclear,
                    "`" => Escape::Is('`'),
                    _ => Escape::Is('\\'),
                };
            } else if !key.eq_ignore_ascii_case("check") {
                // Some builders end the directives at a key that they do not know.
                is_certain = false;
            }
        }
        directives
    }
}

/// Comment mark, key and value of a directive.
fn directive(line: &str) -> Option<(&str, &str, &str)> {
    let line = line.trim();
    let mark = ["#", "//"].into_iter().find(|mark| line.starts_with(mark))?;
    let (key, value) = line.strip_prefix(mark)?.split_once('=')?;
    let (key, value) = (key.trim(), value.trim());
    let is_key = key.starts_with(|first: char| first.is_ascii_alphabetic())
        && key.chars().all(|character| character.is_ascii_alphanumeric());
    (is_key && !value.is_empty()).then_some((mark, key, value))
}

/// Whether an instruction runs a command, now or in a later build.
fn is_run(instruction: &str) -> bool {
    let mut words = instruction.split_whitespace();
    let first = words.next().unwrap_or_default();
    is_word(first, "run") || (is_word(first, "onbuild") && words.next().is_some_and(|second| is_word(second, "run")))
}

/// Whether a word is a keyword to a builder that lowers its case or to one that raises it. Outside ASCII, the `i` has
/// such neighbours: `ONBUİLD` is `onbuild` in lower case.
fn is_word(word: &str, keyword: &str) -> bool {
    let fold = |character: char| match character {
        'İ' | 'ı' => 'i',
        other => other.to_ascii_lowercase(),
    };
    word.chars().map(fold).eq(keyword.chars())
}

/// The reading of spec 30 §7.
fn runs_when_read_plainly(text: &str, escape: char) -> bool {
    let mut instruction = String::new();
    let mut is_open = false;
    for line in text.split('\n').map(str::trim) {
        if line.is_empty() || (line.starts_with('#') && !is_open) {
            continue;
        }
        instruction.push_str(line);
        is_open = instruction.ends_with(escape);
        if is_open {
            instruction.pop();
            continue;
        }
        if is_run(&instruction) {
            return true;
        }
        instruction.clear();
    }
    is_run(&instruction)
}

/// BuildKit's reading up to where a here-document may begin, and any reading from there on.
fn runs_when_read_by_buildkit(text: &str, escape: char) -> bool {
    let mut instruction = String::new();
    let mut is_open = false;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        at += line.len();
        let Line::Text { text: part, is_continued } = Line::read(line, escape) else { continue };
        instruction.push_str(if is_open { part } else { part.trim_start() });
        is_open = is_continued;
        if is_open {
            continue;
        }
        if is_run(&instruction) {
            return true;
        }
        if memmem::find(instruction.as_bytes(), b"<<").is_some() {
            return runs_from_any_line(text.get(at..).unwrap_or_default(), escape);
        }
        instruction.clear();
    }
    is_run(&instruction)
}

/// A line as BuildKit sees it inside an instruction.
enum Line<'t> {
    /// A comment or nothing at all: the instruction goes on behind it.
    Skipped,
    Text {
        text: &'t str,
        is_continued: bool,
    },
}

impl<'t> Line<'t> {
    fn read(line: &'t str, escape: char) -> Line<'t> {
        let line = line.trim_end_matches(['\n', '\r']);
        let start = line.trim_start();
        if start.is_empty() || start.starts_with('#') {
            return Line::Skipped;
        }
        let continued = line.trim_end_matches([' ', '\t']).strip_suffix(escape);
        match continued {
            Some(text) if !text.ends_with(escape) => Line::Text { text, is_continued: true },
            _ => Line::Text { text: line, is_continued: false },
        }
    }
}

/// Whether an instruction that begins at some line, however it is joined with the following ones, runs a command. From
/// the last line to the first, so that the keywords of every beginning are known in one pass.
fn runs_from_any_line(text: &str, escape: char) -> bool {
    let mut following = String::new();
    let run = text.rsplit('\n').try_for_each(|line| {
        let Line::Text { text, is_continued } = Line::read(line, escape) else { return ControlFlow::Continue(()) };
        let mut instruction = String::new();
        push_keywords(&mut instruction, text);
        if is_continued {
            push_keywords(&mut instruction, &following);
        }
        if is_run(&instruction) {
            return ControlFlow::Break(());
        }
        following = instruction;
        ControlFlow::Continue(())
    });
    run.is_break()
}

/// Appends the beginning of a text, white space narrowed, until there is enough to tell the keywords.
fn push_keywords(keywords: &mut String, text: &str) {
    for character in text.chars() {
        if keywords.len() >= KEYWORDS_MAX_CHARACTERS {
            return;
        }
        if !character.is_whitespace() {
            keywords.push(character);
        } else if !keywords.ends_with(' ') {
            keywords.push(' ');
        }
    }
}

#[cfg(test)]
#[path = "dockerfile_tests.rs"]
mod tests;
