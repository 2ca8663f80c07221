//! The reading of request bodies against spec 30 §0 and a second reader, and the splice against spec 50 A2.

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::*;
use crate::limits::JSON_MAX_DEPTH;

fn judge<R>(body: &[u8], judge: impl FnOnce(View<'_>) -> R) -> Result<R, Unreadable> {
    Reader::new().read(body, judge)
}

fn readable(body: &str) -> bool {
    judge(body.as_bytes(), |_| ()).is_ok()
}

#[test]
fn a_body_is_exactly_one_document() {
    for (body, expected) in [
        ("{}", true),
        (" \t\r\n{ } \n", true),
        ("null", true),
        (" null ", true),
        ("[]", true),
        ("5", true),
        (r#""x""#, true),
        ("true", true),
        ("", false),
        ("    ", false),
        ("{", false),
        ("}", false),
        (r#"{"HostConfig":"#, false),
        (r#"{"Image":"x"#, false),
        (r#"{"HostConfig":{}"#, false),
        (r#"{"HostConfig":{}}{"HostConfig":{"Privileged":true}}"#, false),
        (r#"{"HostConfig":{}} x"#, false),
        ("{}{}", false),
        ("{} null", false),
        ("null null", false),
        ("{},", false),
        (r#"{"Image":"x",}"#, false),
        (r#"{"Image":"x",,"b":1}"#, false),
        (r#"{"a" 1}"#, false),
        (r#"{"a"}"#, false),
        ("[1,]", false),
        ("[1 2]", false),
        ("[}", false),
        ("{'Image':'x'}", false),
        (r#"{"Image":"x"} // c"#, false),
        ("\u{feff}{}", false),
        (r#"{"Memory":NaN}"#, false),
        (r#"{"Memory":01}"#, false),
        (r#"{"Memory":+1}"#, false),
        (r#"{"Memory":1.}"#, false),
        (r#"{"Memory":.5}"#, false),
        (r#"{"Memory":1e}"#, false),
        (r#"{"Memory":-}"#, false),
        (r#"{"Memory":0x1}"#, false),
        (r#"{"Memory":1.5e-3}"#, true),
        (r#"{"Memory":-0}"#, true),
        (r#"{"Memory":18446744073709551617}"#, true),
        (r#"{"a":nul}"#, false),
        (r#"{"a":True}"#, false),
        (r#"{"a":truex}"#, false),
        ("{Image:\"x\"}", false),
        ("Image=x&HostConfig=y", false),
        ("{\"Image\":\"a\nb\"}", false),
        ("{\"Image\":\"a\u{0}b\"}", false),
        ("{\"a\u{1}\":1}", false),
        ("{}\u{0}", false),
        ("\u{1f}{}", false),
        (r#"{"Image":"\x41"}"#, false),
        (r#"{"Image":"\u12"}"#, false),
        (r#"{"Image":"\u00zz"}"#, false),
        (r#"{"Image":"\u0000\ud83d\ude00\/"}"#, true),
        (r#"{"Image":"\ud83d"}"#, false),
        (r#"{"Image":"\ude00"}"#, false),
        (r#"{"Image":"\ud83dx"}"#, false),
        (r#"{"\ud800":1}"#, false),
    ] {
        assert_eq!(readable(body), expected, "{body}");
    }
    for body in [&b"{\"a\":\"\xff\"}"[..], b"{\"a\":\"\xc3\"}", b"{\"a\":\"\xed\xa0\x80\"}", b"{\"\xff\":1}", b"\xff{}"]
    {
        assert!(judge(body, |_| ()).is_err(), "{}", body.escape_ascii());
    }
}

#[test]
fn depth_and_size_are_bounded() {
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    assert!(readable(&nested(JSON_MAX_DEPTH)));
    assert!(!readable(&nested(JSON_MAX_DEPTH + 1)));
    assert!(!readable(&r#"{"a":"#.repeat(100_000)));
    let mut body = b"{}".to_vec();
    body.resize(crate::limits::JSON_BODY_MAX_BYTES, b' ');
    assert!(judge(&body, |_| ()).is_ok());
    body.push(b' ');
    assert_eq!(judge(&body, |_| ()), Err(Unreadable::TooLarge(body.len())));
}

#[test]
fn keys_are_found_in_any_case() {
    for key in ["Privileged", "privileged", "PRIVILEGED", "pRiViLeGeD", r"\u0050rivileged", r"\u0070\u0052IVILEGED"] {
        let body = format!(r#"{{"HostConfig":{{"{key}":true}}}}"#);
        let found = judge(body.as_bytes(), |view| {
            let host = view.object().unwrap().field("HostConfig").object().unwrap().unwrap();
            let [privileged, network] = host.fields(["Privileged", "NetworkMode"]);
            assert_eq!(network.string(), Ok(None));
            assert_eq!(privileged.bool(), host.field("Privileged").bool());
            privileged.bool().unwrap()
        });
        assert_eq!(found, Ok(Some(true)), "{key}");
    }
    for (body, name) in [
        ("{\"Ho\u{17f}tConfig\":1}", "HostConfig"),
        (r#"{"Ho\u017ftConfig":1}"#, "HostConfig"),
        ("{\"Networ\u{212a}Mode\":1}", "NetworkMode"),
    ] {
        assert!(judge(body.as_bytes(), |view| view.object().unwrap().field(name).is_present()).unwrap(), "{body}");
    }
    for body in [r#"{"Privileged2":1}"#, r#"{"Privileged ":1}"#, r#"{"Privilege":1}"#, r#"{"x":{"Privileged":1}}"#] {
        assert!(!judge(body.as_bytes(), |view| view.object().unwrap().field("Privileged").is_present()).unwrap());
    }
}

#[test]
fn prepared_names_find_what_single_names_find() {
    // Of one length and of different ones; of up to three, seven, sixteen and more bytes.
    const ALL: [&str; 9] =
        ["Ss", "Kk", "Cmd", "Tty", "Memory", "Mounts", "BlkioWeightDevi", "DeviceCgroupRules", "MemoryReservation"];
    static PREPARED: Names<9> = Names::new(ALL);
    let folding = |name: &str| name.replace('s', "\u{17f}").replace('k', "\u{212a}");
    let mut keys: Vec<String> =
        ["", "s", "Cme", "cm", "Memora", "m\u{e9}mory", "DeviceCgroupRulet", "_____"].map(String::from).into();
    for name in ALL {
        keys.extend([name.to_owned(), name.to_uppercase(), name.to_lowercase(), folding(name), format!("{name}x")]);
        keys.push(name.replace('e', "\\u0045"));
    }
    for key in keys {
        let body = format!(r#"{{"other":[{{"Cmd":2}}],"{key}":1,"another":"Tty"}}"#);
        let agreed = judge(body.as_bytes(), |view| {
            let object = view.object().unwrap();
            let singly = ALL.map(|name| (name, object.field(name).integer()));
            let prepared = object.fields_of(&PREPARED).map(|field| (field.name(), field.integer()));
            let together = object.fields(ALL).map(|field| (field.name(), field.integer()));
            singly == prepared && singly == together
        });
        assert_eq!(agreed, Ok(true), "{body}");
    }
}

/// Spec 30 §0.3: per kind of field, what is accepted and as what. `None` is a type error.
#[test]
fn types_are_exact() {
    fn read<R>(value: &str, read: impl Fn(Field<'_>) -> Result<R, TypeError>) -> Option<R> {
        let body = format!(r#"{{"Field":{value}}}"#);
        judge(body.as_bytes(), |view| read(view.object().unwrap().field("Field"))).unwrap().ok()
    }
    for (value, expected) in [
        ("true", Some(Some(true))),
        ("false", Some(Some(false))),
        ("null", Some(None)),
        ("1", None),
        ("0", None),
        (r#""true""#, None),
        ("[]", None),
        ("{}", None),
    ] {
        assert_eq!(read(value, |field| field.bool()), expected, "bool {value}");
    }
    for (value, expected) in [
        ("0", Some(Some(0))),
        ("-0", Some(Some(0))),
        ("-5", Some(Some(-5))),
        ("9223372036854775807", Some(Some(i64::MAX))),
        ("-9223372036854775808", Some(Some(i64::MIN))),
        ("9223372036854775808", None),
        ("-9223372036854775809", None),
        ("18446744073709551616", None),
        ("1.0", None),
        ("1e3", None),
        ("1E3", None),
        ("0.0", None),
        ("-0.0", None),
        (r#""1""#, None),
        ("true", None),
        ("null", Some(None)),
    ] {
        assert_eq!(read(value, |field| field.integer()), expected, "integer {value}");
    }
    for (value, expected) in [
        (r#""a\nb""#, Some(Some("a\nb"))),
        (r#""""#, Some(Some(""))),
        ("null", Some(None)),
        ("1", None),
        ("[\"a\"]", None),
    ] {
        let found = read(value, |field| field.string().map(|text| text.map(str::to_owned)));
        assert_eq!(found, expected.map(|text| text.map(str::to_owned)), "string {value}");
    }
    for (value, expected) in [
        (r#"["a","b"]"#, Some(vec!["a", "b"])),
        (r#"["a",null]"#, Some(vec!["a", ""])),
        ("[]", Some(vec![])),
        ("null", Some(vec![])),
        (r#"["a",1]"#, None),
        (r#"["a",["b"]]"#, None),
        (r#""a""#, None),
        ("{}", None),
    ] {
        let found = read(value, |field| {
            let strings = field.strings()?;
            assert_eq!(strings.is_empty(), strings.clone().next().is_none());
            Ok(strings.map(str::to_owned).collect::<Vec<_>>())
        });
        assert_eq!(found, expected.map(|all| all.into_iter().map(str::to_owned).collect()), "strings {value}");
    }
    for (value, expected) in [
        (r#"[["a"],null,[null]]"#, Some(vec![vec!["a"], vec![], vec![""]])),
        ("null", Some(vec![])),
        (r#"["a"]"#, None),
        (r#"[[1]]"#, None),
        (r#"{}"#, None),
    ] {
        let found = read(value, |field| {
            Ok(field.string_lists()?.map(|list| list.map(str::to_owned).collect()).collect::<Vec<Vec<String>>>())
        });
        let expected: Option<Vec<Vec<String>>> =
            expected.map(|all| all.into_iter().map(|list| list.into_iter().map(str::to_owned).collect()).collect());
        assert_eq!(found, expected, "string lists {value}");
    }
    for (value, expected) in [
        (r#"{"a":"1","A":null}"#, Some(vec![("a", "1"), ("A", "")])),
        ("{}", Some(vec![])),
        ("null", Some(vec![])),
        (r#"{"a":1}"#, None),
        (r#"{"a":{}}"#, None),
        (r#"["a"]"#, None),
    ] {
        // A data map by name, so that the keys may differ in case alone.
        let body = format!(r#"{{"Labels":{value}}}"#);
        let found = judge(body.as_bytes(), |view| {
            let map = view.object().unwrap().field("Labels").string_map().ok()?;
            assert_eq!(map.get("a"), map.clone().find(|(key, _)| *key == "a").map(|(_, value)| value));
            assert_eq!(map.is_empty(), map.clone().next().is_none());
            Some(map.map(|(key, value)| (key.to_owned(), value.to_owned())).collect::<Vec<_>>())
        });
        let expected = expected.map(|all| all.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect());
        assert_eq!(found.unwrap(), expected, "string map {value}");
    }
    for (value, expected) in [
        (r#"[{"N":1},null,{}]"#, Some(vec![Some(1), None, None])),
        ("null", Some(vec![])),
        ("[1]", None),
        ("[[]]", None),
        ("{}", None),
    ] {
        let found = read(value, |field| {
            Ok(field.objects()?.map(|object| object.field("n").integer().unwrap()).collect::<Vec<_>>())
        });
        assert_eq!(found, expected, "objects {value}");
    }
    for (value, expected) in [
        (r#"{"a":{"N":1},"b":null}"#, Some(vec![("a", Some(1)), ("b", None)])),
        ("null", Some(vec![])),
        (r#"{"a":[]}"#, None),
        ("[]", None),
    ] {
        let found = read(value, |field| {
            let map = field.object_map()?;
            Ok(map.map(|(key, object)| (key.to_owned(), object.field("N").integer().unwrap())).collect::<Vec<_>>())
        });
        let expected = expected.map(|all| all.into_iter().map(|(key, n)| (key.to_owned(), n)).collect());
        assert_eq!(found, expected, "object map {value}");
    }
    for (value, expected) in [("{}", Some(true)), ("null", Some(false)), ("[]", None), ("1", None), (r#""x""#, None)] {
        assert_eq!(read(value, |field| field.object().map(|object| object.is_some())), expected, "object {value}");
    }
}

#[test]
fn the_root_has_a_type_too() {
    let is_object = |body: &str| judge(body.as_bytes(), |view| view.object().map(|object| object.is_empty())).unwrap();
    assert_eq!(is_object("{}"), Ok(true));
    assert_eq!(is_object("null"), Ok(true));
    assert_eq!(is_object(r#"{"x":1}"#), Ok(false));
    for body in ["[{}]", r#""x""#, "5", "true"] {
        assert_eq!(is_object(body), Err(TypeError { field: "(root)", expected: "an object" }), "{body}");
    }
    let names = judge(br#"["a=b"]"#, |view| view.root().strings().unwrap().map(str::to_owned).collect::<Vec<_>>());
    assert_eq!(names.unwrap(), ["a=b"]);
}

/// Spec 30 §0.4 B and 50 A2.
#[test]
fn ambiguous_keys_are_refused_outside_data_maps() {
    for (body, expected) in [
        (r#"{"HostConfig":{"Privileged":true,"Privileged":false}}"#, false),
        (r#"{"HostConfig":{"Privileged":false,"privileged":true}}"#, false),
        (r#"{"HostConfig":{"Privileged":true,"\u0050rivileged":null}}"#, false),
        (r#"{"HostConfig":{},"hostConfig":{"Privileged":true}}"#, false),
        ("{\"HostConfig\":{},\"Ho\u{17f}tConfig\":{}}", false),
        ("{\"NetworkMode\":1,\"networ\u{212a}mode\":1}", false),
        (r#"{"Image":"a","Image":"a"}"#, false),
        (r#"{"Unknown":1,"unknown":2}"#, false),
        (r#"{"é":1,"É":2}"#, false),
        (r#"{"x":[[{"a":1,"A":2}]]}"#, false),
        (r#"{"":1,"":2}"#, false),
        (r#"{"a":[{}],"":{"x":1},"":2}"#, false),
        (r#"{"Labels":{"":"1","":"2"}}"#, false),
        (r#"{"":{"":{"":1}},"a":""}"#, true),
        (r#"{"Image":"x","Imag":"x","Images":"x"}"#, true),
        (r#"{"Labels":{"Foo":"1","foo":"2"}}"#, true),
        (r#"{"LABELS":{"Foo":"1","foo":"2"}}"#, true),
        (r#"{"Labels":{"HostConfig":"x","hostconfig":"y","Privileged":"true"}}"#, true),
        (r#"{"Labels":{"a":"1","a":"2"}}"#, false),
        (r#"{"Labels":{"a":"1","\u0061":"2"}}"#, false),
        (r#"{"Labels":{},"labels":{}}"#, false),
        // The exemption is for the map's own keys.
        (r#"{"Labels":{"x":{"a":1,"A":2}}}"#, false),
        (r#"{"Labels":{"Labels":{"a":1,"A":2}}}"#, false),
        (r#"{"Labels":[{"a":1,"A":2}]}"#, false),
        (r#"{"Labels":{"x":{"Labels":{"a":1,"A":2}}}}"#, true),
        (r#"{"NetworkingConfig":{"EndpointsConfig":{"config":{"IPAddress":"1","ipaddress":"2"}}}}"#, false),
        (r#"{"NetworkingConfig":{"EndpointsConfig":{"net":{"DriverOpts":{"a":"1","A":"2"}},"NET":{}}}}"#, true),
        (r#"{"HostConfig":{"Sysctls":{"a":"1","A":"2"},"Tmpfs":{"/a":"","/A":""}}}"#, true),
        (r#"{"HostConfig":{"Sysctl":{"a":"1","A":"2"}}}"#, false),
    ] {
        assert_eq!(readable(body), expected, "{body}");
    }
}

#[test]
fn duplicates_are_found_among_any_number_of_keys() {
    for count in [2, 23, 24, 25, 26, 95, 96, 97, 100, 5_000] {
        let keys: Vec<String> = (0..count).map(|n| format!("\"key{n}\":{n}")).collect();
        let unique = format!("{{{}}}", keys.join(","));
        assert!(readable(&unique), "{count}");
        let folded = format!("{{{},\"KEY{}\":0}}", keys.join(","), count / 2);
        assert!(!readable(&folded), "{count}");
        assert!(readable(&format!("{{\"Labels\":{folded}}}")), "{count}");
        let equal = format!("{{\"Labels\":{{{},\"key{}\":0}}}}", keys.join(","), count / 2);
        assert!(!readable(&equal), "{count}");
    }
}

#[test]
fn a_reader_starts_afresh_with_each_body() {
    let mut reader = Reader::new();
    let large = format!(r#"{{"Labels":{{"a":"{}"}}}}"#, "x".repeat(300 << 10));
    for _ in 0..3 {
        assert!(reader.read(br#"{"Labels":{"a":1,"A":2}}"#, |_| ()).is_ok());
        assert!(reader.read(br#"{"x":{"a":1,"A":2}}"#, |_| ()).is_err());
        assert!(reader.read(b"{", |_| ()).is_err());
        assert!(reader.read(large.as_bytes(), |_| ()).is_ok());
        assert_eq!(reader.read(br#"{"A":true}"#, |view| view.object().unwrap().field("a").bool()), Ok(Ok(Some(true))));
    }
}

/// A document as serde_json reads it, with every member in its order.
#[derive(Debug, Clone, PartialEq)]
enum Tree {
    Scalar(String),
    Text(String),
    Array(Vec<Tree>),
    Object(Vec<(String, Tree)>),
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Tree, D::Error> {
        struct Reading;
        impl<'de> Visitor<'de> for Reading {
            type Value = Tree;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("json")
            }
            fn visit_unit<E: Error>(self) -> Result<Tree, E> {
                Ok(Tree::Scalar("null".to_owned()))
            }
            fn visit_bool<E: Error>(self, value: bool) -> Result<Tree, E> {
                Ok(Tree::Scalar(value.to_string()))
            }
            fn visit_i64<E: Error>(self, value: i64) -> Result<Tree, E> {
                Ok(Tree::Scalar(value.to_string()))
            }
            fn visit_u64<E: Error>(self, value: u64) -> Result<Tree, E> {
                Ok(Tree::Scalar(value.to_string()))
            }
            fn visit_f64<E: Error>(self, value: f64) -> Result<Tree, E> {
                Ok(Tree::Scalar(format!("{value:e}")))
            }
            fn visit_str<E: Error>(self, value: &str) -> Result<Tree, E> {
                Ok(Tree::Text(value.to_owned()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Tree, A::Error> {
                let mut elements = Vec::new();
                while let Some(element) = access.next_element()? {
                    elements.push(element);
                }
                Ok(Tree::Array(elements))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Tree, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = access.next_entry()? {
                    members.push(member);
                }
                Ok(Tree::Object(members))
            }
        }
        deserializer.deserialize_any(Reading)
    }
}

/// The folding rule once more, for the keys that the mutants use: by upper case.
fn folded(key: &str) -> String {
    key.replace('\u{17f}', "S").replace('\u{212a}', "K").to_uppercase()
}

impl Tree {
    fn is_ambiguous(&self, is_data_map: bool) -> bool {
        const DATA: &str = "LABELS ANNOTATIONS VOLUMES EXPOSEDPORTS PORTBINDINGS SYSCTLS STORAGEOPT TMPFS ENDPOINTSCONFIG \
                            OPTIONS DRIVEROPTS OPTS CONFIG AUXILIARYADDRESSES";
        match self {
            Tree::Scalar(_) | Tree::Text(_) => false,
            Tree::Array(elements) => elements.iter().any(|element| element.is_ambiguous(false)),
            Tree::Object(members) => {
                let mut keys: Vec<String> =
                    members.iter().map(|(key, _)| if is_data_map { key.clone() } else { folded(key) }).collect();
                keys.sort();
                keys.windows(2).any(|pair| pair[0] == pair[1])
                    || members.iter().any(|(key, value)| {
                        let opens = !is_data_map && DATA.split(' ').any(|name| name == folded(key));
                        value.is_ambiguous(opens)
                    })
            }
        }
    }

    fn set(&mut self, path: &[Step<'_>], value: &str) -> Result<(), SpliceError> {
        let Tree::Object(members) = self else { return Err(SpliceError::RootNotObject) };
        let (step, rest) = path.split_first().unwrap();
        let spelling = match step {
            Step::Field(name) => *name,
            Step::Entry(key) => key,
        };
        let is_it = |key: &str| match step {
            Step::Field(name) => folded(key) == folded(name),
            Step::Entry(name) => key == *name,
        };
        if !members.iter().any(|(key, _)| is_it(key)) {
            members.push((spelling.to_owned(), Tree::Scalar("null".to_owned())));
        }
        let mut found = members.iter_mut().filter(|(key, _)| is_it(key));
        let (key, member) = found.next().unwrap();
        if found.next().is_some() {
            return Err(SpliceError::Duplicate);
        }
        *key = spelling.to_owned();
        if rest.is_empty() {
            *member = Tree::Text(value.to_owned());
            return Ok(());
        }
        if *member == Tree::Scalar("null".to_owned()) {
            *member = Tree::Object(Vec::new());
        }
        match member {
            Tree::Object(_) => member.set(rest, value),
            _ => Err(SpliceError::NotObject("")),
        }
    }
}

fn same(tree: &Tree, field: Field<'_>) -> bool {
    match tree {
        Tree::Scalar(text) if text == "null" => !field.is_present(),
        Tree::Scalar(text) if text == "true" || text == "false" => field.bool() == Ok(Some(text == "true")),
        // The second reader takes `-0` for the float that `-0.0` is.
        Tree::Scalar(text) if text == "-0e0" => field.bool().is_err() && field.string().is_err(),
        Tree::Scalar(text) => match text.parse::<i64>() {
            Ok(number) => field.integer() == Ok(Some(number)),
            Err(_) => field.integer().is_err() && field.bool().is_err() && field.string().is_err(),
        },
        Tree::Text(text) => field.string() == Ok(Some(text)),
        Tree::Array(elements) => match field.strings() {
            Ok(strings) => strings.map(|text| Tree::Text(text.to_owned())).eq(elements.iter().map(null_as_empty)),
            Err(_) => field.objects().map_or(true, |objects| objects.count() == elements.len()),
        },
        Tree::Object(members) => {
            let object = field.object().unwrap().unwrap();
            object.keys().eq(members.iter().map(|(key, _)| key.as_str()))
                && ["Image", "HostConfig", "Labels", "Privileged", "Binds", "Memory"].into_iter().all(|name| {
                    match members.iter().find(|(key, _)| folded(key) == folded(name)) {
                        Some((_, value)) => same(value, object.field(name)),
                        None => !object.field(name).is_present(),
                    }
                })
        }
    }
}

fn null_as_empty(tree: &Tree) -> Tree {
    if *tree == Tree::Scalar("null".to_owned()) { Tree::Text(String::new()) } else { tree.clone() }
}

struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }

    fn mutate(&mut self, body: &mut Vec<u8>) {
        const PIECES: [&str; 22] = [
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
            "-0",
            "1e5",
            "9223372036854775808",
            "\"image\":1,",
            "\"Labels\":{",
            " ",
            "\n",
            "é",
            "\\u0049",
            "\\ud800",
            "\u{1}",
            "\"\u{17f}\":\"\u{212a}\",",
        ];
        let at = self.below(body.len());
        match self.below(6) {
            0 => drop(body.splice(at..at, PIECES[self.below(PIECES.len())].bytes())),
            1 => drop(body.splice(at..(at + 1 + self.below(6)).min(body.len()), [])),
            2 => {
                let from = self.below(body.len());
                let copied = body[from..(from + self.below(30)).min(body.len())].to_vec();
                drop(body.splice(at..at, copied));
            }
            3 => body[at] = self.below(256) as u8,
            4 => body[at] ^= 0x20,
            _ => drop(body.splice(at..at, " ".repeat(self.below(70)).bytes())),
        }
    }
}

const BODIES: [&str; 3] = [
    r#"{"Image":"a\u0041\n","HostConfig":{"Privileged":false,"Binds":["/a:/b",null],"Memory":9007199254740993,"CpuShares":1.5},"Labels":{"a":"1","A":"é"}}"#,
    r#"{"labels":{"com.sockguard.owner":"evil","t":"x"},"Image":null,"HostConfig":{"Memory":-1,"x":[[{"A":true}]]}}"#,
    r#"[{"Image":"x","Binds":[]},{"Labels":null,"hostconfig":{"privileged":true}}]"#,
];

#[test]
fn agrees_with_a_second_reader_on_mutated_bodies() {
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let mut reader = Reader::new();
    let mut accepted = 0;
    for round in 0..60_000 {
        let mut body = BODIES[round % BODIES.len()].as_bytes().to_vec();
        for _ in 0..random.below(3) {
            random.mutate(&mut body);
        }
        let expected = serde_json::from_slice::<Tree>(&body).ok().filter(|tree| !tree.is_ambiguous(false));
        let found = reader.read(&body, |view| expected.as_ref().is_none_or(|tree| same(tree, view.root())));
        assert_eq!(found.is_ok(), expected.is_some(), "{} {found:?}", body.escape_ascii());
        assert_ne!(found, Ok(false), "{}", body.escape_ascii());
        accepted += usize::from(expected.is_some());
    }
    assert!(accepted > 15_000, "the mutants are no longer telling: {accepted}");
}

const OWNER: [Step<'static>; 2] = [Step::Field("Labels"), Step::Entry("com.sockguard.owner")];

fn spliced(body: &str, path: &[Step<'_>], value: &str) -> Result<String, SpliceError> {
    let mut out = b"before ".to_vec();
    Splicer::new().set_string(body.as_bytes(), path, value, &mut out)?;
    Ok(String::from_utf8(out).unwrap().strip_prefix("before ").unwrap().to_owned())
}

/// Spec 50 A2 and its neighbours.
#[test]
fn labels_are_stamped_without_touching_other_bytes() {
    for (body, expected) in [
        (r#"{"Image":"a"}"#, Ok(r#"{"Image":"a","Labels":{"com.sockguard.owner":"ci-1"}}"#)),
        ("{}", Ok(r#"{"Labels":{"com.sockguard.owner":"ci-1"}}"#)),
        (" { \n } ", Ok(" { \n \"Labels\":{\"com.sockguard.owner\":\"ci-1\"}} ")),
        (
            r#"{"labels":{"com.sockguard.owner":"evil","t":"x"}}"#,
            Ok(r#"{"Labels":{"com.sockguard.owner":"ci-1","t":"x"}}"#),
        ),
        (
            r#"{"Labels":null,"HostConfig":{"Memory":9007199254740993}}"#,
            Ok(r#"{"Labels":{"com.sockguard.owner":"ci-1"},"HostConfig":{"Memory":9007199254740993}}"#),
        ),
        (
            r#"{ "La\u0062els" : { } , "x" : 1.50 }"#,
            Ok(r#"{ "Labels" : { "com.sockguard.owner":"ci-1"} , "x" : 1.50 }"#),
        ),
        (
            r#"{"Labels":{"com.sockguard\u002eowner":[1,{"a":"b"}],"Com.Sockguard.Owner":"kept"}}"#,
            Ok(r#"{"Labels":{"com.sockguard\u002eowner":"ci-1","Com.Sockguard.Owner":"kept"}}"#),
        ),
        (r#"{"Labels":{"A":"1","a":"2"}}"#, Ok(r#"{"Labels":{"A":"1","a":"2","com.sockguard.owner":"ci-1"}}"#)),
        (r#"{"x":{"Labels":{}}}"#, Ok(r#"{"x":{"Labels":{}},"Labels":{"com.sockguard.owner":"ci-1"}}"#)),
        (r#"{"Labels":{"a":"1"},"labels":{"b":"2"}}"#, Err(SpliceError::Duplicate)),
        (r#"{"Labels":"bad"}"#, Err(SpliceError::NotObject("Labels"))),
        (r#"{"Labels":["a"]}"#, Err(SpliceError::NotObject("Labels"))),
        ("null", Err(SpliceError::RootNotObject)),
        ("[]", Err(SpliceError::RootNotObject)),
        ("", Err(SpliceError::RootNotObject)),
        ("{", Err(SpliceError::Malformed(Malformed::Syntax(1)))),
        ("{}{}", Err(SpliceError::Malformed(Malformed::Trailing(2)))),
        (r#"{"Labels":nul}"#, Err(SpliceError::Malformed(Malformed::Syntax(10)))),
    ] {
        assert_eq!(spliced(body, &OWNER, "ci-1"), expected.map(str::to_owned), "{body}");
    }
}

#[test]
fn deep_paths_create_what_is_missing_and_values_are_escaped() {
    let path = [Step::Field("TaskTemplate"), Step::Field("ContainerSpec"), OWNER[0], OWNER[1]];
    for (body, expected) in [
        (
            r#"{"Name":"w"}"#,
            r#"{"Name":"w","TaskTemplate":{"ContainerSpec":{"Labels":{"com.sockguard.owner":"\"o\\"}}}}"#,
        ),
        (
            r#"{"tasktemplate":{"containerspec":{"labels":{"a":"b"}}}}"#,
            r#"{"TaskTemplate":{"ContainerSpec":{"Labels":{"a":"b","com.sockguard.owner":"\"o\\"}}}}"#,
        ),
        (
            r#"{"TaskTemplate":{"ContainerSpec":null,"x":1}}"#,
            r#"{"TaskTemplate":{"ContainerSpec":{"Labels":{"com.sockguard.owner":"\"o\\"}},"x":1}}"#,
        ),
    ] {
        assert_eq!(spliced(body, &path, "\"o\\").as_deref(), Ok(expected), "{body}");
    }
    assert_eq!(
        spliced(r#"{"TaskTemplate":{"ContainerSpec":7}}"#, &path, ""),
        Err(SpliceError::NotObject("ContainerSpec"))
    );
    assert_eq!(
        spliced(r#"{"image":"a:1","x":1}"#, &[Step::Field("Image")], "a@sha256:0").as_deref(),
        Ok(r#"{"Image":"a@sha256:0","x":1}"#)
    );
    assert_eq!(spliced(r#"{"Image": 5 }"#, &[Step::Field("Image")], "a").as_deref(), Ok(r#"{"Image": "a" }"#));
    assert_eq!(spliced(r#"{"Image":"a"}"#, &[], "x").as_deref(), Ok(r#"{"Image":"a"}"#));
}

#[test]
fn splicing_mutated_bodies_changes_one_string_and_no_more() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut splicer = Splicer::new();
    let mut accepted = 0;
    for round in 0..40_000 {
        let mut body = BODIES[round % BODIES.len()].as_bytes().to_vec();
        for _ in 0..random.below(3) {
            random.mutate(&mut body);
        }
        let expected = match serde_json::from_slice::<Tree>(&body) {
            Ok(mut tree) => tree.set(&OWNER, "ci-1").ok().map(|()| tree),
            // It reads numbers for their value; the splice, which leaves them alone, does not.
            Err(error) if error.to_string().starts_with("number out of range") => continue,
            Err(_) => None,
        };
        let mut out = Vec::new();
        let outcome = splicer.set_string(&body, &OWNER, "ci-1", &mut out);
        assert_eq!(outcome.is_ok(), expected.is_some(), "{} {outcome:?}", body.escape_ascii());
        if outcome.is_ok() {
            assert_eq!(serde_json::from_slice::<Tree>(&out).ok(), expected, "{}", body.escape_ascii());
            // Nothing is left to change, so not a byte does.
            let mut again = Vec::new();
            splicer.set_string(&out, &OWNER, "ci-1", &mut again).unwrap();
            assert_eq!(again, out, "{}", body.escape_ascii());
            accepted += 1;
        }
    }
    assert!(accepted > 6_000, "the mutants are no longer telling: {accepted}");
}
