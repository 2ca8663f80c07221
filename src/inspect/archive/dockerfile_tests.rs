//! The tables of spec 30 §7, and ways to hide `RUN` from one reading.

use proptest::prelude::*;

use super::*;

fn frontend(name: &str) -> Option<Finding> {
    Some(Finding::Frontend(name.to_owned()))
}

#[test]
fn commands_are_found() {
    for dockerfile in [
        "FROM busybox\nRUN id",
        "from x\nrun id",
        "FROM x\n  RUN id\n",
        "FROM x\nRUN\tid\n",
        "FROM x\r\nRUN id\r\n",
        "FROM a\nRUN echo \\\n  hi",
        "FROM a\nRUN id\\",
        "FROM a\nR\\\nUN echo evil",
        "FROM a\nR\\\n\\\n\nU\\\nN echo evil",
        "# escape=`\nFROM a\nR`\nUN echo evil",
        "# ESCAPE = ` \nFROM a\nR`\nUN echo evil",
        "FROM a\nONBUILD RUN x",
        "FROM a\nonbuild\trun x",
        "FROM a\nON\\\nBUILD RUN x",
        "FROM a\nONBUILD \\\n  RUN x",
        "FROM a\nONBU\u{130}LD RUN x",
        "FROM busybox \\\n# note\nRUN id",
        "FROM a\nCOPY . /app\\\n  /dest\nRUN x",
        "# foo=bar\n# escape=`\nFROM a\nR`\nUN echo evil",
        "// escape=`\nFROM a\nR\\\nUN echo evil",
        "# foo=bar\n# escape=`\nFROM a\nR\\\nUN echo evil",
        "# escape=\\\n# escape=`\nFROM a\nR`\nUN echo evil",
        "# escape=`\n# escape=\\\nFROM a\nR`\nUN echo evil",
        "#!/bin/x\n# escape=`\nFROM a\nR`\nUN echo evil",
        "FROM a\nRUN",
        "RUN",
        "FROM a\nRUN --mount=type=cache,target=/x id",
        "FROM a AS b\nCOPY x /x\nFROM c\nRUN id",
        "\u{feff}RUN id",
        "FROM a\nRUN\u{a0}id",
        // A comment inside an instruction is dropped.
        "FROM a\nR\\\n# c\nUN x",
        "FROM a\nR\\\n  # c\nUN x",
        // A doubled escape character continues nothing.
        "FROM a\nCOPY x C:\\\\\nRUN id",
        "FROM a\nLABEL x=y\\\\\nRUN id",
        // White space behind the escape character.
        "FROM a\nR\\ \t\nUN x",
        // A here-document hides no line.
        "FROM a\nCOPY <<EOF /x\nRUN id\nEOF\n",
        "FROM a\nCOPY <<EOF /x\ntext\nEOF\nRUN id",
        "FROM a\nCOPY <<'E\\' /x\ntext\nE\\\nRUN id",
        "FROM a\nCOPY <\\\n<'E\\' /x\ntext\nE\\\nRUN id",
        "FROM a\nCOPY <\\\n# c\n<'E\\' /x\ntext\nE\\\nR\\\nUN id",
        "FROM a\nCOPY <<'E\\' <<F /x\nE\\\n  ONBUILD \\\n\n# c\n RUN id",
        "FROM a\nRUN <<EOF\nid\nEOF",
    ] {
        assert_eq!(find(dockerfile.as_bytes()), Some(Finding::Run), "{dockerfile:?}");
    }
}

#[test]
fn other_instructions_pass() {
    for dockerfile in [
        "",
        "FROM busybox\nCOPY . /app",
        "# escape=`\nR\\\nUN echo hi",
        "# escape=`\nFROM busybox\nCOPY a C:\\\nCOPY b /b\n",
        "# escape=x\nFROM a\nR`\nUN echo",
        "FROM a\nONBUILD",
        "FROM a\nONBUILD COPY . /x",
        "FROM a\nCOPY . /app\\",
        "FROM a\n# RUN id\nCOPY . /x",
        "FROM a\nCMD RUN id\nENTRYPOINT [\"RUN\"]",
        "FROM a\nLABEL RUNNER=1",
        "FROM a\nRUNNER x",
        "FROM a\nCMD docker \\\n    run --rm x",
        "\n# syntax=x\nFROM a",
        "# note\n# syntax=x\nFROM a",
        "# foo=bar\nFROM a",
        "# syntax=\nFROM a",
        "FROM a\n# syntax=x",
        "# check=skip=all\nFROM a",
        "FROM a\nCOPY <<EOF /x\nto run\nEOF\n",
        "FROM a\nLABEL shift=\"1<<2\"\nCMD [\"run\"]\n",
    ] {
        assert_eq!(find(dockerfile.as_bytes()), None, "{dockerfile:?}");
    }
    assert_eq!(find(b"FROM a\n\xffRUN id\n"), None);
}

#[test]
fn frontends_are_found() {
    for (dockerfile, name) in [
        ("# syntax=docker/dockerfile:1\nFROM a", "docker/dockerfile:1"),
        ("#  SYNTAX = x\nFROM a", "x"),
        ("  #syntax=x y \r\nFROM a", "x y"),
        ("# escape=`\n# syntax=x\nFROM a", "x"),
        ("# foo=bar\n# syntax=x\nFROM a", "x"),
        ("# check=skip=all\n# syntax=x\nFROM a", "x"),
        ("# syntax=x\n# syntax=y\nFROM a\nRUN id", "x"),
        ("\u{feff}# syntax=x\nFROM a", "x"),
        ("#!/usr/bin/env x\n# syntax=x\nFROM a", "x"),
        ("//syntax=x\nFROM a", "x"),
        ("// syntax = x\nFROM a", "x"),
        ("{\"syntax\":\"x\"}", "{\"syntax\":\"x\"}"),
        (" \n{ \n\"syntax\":\"x\"}", "{"),
    ] {
        assert_eq!(find(dockerfile.as_bytes()), frontend(name), "{dockerfile:?}");
    }
}

#[test]
fn dockerfiles_are_known_by_their_first_instruction() {
    for text in ["FROM a", "\n# note\n\n  from a", "ARG x\nFROM a", "\u{feff}FROM a", "workdir /"] {
        assert!(is_dockerfile(text.as_bytes()), "{text:?}");
    }
    for text in ["", "# FROM a", "hello\nFROM a", "FROMAGE", "{}", "#!/bin/sh\necho", "\0FROM a"] {
        assert!(!is_dockerfile(text.as_bytes()), "{text:?}");
    }
}

#[test]
fn hostile_texts_take_linear_time() {
    let mebibyte = 1 << 20;
    for text in [
        "\\\n".repeat(mebibyte / 2),
        format!("COPY <<E\n{}", "\\\n".repeat(mebibyte / 2)),
        format!("COPY <<E\n{}", " \\\n".repeat(mebibyte / 3)),
        "x".repeat(mebibyte),
        "<".repeat(mebibyte),
        "# a=b\n".repeat(mebibyte / 6),
        "\n".repeat(mebibyte),
        "<<\n".repeat(mebibyte / 3),
    ] {
        assert_eq!(find(text.as_bytes()), None);
    }
}

/// BuildKit's parser without here-documents, written from its description: the keywords of all instructions.
fn keywords_in_buildkit(text: &str, escape: char) -> Vec<String> {
    let mut instructions = Vec::new();
    let mut lines = text.split('\n').map(|line| line.trim_end_matches('\r'));
    while let Some(line) = lines.next() {
        let line = line.trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let cut = |line: &str| {
            let bare = line.trim_end_matches([' ', '\t']);
            let is_continued = bare.ends_with(escape) && !bare[..bare.len() - 1].ends_with(escape);
            (if is_continued { bare[..bare.len() - 1].to_owned() } else { line.to_owned() }, is_continued)
        };
        let (mut instruction, mut is_continued) = cut(line);
        while is_continued {
            let Some(line) = lines.next() else { break };
            if line.trim_start().starts_with('#') || line.trim().is_empty() {
                continue;
            }
            let (part, goes_on) = cut(line);
            instruction.push_str(&part);
            is_continued = goes_on;
        }
        instructions.extend(instruction.split_whitespace().next().map(str::to_lowercase));
    }
    instructions
}

proptest! {
    #[test]
    fn no_run_escapes_that_buildkit_would_see(text in "(RUN|R|UN|ONBUILD |COPY|FROM a|[\\\\ \t\n#\r]|\n|\\\\\n){0,14}") {
        let is_run = keywords_in_buildkit(&text, '\\').iter().any(|keyword| keyword == "run");
        if is_run {
            prop_assert_eq!(find(text.as_bytes()), Some(Finding::Run));
        }
    }

    #[test]
    fn any_bytes_never_panic(text in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = find(&text);
        let _ = is_dockerfile(&text);
    }

    #[test]
    fn texts_of_fragments_never_panic(text in "(RUN|<<|E|'|# |syntax=|escape=|`|[\\\\ \t\n#]|\u{feff}){0,20}") {
        let _ = find(text.as_bytes());
    }
}
