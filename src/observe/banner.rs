//! The banner that a start prints to standard error (spec 70 §5).
//!
//! Owns its text. Whether colour is wanted, and printing it, is the caller's.

use std::fmt::Write;

use super::metrics::BuildInfo;

/// Characters of a commit that are shown.
const COMMIT_CHARACTERS: usize = 7;

const ART: &str = r"
    _________
   |  _____  |
   | |     | |
   | |  o  | |
    \ \ | / /
     \ \_/ /
      \___/
";

/// What the banner says.
#[derive(Clone, Copy, Debug)]
pub struct BannerFacts<'a> {
    /// What was built.
    pub build: BuildInfo,
    /// Main listeners, as `unix:<path>` or `tcp://<address>`.
    pub listeners: &'a [String],
    /// The dedicated admin listener, when there is one.
    pub admin: Option<&'a str>,
    /// Path of the Engine's socket.
    pub upstream: &'a str,
    /// Number of compiled rules.
    pub rules: usize,
    /// `log.format`
    pub log_format: &'a str,
    /// `log.level`
    pub log_level: &'a str,
    /// `log.access_log`
    pub access_log: bool,
}

/// The banner, with a line end at its end.
#[must_use]
pub fn banner(facts: &BannerFacts<'_>, colour: bool) -> String {
    let (bold, dim, plain) = if colour { ("\x1b[1;36m", "\x1b[2m", "\x1b[0m") } else { ("", "", "") };
    let BuildInfo { version, commit, date, runtime } = facts.build;
    let commit: String = commit.chars().take(COMMIT_CHARACTERS).collect();
    let mut out = format!("{bold}{ART}{plain}\n");
    // Writing to a string does not fail.
    let _ =
        writeln!(out, "  {bold}sockguard {version}{plain}  {dim}(commit {commit}, built {date}, {runtime}){plain}\n");
    let admin = facts.admin.map(|address| format!("admin {address}"));
    for address in facts.listeners.iter().chain(&admin) {
        let _ = writeln!(out, "  {dim}listen{plain}    {address}");
    }
    let _ = writeln!(out, "  {dim}upstream{plain}  {}", facts.upstream);
    let access = if facts.access_log { "on" } else { "off" };
    let log = format_args!("log {}/{}, access={access}", facts.log_format, facts.log_level);
    let _ = writeln!(out, "  {dim}rules{plain}     {}  ({log})\n", facts.rules);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUILD: BuildInfo =
        BuildInfo { version: "1.2.3", commit: "0123456789abcdef", date: "2026-01-02", runtime: "rustc 1.95.0" };

    fn facts(listeners: &[String]) -> BannerFacts<'_> {
        BannerFacts {
            build: BUILD,
            listeners,
            admin: Some("tcp://127.0.0.1:9000"),
            upstream: "/var/run/docker.sock",
            rules: 15,
            log_format: "json",
            log_level: "info",
            access_log: true,
        }
    }

    #[test]
    fn plain_banner() {
        let listeners = ["unix:/run/sockguard/docker.sock".to_owned()];
        let text = banner(&facts(&listeners), false);
        let body = text.strip_prefix(ART).unwrap();
        assert_eq!(
            body,
            "\n  sockguard 1.2.3  (commit 0123456, built 2026-01-02, rustc 1.95.0)\n\n  listen    \
             unix:/run/sockguard/docker.sock\n  listen    admin tcp://127.0.0.1:9000\n  upstream  \
             /var/run/docker.sock\n  rules     15  (log json/info, access=on)\n\n"
        );
    }

    #[test]
    fn colour_changes_nothing_but_colour() {
        let listeners = ["tcp://127.0.0.1:2375".to_owned()];
        let facts = BannerFacts { admin: None, access_log: false, ..facts(&listeners) };
        let mut coloured = banner(&facts, true);
        assert!(coloured.contains("\x1b["));
        for code in ["\x1b[1;36m", "\x1b[2m", "\x1b[0m"] {
            coloured = coloured.replace(code, "");
        }
        assert_eq!(coloured, banner(&facts, false));
    }
}
