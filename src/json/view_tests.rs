//! Tables of spec 30 §0.3 and §0.4, and a comparison with a second reader whose rules are written down independently.

use std::fmt;

use proptest::prelude::*;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::*;
use crate::json::fold::{FOLDED_MAX_BYTES, fold};

fn accept(document: &[u8]) -> Result<(), ReadError> {
    Reader::new().read(document, |_| Ok(()))
}

#[test]
fn one_document_and_nothing_else() {
    for document in
        ["{}", "[]", "null", "true", "5", "\"x\"", " \r\n\t{ \"Image\" :\t\"x\" } \n ", "{\"a\":{\"b\":[1,2,{}]}}"]
    {
        assert_eq!(accept(document.as_bytes()), Ok(()), "{document}");
    }
    for document in [
        "",
        "   ",
        "{",
        "[",
        "{\"HostConfig\":",
        "{\"HostConfig\":{}",
        "{\"Image\":\"x",
        "{}{}",
        "{} x",
        "{}]",
        "{\"a\":1,}",
        "[1,]",
        "{'a':1}",
        "{a:1}",
        "{\"a\":1} // c",
        "\u{feff}{}",
        "{\"a\":NaN}",
        "{\"a\":01}",
        "{\"a\":+1}",
        "{\"a\":.5}",
        "{\"a\":1.}",
        "{\"a\":0x1}",
        "nul",
        "nullx",
        "tru",
        "\"a\nb\"",
        "\"\\x41\"",
        "\"\\u12\"",
        "\"\\ud800\"",
        "\"\\udc00\"",
        "{\"a\" 1}",
        "{1:2}",
        "{\"a\":1 \"b\":2}",
        "Image=x&HostConfig=y",
        ",",
        ":",
        "\"",
        "\\",
        "-",
        "--1",
        "1 2",
    ] {
        assert_eq!(accept(document.as_bytes()), Err(ReadError::Malformed), "{document}");
    }
    for document in
        [&b"\"\xff\""[..], b"{\"\xc0\xaf\":1}", b"\xef\xbb\xbf{}", b"{}\0", b"\0", b"\"\xed\xa0\x80\"", b"\xff"]
    {
        assert_eq!(accept(document), Err(ReadError::Malformed), "{document:?}");
    }
}

#[test]
fn nesting_is_bounded() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(accept(nested(JSON_MAX_DEPTH - 1).as_bytes()), Ok(()));
    for depth in [JSON_MAX_DEPTH + 1, 10_000, 500_000] {
        assert_eq!(accept(nested(depth).as_bytes()), Err(ReadError::Malformed), "{depth}");
    }
    assert_eq!(accept("[".repeat(1 << 20).as_bytes()), Err(ReadError::Malformed));
    assert_eq!(accept("{\"a\":".repeat(200_000).as_bytes()), Err(ReadError::Malformed));
}

#[test]
fn duplicates_are_refused_outside_data_maps() {
    for document in [
        r#"{"HostConfig":{"Privileged":true,"Privileged":false}}"#,
        r#"{"HostConfig":{"Privileged":false},"HostConfig":{"Privileged":true}}"#,
        r#"{"HostConfig":{},"hostConfig":{}}"#,
        r#"{"a":1,"\u0061":2}"#,
        r#"{"a":1,"A":2}"#,
        "{\"Binds\":[],\"Bind\u{17f}\":[]}",
        "{\"NetworkMode\":\"\",\"networ\u{212a}mode\":\"\"}",
        r#"[{"x":[{"b":1,"B":null}]}]"#,
        r#"{"Labels":{"a":"1","a":"2"}}"#,
        r#"{"Labels":{"x":{"a":1,"A":2}}}"#,
        r#"{"EndpointsConfig":{"Labels":{"a":1,"A":2}}}"#,
        r#"{"Labels":[{"a":1,"A":2}]}"#,
        r#"{"":1,"":2}"#,
    ] {
        assert_eq!(accept(document.as_bytes()), Err(ReadError::DuplicateKey), "{document}");
    }
    for document in [
        r#"{"Labels":{"Foo":"1","foo":"2"}}"#,
        r#"{"LABELS":{"Foo":"1","foo":"2"}}"#,
        r#"{"Labels":{"HostConfig":"x","hostconfig":"y","Privileged":"true"}}"#,
        r#"{"HostConfig":{"Sysctls":{"a":"","A":""}},"a":{"a":{}},"b":[{"a":1},{"A":1}]}"#,
        r#"{"NetworkingConfig":{"EndpointsConfig":{"a":{"Aliases":[]},"A":{"Aliases":[]}}}}"#,
        r#"{"ab":1,"a b":2,"a":3,"":4}"#,
    ] {
        assert_eq!(accept(document.as_bytes()), Ok(()), "{document}");
    }
    for map in [
        "Labels",
        "Annotations",
        "Volumes",
        "ExposedPorts",
        "PortBindings",
        "Sysctls",
        "StorageOpt",
        "Tmpfs",
        "EndpointsConfig",
        "Options",
        "DriverOpts",
        "Opts",
        "Config",
        "AuxiliaryAddresses",
    ] {
        assert_eq!(accept(format!(r#"{{"{map}":{{"a":{{}},"A":{{}}}}}}"#).as_bytes()), Ok(()), "{map}");
        let is_twice = format!(r#"{{"{map}":{{"a":{{}}}},"{}":{{}}}}"#, map.to_lowercase());
        assert_eq!(accept(is_twice.as_bytes()), Err(ReadError::DuplicateKey), "{map}");
    }
}

#[test]
fn duplicates_are_found_among_many_keys() {
    for count in [2, 12, 13, 60, 1_000, 60_000] {
        let members: Vec<String> = (0..count).map(|index| format!("\"k{index}\":0")).collect();
        let different = format!("{{{}}}", members.join(","));
        assert_eq!(accept(different.as_bytes()), Ok(()), "{count}");
        let twice = format!("{{{},\"K{}\":0}}", members.join(","), count / 2);
        assert_eq!(accept(twice.as_bytes()), Err(ReadError::DuplicateKey), "{count}");
        let apart = format!("{{{},\"Labels\":{{{},\"K0\":0}}}}", members.join(","), members.join(","));
        assert_eq!(accept(apart.as_bytes()), Ok(()), "{count}");
    }
}

#[test]
fn types_are_exact() {
    let read =
        |value: &str, read: fn(View<'_>) -> Result<String, ReadError>| Reader::new().read(value.as_bytes(), read);
    let wrong = |result: Result<String, ReadError>| matches!(result, Err(ReadError::WrongType(_)));

    let flag = |view: View<'_>| view.flag().map(|value| value.to_string());
    assert_eq!(read("true", flag).as_deref(), Ok("true"));
    assert_eq!(read("false", flag).as_deref(), Ok("false"));
    assert_eq!(read("null", flag).as_deref(), Ok("false"));
    for value in ["1", "0", "\"true\"", "[]", "{}"] {
        assert!(wrong(read(value, flag)), "{value}");
    }

    let text = |view: View<'_>| view.text().map(str::to_owned);
    assert_eq!(read("\"a\\u0041\\n\"", text).as_deref(), Ok("aA\n"));
    assert_eq!(read("null", text).as_deref(), Ok(""));
    for value in ["1", "true", "[]", "{}"] {
        assert!(wrong(read(value, text)), "{value}");
    }

    let integer = |view: View<'_>| view.integer().map(|value| format!("{value:?}"));
    for (value, expected) in [
        ("0", "Some(0)"),
        ("-1", "Some(-1)"),
        ("null", "None"),
        ("-0", "Some(0)"),
        ("9223372036854775807", "Some(9223372036854775807)"),
        ("-9223372036854775808", "Some(-9223372036854775808)"),
    ] {
        assert_eq!(read(value, integer).as_deref(), Ok(expected), "{value}");
    }
    for value in ["1.0", "1e3", "-1E0", "\"1\"", "true", "9223372036854775808", "18446744073709551615", "[]", "{}"] {
        assert!(wrong(read(value, integer)), "{value}");
    }

    let unsigned = |view: View<'_>| view.unsigned().map(|value| format!("{value:?}"));
    assert_eq!(read("18446744073709551615", unsigned).as_deref(), Ok("Some(18446744073709551615)"));
    assert_eq!(read("null", unsigned).as_deref(), Ok("None"));
    for value in ["-1", "1.0", "\"1\""] {
        assert!(wrong(read(value, unsigned)), "{value}");
    }

    let texts = |view: View<'_>| view.texts().map(|texts| texts.collect::<Vec<_>>().join("|"));
    assert_eq!(read(r#"["a",null,"b"]"#, texts).as_deref(), Ok("a||b"));
    assert_eq!(read("null", texts).as_deref(), Ok(""));
    for value in ["\"a\"", "{}", "[1]", "[[]]", "[{}]", "[true]", "5"] {
        assert!(wrong(read(value, texts)), "{value}");
    }

    let text_map = |view: View<'_>| {
        view.text_map().map(|map| map.map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join("|"))
    };
    assert_eq!(read(r#"{"a":"1","B":null}"#, text_map).as_deref(), Ok("a=1|B="));
    assert_eq!(read("null", text_map).as_deref(), Ok(""));
    for value in ["\"a\"", "[]", "{\"a\":1}", "{\"a\":[]}", "5"] {
        assert!(wrong(read(value, text_map)), "{value}");
    }

    let members = |view: View<'_>| view.members().map(|members| members.len().to_string());
    assert_eq!(read("null", members).as_deref(), Ok("0"));
    for value in ["[]", "\"\"", "0", "false"] {
        assert!(wrong(read(value, members)), "{value}");
    }
    let elements = |view: View<'_>| view.elements().map(|elements| elements.len().to_string());
    assert_eq!(read("[[],{\"a\":[1,2]},3]", elements).as_deref(), Ok("3"));
    for value in ["{}", "\"\"", "0", "false"] {
        assert!(wrong(read(value, elements)), "{value}");
    }
}

#[test]
fn zero_values_ask_for_nothing() {
    let is_zero =
        |value: &str| Reader::new().read(value.as_bytes(), |view| Ok::<_, ReadError>(view.is_zero())).unwrap();
    for value in ["null", "false", "0", "-0", "0.0", "0e5", "\"\"", "[]", "{}"] {
        assert!(is_zero(value), "{value}");
    }
    for value in ["true", "1", "-1", "0.1", "\"0\"", "\" \"", "[0]", "[null]", "{\"a\":null}"] {
        assert!(!is_zero(value), "{value}");
    }
}

#[test]
fn memory_is_kept_after_short_documents_only() {
    let mut reader = Reader::new();
    reader.read(b"[1,2,3]", |_| Ok::<_, ReadError>(())).unwrap();
    assert!(reader.nodes.capacity() > 0);
    let long = format!("[{}0]", "0,".repeat(JSON_KEPT_DOCUMENT_BYTES));
    reader.read(long.as_bytes(), |_| Ok::<_, ReadError>(())).unwrap();
    assert_eq!(reader.nodes.capacity(), 0);
    assert_eq!(reader.read(b"{", |_| Ok::<(), ReadError>(())), Err(ReadError::Malformed));
    assert_eq!(reader.read(b"{}", |view| Ok::<_, ReadError>(view.is_null())), Ok(false));
}

/// What the second reader sees: everything, duplicates included.
#[derive(Debug, PartialEq)]
enum Tree {
    Null,
    Bool(bool),
    Integer(i128),
    Other,
    Text(String),
    List(Vec<Tree>),
    Object(Vec<(String, Tree)>),
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Tree, D::Error> {
        struct TreeVisitor;

        impl<'de> Visitor<'de> for TreeVisitor {
            type Value = Tree;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("json")
            }

            fn visit_unit<E>(self) -> Result<Tree, E> {
                Ok(Tree::Null)
            }

            fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
                Ok(Tree::Bool(value))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
                Ok(Tree::Integer(value.into()))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
                Ok(Tree::Integer(value.into()))
            }

            fn visit_f64<E>(self, _: f64) -> Result<Tree, E> {
                Ok(Tree::Other)
            }

            fn visit_str<E>(self, value: &str) -> Result<Tree, E> {
                Ok(Tree::Text(value.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Tree, A::Error> {
                let mut list = Vec::new();
                while let Some(element) = elements.next_element()? {
                    list.push(element);
                }
                Ok(Tree::List(list))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Tree, A::Error> {
                let mut object = Vec::new();
                while let Some(member) = members.next_entry()? {
                    object.push(member);
                }
                Ok(Tree::Object(object))
            }
        }

        deserializer.deserialize_any(TreeVisitor)
    }
}

impl Tree {
    /// The rule of spec 30 §0.4 B, by comparing every pair.
    fn has_duplicates(&self, is_data_map: bool) -> bool {
        const DATA_MAPS: &str = "|labels|annotations|volumes|exposedports|portbindings|sysctls|storageopt|tmpfs|\
                                 endpointsconfig|options|driveropts|opts|config|auxiliaryaddresses|";
        let folded = |key: &str| key.to_lowercase().replace('\u{17f}', "s").replace('\u{212a}', "k");
        match self {
            Tree::List(list) => list.iter().any(|element| element.has_duplicates(false)),
            Tree::Object(members) => members.iter().enumerate().any(|(index, (key, value))| {
                let is_same = |other: &str| if is_data_map { other == key } else { folded(other) == folded(key) };
                members.iter().skip(index + 1).any(|(other, _)| is_same(other))
                    || value.has_duplicates(!is_data_map && DATA_MAPS.contains(&format!("|{}|", folded(key))))
            }),
            _ => false,
        }
    }

    fn of(view: View<'_>) -> Tree {
        if view.is_null() {
            Tree::Null
        } else if let Ok(value) = view.flag() {
            Tree::Bool(value)
        } else if let Ok(Some(value)) = view.integer() {
            Tree::Integer(value.into())
        } else if let Ok(Some(value)) = view.unsigned() {
            Tree::Integer(value.into())
        } else if let Ok(text) = view.text() {
            Tree::Text(text.to_owned())
        } else if let Ok(elements) = view.elements() {
            Tree::List(elements.map(Tree::of).collect())
        } else if let Ok(members) = view.members() {
            Tree::Object(members.map(|(key, value)| (key.to_owned(), Tree::of(value))).collect())
        } else {
            Tree::Other
        }
    }
}

/// Documents that are nearly always well-formed and often have duplicates.
fn document() -> impl Strategy<Value = String> {
    let key = prop::sample::select(vec![
        "a",
        "A",
        "\\u0061",
        "Labels",
        "labels",
        "Label\u{17f}",
        "Config",
        "k",
        "\u{212a}",
        "é",
        "HostConfig",
        "",
        "\\n",
    ]);
    let leaf = prop::sample::select(vec![
        "null",
        "true",
        "false",
        "0",
        "-1",
        "1.5",
        "1e2",
        "9223372036854775808",
        "\"\"",
        "\"x\\\"y\"",
        "\"\\ud83d\\ude00\"",
        "\"é\"",
        "[]",
        "{}",
        " 1 ",
        "01",
        "\"\\q\"",
    ]);
    leaf.prop_map(str::to_owned).prop_recursive(5, 40, 6, move |inner| {
        let member = (key.clone(), inner.clone()).prop_map(|(key, value)| format!("\"{key}\":{value}"));
        prop_oneof![
            prop::collection::vec(inner, 0..6).prop_map(|list| format!("[{}]", list.join(" ,"))),
            prop::collection::vec(member, 0..6).prop_map(|members| format!("{{ {}}}", members.join(",\n"))),
        ]
    })
}

proptest! {
    #[test]
    fn two_readers_agree(document in document(), cut in 0_usize..400, flip in 0_usize..400, byte in any::<u8>()) {
        for variant in 0..3 {
            let mut bytes = document.clone().into_bytes();
            match variant {
                0 => {}
                1 => bytes.truncate(cut),
                _ => if let Some(slot) = bytes.get_mut(flip) { *slot = byte },
            }
            // The second reader takes minus zero for a fraction.
            prop_assume!(!bytes.windows(2).any(|pair| pair == b"-0"));
            let ours = Reader::new().read(&bytes, |view| Ok(Tree::of(view)));
            let theirs = serde_json::from_slice::<Tree>(&bytes).ok();
            let theirs = match theirs {
                None => Err(ReadError::Malformed),
                Some(tree) if tree.has_duplicates(false) => Err(ReadError::DuplicateKey),
                Some(tree) => Ok(tree),
            };
            prop_assert_eq!(ours, theirs, "{}", String::from_utf8_lossy(&bytes));
        }
    }

    #[test]
    fn folding_never_panics(key in ".*") {
        let mut buffer = [0; FOLDED_MAX_BYTES];
        let folded = fold(&key, &mut buffer).to_vec();
        let lower = key.to_lowercase().replace('\u{17f}', "s");
        prop_assert!(folded.is_empty() || folded == lower.into_bytes());
    }
}
