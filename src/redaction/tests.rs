//! The whole of redaction against spec 50 C3, C4 and C6.

use super::fields::Operation;
use super::*;
use crate::json::tokens::Malformed;
use crate::limits::{FILTERED_RESPONSE_MAX_BYTES, JSON_MAX_DEPTH};

fn only(set: impl Fn(&mut Toggles)) -> Redaction {
    let mut toggles = Toggles::NONE;
    set(&mut toggles);
    Redaction::compile(toggles)
}

#[test]
fn nothing_is_covered_when_every_toggle_is_off() {
    let redaction = Redaction::compile(Toggles::NONE);
    for path in ["/containers/web/json", "/containers/json", "/info", "/swarm/unlockkey"] {
        assert!(redaction.covers(path.as_bytes()).is_none(), "{path}");
    }
}

#[test]
fn a_row_is_covered_by_its_own_toggles_only() {
    let environment = only(|t| t.container_env = true);
    let mounts = only(|t| t.mount_paths = true);
    let topology = only(|t| t.network_topology = true);
    let sensitive = only(|t| t.sensitive_data = true);
    for (path, expected) in [
        ("/containers/web/json", [true, true, true, true]),
        ("/containers/json", [false, true, true, false]),
        ("/networks", [false, false, true, false]),
        ("/networks/n", [false, false, true, false]),
        ("/volumes", [false, true, false, false]),
        ("/volumes/create", [false, true, false, false]),
        ("/services", [true, true, true, true]),
        ("/tasks/t", [true, true, true, true]),
        ("/secrets", [false, false, false, true]),
        ("/configs/c", [false, false, false, true]),
        ("/plugins", [true, true, false, false]),
        ("/plugins/a/b/json", [true, true, false, false]),
        ("/nodes", [false, false, true, true]),
        ("/swarm", [false, false, true, true]),
        ("/swarm/unlockkey", [false, false, false, true]),
        ("/info", [false, false, true, true]),
        ("/system/df", [false, true, true, false]),
        ("/version", [false, false, false, false]),
    ] {
        let covered = [&environment, &mounts, &topology, &sensitive].map(|r| r.covers(path.as_bytes()).is_some());
        assert_eq!(covered, expected, "{path}");
    }
}

fn edited(path: &str, toggles: Toggles, answer: &[u8]) -> Result<Vec<u8>, Rejected> {
    let redaction = Redaction::compile(toggles);
    edit(redaction.covers(path.as_bytes()).unwrap(), &mut Scratch::new(), answer)
}

fn edit(matcher: &Matcher, scratch: &mut Scratch, answer: &[u8]) -> Result<Vec<u8>, Rejected> {
    let cuts = matcher.cuts(answer, scratch)?;
    let mut out = Vec::new();
    cuts.apply(answer, &mut out);
    assert_eq!(out.len(), cuts.edited_len(answer.len()));
    for min_bytes in [0, 1, 20] {
        let (mut around, mut left_out, mut last) = (Vec::new(), Vec::new(), (0, 0));
        cuts.apply_around(answer, &mut around, |at, range| {
            assert!(at >= last.0 && range.start >= last.1 && range.end <= answer.len());
            last = (at, range.end);
            if range.len() < min_bytes {
                return false;
            }
            left_out.push((at, range));
            left_out.len() % 3 != 0 || {
                left_out.pop();
                false
            }
        });
        for (at, range) in left_out.into_iter().rev() {
            around.splice(at..at, answer[range].iter().copied());
        }
        assert_eq!(around, out);
    }
    Ok(out)
}

fn all(path: &str, answer: &str) -> Option<String> {
    edited(path, Toggles::ALL, answer.as_bytes()).ok().map(|out| String::from_utf8(out).unwrap())
}

/// Spec 50 C6 and its neighbours; the answer as it came means unchanged, `None` means 502.
#[test]
fn answers_are_edited_or_rejected_as_the_table_says() {
    const INSPECT: &str = "/containers/a/json";
    const SAME: &str = "same";
    for (path, answer, expected) in [
        (
            INSPECT,
            r#"{"Config":{"Env":["T=s"]},"HostConfig":{"Binds":["/s:/r:ro","v:/c"],"NetworkMode":"bridge","Mounts":[{"Source":"/h"}]},"Mounts":[{"Source":"/var/lib/x"}],"NetworkSettings":{"IPAddress":"","Networks":{"d":{"NetworkID":"n","IPPrefixLen":16}}}}"#,
            Some(
                r#"{"Config":{"Env":[]},"HostConfig":{"Binds":["<redacted>:/r:ro","v:/c"],"NetworkMode":"<redacted>","Mounts":[{"Source":"<redacted>"}]},"Mounts":[{"Source":"<redacted>"}],"NetworkSettings":{"IPAddress":"<redacted>","Networks":{"d":{"NetworkID":"<redacted>","IPPrefixLen":0}}}}"#,
            ),
        ),
        (INSPECT, r#"{"Config":{}}"#, Some(r#"{"Config":{"Env":[]}}"#)),
        (INSPECT, r#"{"Config":{ }}"#, Some(r#"{"Config":{ "Env":[]}}"#)),
        (INSPECT, r#"{"Config":{"A":1 }}"#, Some(r#"{"Config":{"A":1 ,"Env":[]}}"#)),
        (INSPECT, r#"{"Config":{"Env":null}}"#, Some(r#"{"Config":{"Env":[]}}"#)),
        (INSPECT, r#"{"Config":{"Env":"A=b"}}"#, Some(r#"{"Config":{"Env":[]}}"#)),
        (INSPECT, r#"{"Config":null,"HostConfig":null,"Mounts":null,"NetworkSettings":null}"#, Some(SAME)),
        (INSPECT, r#"{"HostConfig":{"Binds":null,"Mounts":null,"Devices":null,"NetworkMode":null}}"#, Some(SAME)),
        (INSPECT, r#"{"Id":"x"}"#, Some(SAME)),
        (INSPECT, "{}", Some(SAME)),
        (INSPECT, "null", Some(SAME)),
        (INSPECT, " \t\r\n null \n", Some(SAME)),
        (INSPECT, r#"{"config":{"env":["kept"]},"Config ":"kept"}"#, Some(SAME)),
        (INSPECT, r#"{"\u0043onfig":{"\u0045nv":["A=b"]}}"#, Some(r#"{"\u0043onfig":{"\u0045nv":[]}}"#)),
        (
            INSPECT,
            r#"{"Mounts":[{"Source":{"a":[1,"b"]} },{"Source":[ ]},{"Source":-1.5e3 }]}"#,
            Some(r#"{"Mounts":[{"Source":"<redacted>" },{"Source":"<redacted>"},{"Source":"<redacted>" }]}"#),
        ),
        (
            INSPECT,
            r#"{"HostConfig":{"Devices":[{"PathOnHost":"/dev/x","PathInContainer":"/dev/y"}]}}"#,
            Some(r#"{"HostConfig":{"Devices":[{"PathOnHost":"<redacted>","PathInContainer":"/dev/y"}]}}"#),
        ),
        (INSPECT, r#"{"a":1,"a":2,"b":{"Env":1,"Env":2}}"#, Some(SAME)),
        (INSPECT, r#"{"Config":"#, None),
        (INSPECT, r#"{"Config":"bad"}"#, None),
        (INSPECT, r#"{"Config":[]}"#, None),
        (INSPECT, r#"{"Config":nil}"#, None),
        (INSPECT, r#"{"Config":{},"Config":{}}"#, None),
        (INSPECT, r#"{"Config":{},"\u0043onfig":{}}"#, None),
        (INSPECT, r#"{"Config":null,"Config":{"Env":["A=b"]}}"#, None),
        (INSPECT, r#"{"Config":{"Env":[],"Env":["A=b"]}}"#, None),
        (INSPECT, r#"{"HostConfig":{"Binds":"x"}}"#, None),
        (INSPECT, r#"{"HostConfig":{"Binds":["/a:/b",7]}}"#, None),
        (INSPECT, r#"{"HostConfig":{"Binds":[null]}}"#, None),
        (INSPECT, r#"{"Mounts":[null]}"#, None),
        (INSPECT, r#"{"Mounts":[[]]}"#, None),
        (INSPECT, r#"{"Mounts":{"Source":"/x"}}"#, None),
        (INSPECT, r#"{"NetworkSettings":{"Networks":{"d":null}}}"#, None),
        (INSPECT, r#"{"NetworkSettings":{"Networks":{"d":"x"}}}"#, None),
        (INSPECT, r#"{"NetworkSettings":{"Networks":[]}}"#, None),
        (INSPECT, r#"{"NetworkSettings":{"IPPrefixLen":"16"}}"#, None),
        (INSPECT, r#"{"NetworkSettings":{"SecondaryIPAddresses":{}}}"#, None),
        (INSPECT, "[]", None),
        (INSPECT, r#""text""#, None),
        (INSPECT, "7", None),
        (INSPECT, "", None),
        (INSPECT, " ", None),
        (INSPECT, "nullx", None),
        (INSPECT, "{}{}", None),
        (INSPECT, "{} 1", None),
        (INSPECT, "{}\u{0}", None),
        (INSPECT, "\u{feff}{}", None),
        ("/containers/json", "[]", Some(SAME)),
        ("/containers/json", "[null]", Some(SAME)),
        ("/containers/json", "null", None),
        (
            "/containers/json",
            r#"[null,{"Mounts":[{"Source":"/s"}]}]"#,
            Some(r#"[null,{"Mounts":[{"Source":"<redacted>"}]}]"#),
        ),
        ("/containers/json", r#"[{"Mounts":"bad"}]"#, None),
        ("/containers/json", r#"[{}"#, None),
        ("/containers/json", r#"[{},]"#, None),
        ("/containers/json", r#"[{}{}]"#, None),
        ("/containers/json", r#"[[]]"#, None),
        ("/containers/json", r#"["x"]"#, None),
        ("/containers/json", r#"{}"#, None),
        (
            "/networks/n",
            r#"{"IPAM":{"Driver":"d","Config":[{"Subnet":"s"}]},"Containers":{"a":{}},"Peers":[{}]}"#,
            Some(r#"{"IPAM":{"Driver":"d","Config":[]},"Containers":{},"Peers":[]}"#),
        ),
        ("/networks/n", r#"{"IPAM":{"Driver":"d"}}"#, Some(r#"{"IPAM":{"Driver":"d","Config":[]}}"#)),
        ("/networks/n", r#"{"Containers":[]}"#, None),
        ("/networks/n", r#"{"Peers":{}}"#, None),
        ("/volumes", r#"{"Volumes":null}"#, Some(SAME)),
        ("/volumes", r#"{"Volumes":"bad"}"#, None),
        ("/volumes", r#"{"Volumes":["x"]}"#, None),
        ("/volumes/v", r#"{"Mountpoint":"nfs://h/c"}"#, Some(r#"{"Mountpoint":"<redacted>"}"#)),
        (
            "/services/s",
            r#"{"Spec":{"TaskTemplate":{"ContainerSpec":{"Env":["a"],"Mounts":[{"Source":"s"}],"Secrets":[{"SecretID":"i","SecretName":"n"}],"Configs":[{"ConfigID":"i","ConfigName":"n"}]}}},"PreviousSpec":{"TaskTemplate":{"ContainerSpec":{"Env":["a"]}}},"Endpoint":{"VirtualIPs":[{"NetworkID":"n","Addr":"a"}]}}"#,
            Some(
                r#"{"Spec":{"TaskTemplate":{"ContainerSpec":{"Env":[],"Mounts":[{"Source":"<redacted>"}],"Secrets":[{"SecretID":"<redacted>","SecretName":"<redacted>"}],"Configs":[{"ConfigID":"<redacted>","ConfigName":"<redacted>"}]}}},"PreviousSpec":{"TaskTemplate":{"ContainerSpec":{"Env":[]}}},"Endpoint":{"VirtualIPs":[{"NetworkID":"<redacted>","Addr":"<redacted>"}]}}"#,
            ),
        ),
        (
            "/tasks/t",
            r#"{"ServiceID":"s","Status":{"ContainerStatus":{"ContainerID":"c","PID":677}},"NetworksAttachments":[{"Addresses":["a"],"Network":{"ID":"n"}}]}"#,
            Some(
                r#"{"ServiceID":"<redacted>","Status":{"ContainerStatus":{"ContainerID":"<redacted>","PID":0}},"NetworksAttachments":[{"Addresses":[],"Network":{"ID":"<redacted>"}}]}"#,
            ),
        ),
        ("/configs/c", r#"{"Spec":{"Data":"x"}}"#, Some(r#"{"Spec":{"Data":"<redacted>"}}"#)),
        ("/configs/c", r#"{"ID":"c"}"#, Some(SAME)),
        ("/configs/c", r#"{"Spec":"bad"}"#, None),
        (
            "/plugins/p/json",
            r#"{"Settings":{"Env":["A=b"]},"Config":{"Env":[{"Value":"v"}],"PropagatedMount":"/p"}}"#,
            Some(r#"{"Settings":{"Env":[]},"Config":{"Env":[],"PropagatedMount":"<redacted>"}}"#),
        ),
        ("/plugins/p/json", r#"{"Settings":{}}"#, Some(SAME)),
        ("/swarm/unlockkey", r#"{"UnlockKey":"K"}"#, Some(r#"{"UnlockKey":"<redacted>"}"#)),
        ("/info", r#"{"ID":"h"}"#, Some(SAME)),
        ("/info", r#"{"Swarm":"bad"}"#, None),
    ] {
        let expected = expected.map(|out| if out == SAME { answer } else { out }.to_owned());
        assert_eq!(all(path, answer), expected, "{path} {answer}");
    }
}

#[test]
fn an_inactive_toggle_neither_edits_nor_judges() {
    let toggles = Toggles { sensitive_data: true, ..Toggles::NONE };
    let answer = br#"{"Config":"odd","Mounts":7,"NetworkSettings":[{"Networks":null}]}"#;
    assert_eq!(edited("/containers/a/json", toggles, answer), Ok(answer.to_vec()));
    assert!(edited("/containers/a/json", toggles, br#"{"Config":"#).is_err());
}

#[test]
fn what_no_rule_touches_keeps_every_byte() {
    let odd = "{ \"Z\" : 1.0e+5 ,\r\n\t\"A\":[ ] , \"big\":18446744073709551617, \"é\\u00e9\\/\" : \"\\ud83d\\ude00 <&>\",\
               \"neg\":-0, \"deep\" : {\"a\":[[[{}]]]} ";
    let answer = format!("{odd}, \"Config\" : {{ \"Env\" : [ \"A=b\" ] , \"x\":1 }} }} \n");
    let expected = format!("{odd}, \"Config\" : {{ \"Env\" : [] , \"x\":1 }} }} \n");
    assert_eq!(all("/containers/a/json", &answer), Some(expected));
}

/// Every place where a block, a window or the end of the document can fall.
#[test]
fn alignment_changes_nothing() {
    let answer = r#"{"k\\\"":"\ud83d\ude00\u003c","Config":{"Env":["A=\\",true,-1.5e-7,null]},"é":"é","Mounts":[{"Source":"\\\\"}]}"#;
    let expected = r#"{"k\\\"":"\ud83d\ude00\u003c","Config":{"Env":[]},"é":"é","Mounts":[{"Source":"<redacted>"}]}"#;
    let redaction = Redaction::compile(Toggles::ALL);
    let matcher = redaction.covers(b"/containers/a/json").unwrap();
    let mut scratch = Scratch::new();
    for padding in (0..130).chain(2040 - answer.len()..2056) {
        let blank = " ".repeat(padding);
        let out = edit(matcher, &mut scratch, format!("{blank}{answer}").as_bytes()).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), format!("{blank}{expected}"));
        for cut in 0..answer.len() {
            let truncated = [blank.as_bytes(), &answer.as_bytes()[..cut]].concat();
            assert!(edit(matcher, &mut scratch, &truncated).is_err(), "{padding} {cut}");
        }
    }
}

#[test]
fn depth_is_bounded_wherever_it_lies() {
    let nested = |open: &str, close: &str, levels: usize| format!("{}{}", open.repeat(levels), close.repeat(levels));
    for (levels, accepted) in [(JSON_MAX_DEPTH - 1, true), (JSON_MAX_DEPTH, false)] {
        let array = format!(r#"{{"x":{}}}"#, nested("[", "]", levels));
        assert_eq!(all("/containers/a/json", &array).is_some(), accepted, "{levels}");
        let cut = format!(r#"{{"Mounts":[{{"Source":{}}}]}}"#, nested("[", "]", levels - 2));
        assert_eq!(all("/containers/a/json", &cut).is_some(), accepted, "{levels}");
    }
    let hostile = r#"{"a":"#.repeat(100_000);
    assert!(matches!(
        edited("/containers/a/json", Toggles::ALL, hostile.as_bytes()),
        Err(Rejected::Malformed(Malformed::TooDeep(_)))
    ));
}

#[test]
fn the_size_limit_is_exact() {
    let mut answer = br#"{"UnlockKey":"K"}"#.to_vec();
    answer.resize(FILTERED_RESPONSE_MAX_BYTES, b' ');
    assert!(edited("/swarm/unlockkey", Toggles::ALL, &answer).is_ok());
    answer.push(b' ');
    assert_eq!(
        edited("/swarm/unlockkey", Toggles::ALL, &answer),
        Err(Rejected::TooLarge(FILTERED_RESPONSE_MAX_BYTES + 1))
    );
}

#[test]
fn strings_that_are_not_text_are_rejected() {
    let redaction = Redaction::compile(Toggles::ALL);
    let matcher = redaction.covers(b"/containers/a/json").unwrap();
    let mut scratch = Scratch::new();
    for (bytes, accepted) in [
        (&b"\xc3\xa9"[..], true),
        (b"\xc3", false),
        (b"\xff", false),
        (b"\xed\xa0\x80", false),
        (b"\xf4\x90\x80\x80", false),
        (b"\x01", false),
        (b"\n", false),
        (b"\0", false),
        (b"\x7f", true),
        (br"\u0000", true),
        (br"\ud83d\ude00", true),
        (br"\ud83d", false),
        (br"\ude00", false),
        (br"\ud83d\ud83d", false),
        (br"\ude00\ud83d", false),
        (br"\q", false),
        (br"\u00g0", false),
        (br"\u00", false),
        (br"\", false),
    ] {
        // As an untouched value, an untouched key, a cut value, and a bind.
        for (before, after) in [
            (r#"{"a":""#, r#""}"#),
            (r#"{""#, r#"":1}"#),
            (r#"{"Mounts":[{"Source":""#, r#""}]}"#),
            (r#"{"HostConfig":{"Binds":["/"#, r#":/x"]}}"#),
        ] {
            let answer = [before.as_bytes(), bytes, after.as_bytes()].concat();
            // With a block's end at every place inside.
            for padding in 0..64 {
                let answer = [&b" ".repeat(padding), &answer[..]].concat();
                let outcome = edit(matcher, &mut scratch, &answer);
                assert_eq!(outcome.is_ok(), accepted, "{padding} {}", answer.escape_ascii());
            }
        }
    }
}

/// Mutants of realistic answers: the rewriter and the reference agree on every one, to the byte.
#[test]
fn agrees_with_the_reference_on_mutated_answers() {
    let seeds: [(&str, &str); 6] = [
        (
            "/containers/a/json",
            r#"{"Id":"x","Config":{"Env":["A=\"b\\"],"L":{"é":"\u00e9"}},"HostConfig":{"Binds":["/s:/r","C:\\d:/m",""],"NetworkMode":"b","Devices":[{"PathOnHost":"/d"}]},"Mounts":[{"Source":"/h","RW":true}],"NetworkSettings":{"IPPrefixLen":16,"SecondaryIPAddresses":null,"Networks":{"d":{"NetworkID":"n","IPPrefixLen":0.5e-3}}}}"#,
        ),
        (
            "/containers/json",
            r#"[null,{"Id":"a","Mounts":[{"Source":"/x"},{"Source":""}],"HostConfig":{"NetworkMode":"m"}},{"NetworkSettings":{"Networks":{}}}]"#,
        ),
        (
            "/networks/n",
            r#"{"IPAM":{"Driver":"d","Options":null},"Containers":{"c":{"Name":"n"}},"Peers":[{"IP":"1"}]}"#,
        ),
        (
            "/tasks/t",
            r#"{"Spec":{"ContainerSpec":{"Env":["a"],"Secrets":[{"SecretID":"s"}]}},"Status":{"ContainerStatus":{"PID":12}},"NetworksAttachments":[{"Addresses":["a"],"Network":{"ID":"i","IPAMOptions":{"Configs":[1]}}}]}"#,
        ),
        (
            "/swarm",
            r#"{"JoinTokens":{"Worker":"w","Manager":"m"},"Spec":{"CAConfig":{"ExternalCAs":[{}]}},"DefaultAddrPool":["1"]}"#,
        ),
        (
            "/system/df",
            r#"{"Containers":[{"Mounts":[{"Source":"s"}]}],"Volumes":[{"Mountpoint":"m"}],"VolumeUsage":{"Items":[{"Mountpoint":"m"}]}}"#,
        ),
    ];
    const PIECES: [&str; 24] = [
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\"",
        "\\",
        "null",
        "true",
        "0",
        "-1",
        "1e5",
        "\"Env\"",
        "\"Config\":",
        "\"Mounts\":[",
        "\"Source\":\"/x\",",
        " ",
        "\n",
        "é",
        "\\u0045",
        "\\ud800",
        "\u{1}",
        "\"Config\":{\"Env\":[]},",
    ];
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    // Every set of toggles, and the full one as often as all others together.
    let compiled: Vec<(Toggles, Redaction)> = (0..31)
        .map(|set: u8| Toggles {
            container_env: set & 1 != 0 || set > 15,
            mount_paths: set & 2 != 0 || set > 15,
            network_topology: set & 4 != 0 || set > 15,
            sensitive_data: set & 8 != 0 || set > 15,
        })
        .map(|toggles| (toggles, Redaction::compile(toggles)))
        .collect();
    let mut scratch = Scratch::new();
    let mut accepted = 0;
    let mut changed = 0;
    for round in 0..60_000 {
        let (path, seed) = seeds[round % seeds.len()];
        let mut answer = seed.as_bytes().to_vec();
        for _ in 0..random(3) {
            let at = random(answer.len());
            match random(5) {
                0 => drop(answer.splice(at..at, PIECES[random(PIECES.len())].bytes())),
                1 => drop(answer.splice(at..(at + 1 + random(8)).min(answer.len()), [])),
                2 => {
                    let from = random(answer.len());
                    let copied = answer[from..(from + random(40)).min(answer.len())].to_vec();
                    drop(answer.splice(at..at, copied));
                }
                3 => answer[at] = random(256) as u8,
                _ => drop(answer.splice(at..at, " ".repeat(random(70)).bytes())),
            }
        }
        let (toggles, redaction) = &compiled[random(compiled.len())];
        let Some(matcher) = redaction.covers(path.as_bytes()) else { continue };
        let expected = reference::redact(matcher.endpoint(), *toggles, &answer);
        let outcome = edit(matcher, &mut scratch, &answer);
        assert_eq!(outcome.clone().ok(), expected, "{} {outcome:?}", answer.escape_ascii());
        accepted += usize::from(expected.is_some());
        changed += usize::from(expected.is_some_and(|out| out != answer));
    }
    assert!(accepted > 10_000 && changed > 5_000, "the mutants are no longer telling: {accepted} {changed}");
}

/// As above, with answers so long that values, runs of strings and defects fall on the border between two windows of
/// the scanner at every offset.
#[test]
fn agrees_with_the_reference_where_a_window_ends() {
    const PIECES: [&str; 12] = ["", "\"", "\\", ",", ":", "{", "}", "[", "]", "x", "\u{1}", "é"];
    let run = r#""a":"b","long key":"c\"d","e":"","#;
    let before = format!(
        r#"[{{{}"Names":[{}"z"],"Mounts":[{{{}"Source":"/s"}}]}},{{"Labels":{{{}"y":"z"}},"Created":17,"#,
        run.repeat(9),
        r#""one","two","","#.repeat(30),
        run.repeat(11),
        run.repeat(20),
    );
    let behind =
        r#""Names":["u","v"],"HostConfig":{"NetworkMode":"n","A":["p","q","r","s",true]},"Mounts":null},null]"#;
    let redaction = Redaction::compile(Toggles::ALL);
    let matcher = redaction.covers(b"/containers/json").unwrap();
    let mut scratch = Scratch::new();
    let mut accepted = 0;
    for at in 0..behind.len() {
        let length = before.len() + at;
        let blank = " ".repeat(length.next_multiple_of(2048) - length);
        for piece in PIECES {
            let (left, right) = behind.split_at(at);
            let answer = format!("{blank}{before}{left}{piece}{right}");
            let expected = reference::redact(Endpoint::ContainerList, Toggles::ALL, answer.as_bytes());
            let outcome = edit(matcher, &mut scratch, answer.as_bytes());
            assert_eq!(outcome.clone().ok(), expected, "{at} {piece:?} {outcome:?}");
            accepted += usize::from(expected.is_some());
        }
    }
    assert!(accepted > behind.len(), "{accepted}");
}

/// Spec 50 C3 as its own vectors state it, where a copy of them is at hand.
#[test]
fn agrees_with_the_conformance_vectors() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/conformance/vectors/52-redaction.json");
    // The published package carries no vectors.
    let Ok(vectors) = std::fs::read(path) else { return };
    let suites: Vec<serde_json::Value> = serde_json::from_slice(&vectors).unwrap();
    let mut played = 0;
    for suite in suites.iter().filter(|suite| suite["env"].is_null() && suite["kind"].is_null()) {
        let on = |name: &str| suite["config"]["response"][name].as_bool().unwrap_or(true);
        let redaction = Redaction::compile(Toggles {
            container_env: on("redact_container_env"),
            mount_paths: on("redact_mount_paths"),
            network_topology: on("redact_network_topology"),
            sensitive_data: on("redact_sensitive_data"),
        });
        for case in suite["cases"].as_array().unwrap() {
            let (Some(target), Some(answer)) =
                (case["request"]["target"].as_str(), case["upstream"][0]["body"].as_str())
            else {
                continue;
            };
            let upstream = &case["upstream"][0];
            let status = upstream["status"].as_u64().unwrap_or(200);
            let is_head = case["request"]["method"] == "HEAD";
            let encoded = upstream["headers"]["Content-Encoding"].as_str().is_some_and(|coding| coding != "identity");
            let target = target.split('?').next().unwrap();
            let canonical = target.strip_prefix("/v1.45").unwrap_or(target);
            let plain = !target.contains(['%', '.']) || target.starts_with("/v1.45/plugins/") || canonical != target;
            let odd_path = canonical.contains('%') || canonical.contains("..") || canonical.contains("//");
            if is_head || encoded || !plain || odd_path || canonical.ends_with('/') || !(200..300).contains(&status) {
                continue;
            }
            let id = case["id"].as_str().unwrap();
            let expect = &case["expect"];
            let outcome = match redaction.covers(canonical.as_bytes()) {
                Some(_) if answer.is_empty() => Ok(vec![]),
                Some(matcher) => edit(matcher, &mut Scratch::new(), answer.as_bytes()),
                None => Ok(answer.as_bytes().to_vec()),
            };
            played += 1;
            let Ok(out) = outcome else {
                assert_eq!(expect["status"], 502, "{id}: {outcome:?}");
                continue;
            };
            let out = String::from_utf8(out).unwrap();
            assert_eq!(expect["status"], status, "{id}: {out}");
            if let Some(body) = expect["body"].as_str() {
                assert_eq!(out, body, "{id}");
            }
            if expect["json"].is_object() || expect["json"].is_array() {
                assert_contains(&serde_json::from_str(&out).unwrap(), &expect["json"], id);
            }
            for planted in texts(&expect["body_not_contains"]) {
                assert!(!out.contains(planted), "{id}: {planted} in {out}");
            }
            for kept in texts(&expect["body_contains"]) {
                assert!(out.contains(kept), "{id}: {kept} not in {out}");
            }
        }
    }
    assert!(played > 250, "{played}");
}

fn texts(value: &serde_json::Value) -> Vec<&str> {
    match value {
        serde_json::Value::Array(all) => all.iter().filter_map(|text| text.as_str()).collect(),
        one => one.as_str().into_iter().collect(),
    }
}

/// Objects may hold more than expected, and `__absent__` means that a key must not be there.
fn assert_contains(found: &serde_json::Value, expected: &serde_json::Value, id: &str) {
    match (found, expected) {
        (serde_json::Value::Object(found), serde_json::Value::Object(expected)) => {
            for (key, value) in expected {
                match (found.get(key), value.as_str()) {
                    (None, Some("__absent__")) => {}
                    (None, _) | (Some(_), Some("__absent__")) => panic!("{id}: {key}"),
                    (Some(inner), _) => assert_contains(inner, value, id),
                }
            }
        }
        (serde_json::Value::Array(found), serde_json::Value::Array(expected)) => {
            assert_eq!(found.len(), expected.len(), "{id}");
            found.iter().zip(expected).for_each(|(found, expected)| assert_contains(found, expected, id));
        }
        _ => assert_eq!(found, expected, "{id}"),
    }
}

/// `docs/redaction.md` shows the table that the code has: run the test, and put what it prints into the page.
#[test]
fn the_documentation_shows_the_table() {
    let mut pages: Vec<(String, String)> = Vec::new();
    for endpoint in Endpoint::ALL {
        let rows: String = endpoint
            .groups()
            .iter()
            .flat_map(|(prefix, rules)| rules.iter().map(move |rule| (prefix, rule)))
            .map(|(prefix, rule)| {
                let dot = if prefix.is_empty() { "" } else { "." };
                let becomes = match rule.operation {
                    Operation::Text => "`\"<redacted>\"`",
                    Operation::EmptyArray => "`[]`",
                    Operation::EmptyObject => "`{}`",
                    Operation::Zero => "`0`",
                    Operation::ForceEmptyArray(_) => "`[]`, also when absent or null",
                    Operation::BindSource => "the host path in it: `<redacted>`",
                };
                format!("| `{prefix}{dot}{}` | `{}` | {becomes} |\n", rule.path, rule.toggle.key())
            })
            .collect();
        match pages.iter_mut().find(|(_, known)| *known == rows) {
            Some((paths, _)) => *paths += &format!(", `{}`", endpoint.path()),
            None => pages.push((format!("`{}`", endpoint.path()), rows)),
        }
    }
    let table: String = pages
        .iter()
        .map(|(paths, rows)| format!("### {paths}\n\n| Field | Toggle | Becomes |\n|---|---|---|\n{rows}\n"))
        .collect();
    let page = include_str!("../../docs/redaction.md");
    assert!(page.trim_end().ends_with(table.trim_end()), "{table}");
}
