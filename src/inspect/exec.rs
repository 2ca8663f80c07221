//! `POST /containers/X/exec` and `POST /exec/X/start`: which commands may run, and as whom (spec 30 §2).
//!
//! Owns the command list and the checks that both share. The start is judged by what the Engine says was created, since
//! whoever starts need not be who created.

use super::Outcome;
use super::options::{ExecOptions, Options};
use super::reason::QuotedWords;
use super::request::{Answer, Question, Step};
use super::stop::{Judged, NOT_INSPECTABLE, Stop, conclude, deny, deny_value, flag, read, text};
use super::text::is_root;
use crate::endpoint::Inspector;
use crate::glob::Glob;
use crate::json::{Names, Reader, Strings, TypeError, View};

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

/// Judges the body of an exec create request that is not empty.
pub fn inspect_create(body: &[u8], options: &Options, reader: &mut Reader) -> Outcome {
    conclude(read(reader, body, |view| judge_create(view, options)), "exec", NOT_INSPECTABLE)
}

/// Judges an exec start request by the Engine's answer about the exec.
pub fn inspect_start(answer: Option<&Answer<'_>>, options: &Options, reader: &mut Reader) -> Step {
    let failed = || Outcome::Failed(Inspector::ExecStart.failure_reason().into());
    let outcome = match answer {
        None => return Step::Ask(Question::Exec),
        // The Engine knows no such exec and will say so itself.
        Some(Answer::NotFound) => Outcome::Pass,
        Some(Answer::Failed) => failed(),
        // Unlike the client's document, the Engine's is expected to be readable.
        Some(Answer::Found(answer)) => {
            let judged =
                reader.read(answer, |view| Created::decode(view).map(|created| judge_start(&created, options)));
            match judged {
                Ok(Ok(judged)) => conclude(judged, "exec", NOT_INSPECTABLE),
                Ok(Err(_)) | Err(_) => failed(),
            }
        }
    };
    Step::Judged(outcome)
}

static CREATE: Names<3> = Names::new(["Cmd", "Privileged", "User"]);

fn judge_create(view: View<'_>, options: &Options) -> Judged {
    let [command, privileged, user] = view.object()?.fields_of(&CREATE);
    let (privileged, user) = (flag(privileged)?, text(user)?);
    match command.string() {
        Ok(line) => judge(line.unwrap_or_default().split_whitespace(), privileged, user, options),
        Err(_) => judge(command.strings()?, privileged, user, options),
    }
}

fn judge_start(created: &Created<'_>, options: &Options) -> Judged {
    let entrypoint = Some(created.entrypoint).filter(|entrypoint| !entrypoint.is_empty());
    judge(entrypoint.into_iter().chain(created.arguments.clone()), created.privileged, created.user, options)
}

/// The checks that create and start share.
fn judge<'a>(
    arguments: impl Iterator<Item = &'a str> + Clone,
    privileged: bool,
    user: &str,
    options: &Options,
) -> Judged {
    let ExecOptions { allow_privileged, allow_root_user, allowed_commands } = &options.exec;
    if arguments.clone().next().is_none() {
        return Err(Stop::Unreadable);
    }
    if allowed_commands.is_empty() && !options.body_blind_writes {
        return deny("no commands are allowlisted");
    }
    if privileged && !allow_privileged {
        return deny("privileged exec is not allowed");
    }
    if is_root(user) && !allow_root_user {
        return deny("root exec user is not allowed");
    }
    if allowed_commands.is_empty() || allowed_commands.allow(arguments.clone()) {
        return Ok(());
    }
    deny_value(format_args!("command {} is not allowlisted", QuotedWords(arguments)))
}

/// What the Engine says about an exec: `ProcessConfig`.
struct Created<'d> {
    entrypoint: &'d str,
    arguments: Strings<'d>,
    privileged: bool,
    user: &'d str,
}

impl<'d> Created<'d> {
    fn decode(view: View<'d>) -> Result<Created<'d>, TypeError> {
        let process = view.object()?.field("ProcessConfig").object()?.unwrap_or_default();
        let [entrypoint, arguments, privileged, user] =
            process.fields(["entrypoint", "arguments", "privileged", "user"]);
        Ok(Created {
            entrypoint: text(entrypoint)?,
            arguments: arguments.strings()?,
            privileged: flag(privileged)?,
            user: text(user)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::testing::{Table, UNREADABLE};

    fn options(commands: &[&[&str]]) -> Options {
        let commands: Vec<Vec<&str>> = commands.iter().map(|words| words.to_vec()).collect();
        let exec = ExecOptions { allowed_commands: Commands::new(&commands), ..ExecOptions::default() };
        Options { exec, ..Options::default() }
    }

    #[test]
    fn commands_match_word_by_word() {
        for (entry, argv, is_allowed) in [
            (&["/bin/sh"][..], &["/bin/sh"][..], true),
            (&["/bin/sh"], &["/bin/bash"], false),
            (&["/bin/sh"], &["/bin/sh", "-c"], false),
            (&["drydock", "finalize", "*"], &["drydock", "finalize", "run-abc"], true),
            (&["drydock", "finalize", "*"], &["drydock", "finalize", "a/b"], false),
            (&["drydock", "finalize", "*"], &["drydock", "finalize"], false),
            (&["drydock", "finalize", "*"], &["drydock", "finalize", "a", "b"], false),
            (&["drydock", "finalize", "**"], &["drydock", "finalize", "/var/run/token"], true),
            (&["drydock", "finalize", "**"], &["drydock", "finalize", ""], true),
            (&["drydock", "**"], &["drydock", "a\nb"], false),
            (&["deploy-*"], &["deploy-2026"], true),
            (&["deploy-*"], &["deploy-"], true),
            (&["deploy-*"], &["deploy"], false),
            (&["a.b"], &["a.b"], true),
            (&["a.b"], &["aXb"], false),
            (&["foo"], &["foo\n"], false),
            (&[], &["foo"], false),
        ] {
            let commands = Commands::new(&[entry.to_vec()]);
            assert_eq!(commands.allow(argv.iter().copied()), is_allowed, "{entry:?} {argv:?}");
        }
        let two = Commands::new(&[vec!["/bin/update"], vec!["/bin/update", "--check"]]);
        assert!(two.allow(["/bin/update", "--check"].into_iter()));
        assert!(!two.allow(["/bin/update", "--check", "--force"].into_iter()));
        assert!(!Commands::default().allow(["x"].into_iter()));
    }

    #[test]
    fn created_commands_are_judged() {
        let options = options(&[&["/bin/sh"], &["drydock", "finalize", "*"]]);
        Table::new("exec", |body| inspect_create(body, &options, &mut Reader::new()))
            .passes([
                r#"{"AttachStdout":true,"Cmd":["/bin/sh"],"User":"1000","Privileged":null,"Env":null}"#,
                r#"{"Cmd":"/bin/sh","User":"app:root"}"#,
                r#"{"CMD":"drydock \t finalize run-1 ","USER":"1"}"#,
                r#"{"Cmd":["/bin/sh"],"User":"1","Privileged":false}"#,
            ])
            .denies(
                r#"command "/bin/sh -c id" is not allowlisted"#,
                [r#"{"Cmd":"/bin/sh -c id","User":"1"}"#, r#"{"Cmd":["/bin/sh","-c","id"],"User":"1"}"#],
            )
            .denies(
                r#"command "drydock finalize 'a b'" is not allowlisted"#,
                [r#"{"Cmd":"drydock finalize 'a b'","User":"1"}"#],
            )
            .denies(r#"command "foo " is not allowlisted"#, [r#"{"Cmd":["foo",null],"User":"1"}"#])
            .denies("privileged exec is not allowed", [r#"{"Cmd":["/bin/sh"],"Privileged":true}"#])
            .denies(
                "root exec user is not allowed",
                [
                    r#"{"Cmd":["/bin/sh"]}"#,
                    r#"{"Cmd":["/bin/sh"],"User":null}"#,
                    r#"{"Cmd":["/bin/bash"],"User":"root"}"#,
                    r#"{"Cmd":["/bin/sh"],"User":"0:1000"}"#,
                    r#"{"Cmd":["/bin/sh"],"User":"+0"}"#,
                ],
            )
            .denies(
                UNREADABLE,
                [
                    r#"{"User":"1000"}"#,
                    r#"{"Cmd":null,"User":"1000"}"#,
                    r#"{"Cmd":[],"User":"1000"}"#,
                    r#"{"Cmd":"   ","User":"1000"}"#,
                    r#"{"Cmd":{},"User":"1000"}"#,
                    r#"{"Cmd":42,"User":"1000"}"#,
                    r#"{"Cmd":["foo",1],"User":"1000"}"#,
                    r#"{"Cmd":["foo"]"#,
                    r#"{"Cmd":["/bin/sh"],"CMD":["sh"],"User":"1000"}"#,
                    r#"{"Cmd":["/bin/sh"],"User":1000}"#,
                    "[]",
                    "null",
                ],
            );
    }

    #[test]
    fn flags_lift_their_checks_alone() {
        let mut lifted = options(&[&["id"]]);
        lifted.exec.allow_root_user = true;
        Table::new("exec", |body| inspect_create(body, &lifted, &mut Reader::new()))
            .passes([r#"{"Cmd":["id"],"User":"root"}"#])
            .denies("privileged exec is not allowed", [r#"{"Cmd":["id"],"Privileged":true}"#]);
        lifted.exec.allow_privileged = true;
        Table::new("exec", |body| inspect_create(body, &lifted, &mut Reader::new()))
            .passes([r#"{"Cmd":["id"],"Privileged":true}"#])
            .denies(r#"command "sh" is not allowlisted"#, [r#"{"Cmd":["sh"],"Privileged":true}"#]);
    }

    #[test]
    fn without_a_list_the_acknowledgement_decides() {
        let mut blind = options(&[]);
        Table::new("exec", |body| inspect_create(body, &blind, &mut Reader::new()))
            .denies("no commands are allowlisted", [r#"{"Cmd":["id"],"User":"1000","Privileged":true}"#])
            .denies(UNREADABLE, ["{}"]);
        blind.body_blind_writes = true;
        Table::new("exec", |body| inspect_create(body, &blind, &mut Reader::new()))
            .passes([r#"{"Cmd":["/bin/sh","-c","id"],"User":"1000"}"#])
            .denies("privileged exec is not allowed", [r#"{"Cmd":["id"],"User":"1000","Privileged":true}"#])
            .denies("root exec user is not allowed", [r#"{"Cmd":["id"]}"#]);
    }

    #[test]
    fn a_start_is_judged_by_what_was_created() {
        let options = options(&[&["/bin/sh"], &["drydock", "finalize", "*"]]);
        let start = |answer: Answer<'_>| match inspect_start(Some(&answer), &options, &mut Reader::new()) {
            Step::Judged(Outcome::Denied(reason)) => reason.into_owned(),
            step => format!("{step:?}"),
        };
        assert_eq!(inspect_start(None, &options, &mut Reader::new()), Step::Ask(Question::Exec));
        for (answer, expected) in [
            (r#"{"entrypoint":"/bin/sh","arguments":[],"privileged":false,"user":"1000"}"#, "Judged(Pass)"),
            (
                r#"{"entrypoint":"drydock","arguments":["finalize","run-1"],"privileged":null,"user":"1"}"#,
                "Judged(Pass)",
            ),
            (r#"{"entrypoint":"","arguments":["/bin/sh"],"user":"1000"}"#, "Judged(Pass)"),
            (
                r#"{"entrypoint":"/bin/sh","arguments":["-c"],"user":"1"}"#,
                "exec denied: command \"/bin/sh -c\" is not allowlisted",
            ),
            (r#"{"entrypoint":"/bin/sh","privileged":true,"user":"1"}"#, "exec denied: privileged exec is not allowed"),
            (r#"{"entrypoint":"/bin/sh","user":""}"#, "exec denied: root exec user is not allowed"),
            ("{}", "exec denied: request body could not be inspected"),
            (r#"{"entrypoint":5}"#, "Judged(Failed(\"unable to inspect exec request body\"))"),
        ] {
            let answer = format!(r#"{{"ID":"e1","ProcessConfig":{answer}}}"#);
            assert_eq!(start(Answer::Found(answer.as_bytes())), expected, "{answer}");
        }
        assert_eq!(start(Answer::NotFound), "Judged(Pass)");
        for failed in [Answer::Failed, Answer::Found(b"{"), Answer::Found(b""), Answer::Found(b"[]")] {
            assert_eq!(start(failed), "Judged(Failed(\"unable to inspect exec request body\"))", "{failed:?}");
        }
    }
}
