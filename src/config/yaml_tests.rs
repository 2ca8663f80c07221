use std::time::{Duration, Instant};

use super::{Node, Value, read};
use crate::config::problem::Origin;
use crate::limits::CONFIG_MAX_BYTES;

/// Clear errors have to come within this time, also in a build without optimisation on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);

fn tree(text: &str) -> Node {
    read(text.as_bytes()).unwrap_or_else(|problems| panic!("{text:?}: {problems}"))
}

#[track_caller]
fn refused(text: impl AsRef<[u8]>) -> String {
    let began = Instant::now();
    let problems = read(text.as_ref()).expect_err("this is no configuration");
    assert!(began.elapsed() < PATIENCE, "took {:?}", began.elapsed());
    problems.to_string()
}

/// The tree in a short notation: `{a:1,b:[t"x",~]}`.
fn shown(node: &Node) -> String {
    match &node.value {
        Value::Null => "~".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Integer(value) => value.to_string(),
        Value::Float { text, .. } => format!("f{text}"),
        Value::Text(text) => format!("{text:?}"),
        Value::List(list) => format!("[{}]", list.iter().map(shown).collect::<Vec<_>>().join(",")),
        Value::Map(map) => {
            let entries: Vec<String> = map.iter().map(|(key, node)| format!("{key}:{}", shown(node))).collect();
            format!("{{{}}}", entries.join(","))
        }
    }
}

#[test]
fn scalars_keep_what_was_written() {
    for (text, expected) in [
        ("", "~"),
        ("# only a comment\n", "~"),
        ("---\n", "~"),
        ("a: ~", "{a:~}"),
        ("a:", "{a:~}"),
        ("a: null", "{a:~}"),
        ("a: \"\"", "{a:\"\"}"),
        ("a: '~'", "{a:\"~\"}"),
        ("a: true", "{a:true}"),
        ("a: FALSE", "{a:false}"),
        ("a: TrUe", "{a:\"TrUe\"}"),
        ("a: yes", "{a:\"yes\"}"),
        ("a: off", "{a:\"off\"}"),
        ("a: 0600", "{a:\"0600\"}"),
        ("a: 0o600", "{a:384}"),
        ("a: 0x180", "{a:384}"),
        ("a: -1", "{a:-1}"),
        ("a: 18446744073709551616", "{a:18446744073709551616}"),
        ("a: 1.10", "{a:f1.10}"),
        ("a: [1.10, x, 1e3]", "{a:[f1.10,\"x\",f1e3]}"),
        ("a: .nan", "{a:f.nan}"),
        ("a: \"1.10\"", "{a:\"1.10\"}"),
        ("a: !!str 1.10", "{a:\"1.10\"}"),
        ("a: |\n  x\n  y\n", "{a:\"x\\ny\\n\"}"),
        ("1: x", "{1:\"x\"}"),
    ] {
        assert_eq!(shown(&tree(text)), expected, "{text:?}");
    }
}

#[test]
fn the_second_reading_follows_aliases_and_merges() {
    let text = "a: &x {v: 1.50, w: 0.10}\nb: *x\nc: {<<: *x, v: 2.50}\nd: [*x, 3.50]\n";
    let expected = "{a:{v:f1.50,w:f0.10},b:{v:f1.50,w:f0.10},c:{v:f2.50,w:f0.10},d:[{v:f1.50,w:f0.10},f3.50]}";
    assert_eq!(shown(&tree(text)), expected);
}

#[test]
fn merge_keys() {
    let base = "x: &x {a: 1, b: 2}\ny: &y {b: 3, c: 4}\n";
    for (text, expected) in [
        ("z: {<<: *x}", "{a:1,b:2}"),
        ("z: {<<: *x, a: 9}", "{a:9,b:2}"),
        ("z: {a: 9, <<: *x}", "{a:9,b:2}"),
        ("z: {<<: [*x, *y]}", "{a:1,b:2,c:4}"),
        ("z: {<<: [*y, *x]}", "{b:3,c:4,a:1}"),
    ] {
        let Value::Map(map) = tree(&format!("{base}{text}")).value else { panic!("a mapping") };
        assert_eq!(shown(&map[2].1), expected, "{text}");
    }
    assert!(refused("z: {<<: 5}").contains("a merge key (<<) needs a block of keys, got a number (line 1)"));
    assert!(refused(format!("{base}z: {{<<: [*x, x]}}")).contains("got a text (line 3)"));
    assert!(refused(format!("{base}z: {{<<: *x, <<: *y}}")).contains("\"<<\" is there twice (line 3)"));
}

#[test]
fn lines_are_those_of_keys_and_texts() {
    let text = "# é ü\na:\n  b: 'é'\n  c:\n    - x\n    - y: 1\n      z: 2\n\nd:\n  5\n";
    let Value::Map(root) = tree(text).value else { panic!("a mapping") };
    assert_eq!(root[0].1.origin, Origin::Line(2));
    assert_eq!(root[1].1.origin, Origin::Line(9));
    let Value::Map(a) = &root[0].1.value else { panic!("a mapping") };
    assert_eq!((&a[0].1.origin, &a[1].1.origin), (&Origin::Line(3), &Origin::Line(4)));
    let Value::List(c) = &a[1].1.value else { panic!("a list") };
    assert_eq!((&c[0].origin, &c[1].origin), (&Origin::Line(5), &Origin::Line(6)));
    let Value::Map(second) = &c[1].value else { panic!("a mapping") };
    assert_eq!(second[1].1.origin, Origin::Line(7));
}

#[test]
fn duplicate_keys_are_all_told() {
    let text = "a: 1\nb: {c: 1, c: 2}\na: 2\nd:\n  - e: 1\n    e: 1\n";
    assert_eq!(
        refused(text),
        "3 problems:\n  - the key \"c\" is there twice (line 2)\n  - the key \"a\" is there twice (line 3)\n  \
         - the key \"e\" is there twice (line 6)"
    );
    assert_eq!(shown(&tree("a: {x: 1}\nb: {x: 1}\n")), "{a:{x:1},b:{x:1}}");
}

#[test]
fn what_is_no_yaml_names_its_line() {
    for (text, expected) in [
        ("a: b: c\n", "line 1"),
        ("x: 1\na:\n\tb: 1\n", "line 3"),
        ("a: {b: 1\n", "line 2"),
        ("a: \"b\n", "line 2"),
        ("a: *nobody\n", "line 1"),
        ("? [a, b]\n: c\n", "line 1"),
        ("a: @b\n", "line 1"),
    ] {
        let error = refused(text);
        assert!(error.contains(expected), "{text:?}: {error}");
        assert!(!error.contains("column"), "{error}");
    }
    assert!(refused("a: 1\n---\nb: 2\n").contains("more than one document"));
    assert!(refused("a: !local b\n").contains("tags (!name) are not supported"));
    assert!(refused("a: !local {b: 1}\n").contains("tags (!name) are not supported"));
    assert!(refused("a: \0\n").contains("control characters"));
}

#[test]
fn bytes_that_are_no_text() {
    assert_eq!(refused(b"a: 1\nb: \xff\n"), "the file is not UTF-8 (line 2)");
    assert!(refused(b"\xff\xfea\0:\0").starts_with("the file is not UTF-8"));
}

#[test]
fn too_big() {
    let full = format!("#{}", " ".repeat(CONFIG_MAX_BYTES as usize - 1));
    assert_eq!(shown(&tree(&full)), "~");
    assert!(refused(format!("{full} ")).contains("1048577 bytes, at most 1048576"));
    assert!(refused(vec![b'['; 10 << 20]).contains("10485760 bytes"));
}

#[test]
fn too_deep() {
    let nested = |open: &str, close: &str, depth: usize| format!("a: {}{}", open.repeat(depth), close.repeat(depth));
    assert!(read(nested("[", "]", 100).as_bytes()).is_ok());
    for text in [
        nested("[", "]", 200),
        nested("{a: ", "}", 200),
        "- ".repeat(50_000),
        (0..200).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect(),
    ] {
        let error = refused(&text);
        assert!(error.contains("too many values inside one another"), "{}: {error}", &text[..20]);
    }
    assert!(refused("? ".repeat(50_000)).contains("expected a plain key"));
    assert!(refused("[".repeat(1 << 20)).contains("more than 1000 brackets are open (line 1)"));
    assert!(refused("{a: ".repeat(1 << 18)).contains("brackets are open"));
    assert!(refused("{a:\n".repeat(1 << 18)).contains("brackets are open (line 1001)"));
    assert!(refused("&a [*a]").contains("too many values inside one another"));
}

#[test]
fn alias_bombs() {
    let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..10 {
        let before = format!("*a{}, ", level - 1).repeat(9);
        laughs += &format!("a{level}: &a{level} [{}]\n", before.trim_end_matches(", "));
    }
    assert!(refused(&laughs).contains("aliases that expand to too many"));
    // One long text instead of many values.
    let text = format!("a: &a {}\nb: [{}]\n", "x".repeat(500_000), "*a, ".repeat(50));
    assert!(refused(text).contains("aliases that expand to too many"));
    assert!(read(b"a: &a [x, x]\nb: [*a, *a, *a]\n").is_ok());
}

#[test]
fn big_but_plain_files_are_read_in_time() {
    let began = Instant::now();
    assert!(read("- x\n".repeat(150_000).as_bytes()).is_ok());
    assert!(refused((0..90_000).map(|_| "k: 1\n").collect::<String>()).starts_with("89999 problems"));
    assert!(began.elapsed() < PATIENCE, "took {:?}", began.elapsed());
}
