//! The crates that must not be in the product: a second runtime, a second TLS, what the standard library has by now.
//!
//! Judges the normal dependency graph of the default features (no build or dev dependencies), as cargo resolves it.
//! `.deny.toml` says the same to users of `cargo deny`.

use std::collections::BTreeSet;
use std::process::Command;

/// Crate, and the crates that may bring it because we take them whole: nobody else may, and we never name it.
const BANNED: &[(&str, &[&str])] = &[
    ("tokio", &[]),
    ("hyper", &[]),
    ("reqwest", &[]),
    ("openssl", &[]),
    ("openssl-sys", &[]),
    ("native-tls", &[]),
    ("ring", &[]),
    ("chrono", &[]),
    ("lazy_static", &["glommio", "sharded-slab"]),
];

/// The edges (user, used) of a `cargo tree --prefix depth`.
fn edges(tree: &str) -> BTreeSet<(String, String)> {
    let mut above: Vec<&str> = Vec::new();
    let mut edges = BTreeSet::new();
    for line in tree.lines() {
        let digits = line.len() - line.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (depth, rest) = line.split_at(digits);
        let (Ok(depth), Some(name)) = (depth.parse::<usize>(), rest.split(' ').next()) else { continue };
        above.truncate(depth);
        if let Some(user) = above.last() {
            edges.insert(((*user).to_owned(), name.to_owned()));
        }
        above.push(name);
    }
    edges
}

fn violations(edges: &BTreeSet<(String, String)>) -> Vec<String> {
    let banned = |used: &str| BANNED.iter().find(|(name, _)| *name == used);
    edges
        .iter()
        .filter(|(user, used)| banned(used).is_some_and(|(_, by)| !by.contains(&user.as_str())))
        .map(|(user, used)| format!("{user} brings {used}"))
        .collect()
}

#[test]
fn nothing_banned_is_in_the_product() {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--edges", "normal", "--prefix", "depth", "--manifest-path"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let edges = edges(&String::from_utf8_lossy(&output.stdout));
    assert!(edges.contains(&("sockguard".to_owned(), "glommio".to_owned())), "this is not the product's graph");
    assert_eq!(violations(&edges), Vec::<String>::new());
}

#[test]
fn a_banned_crate_is_found_wherever_it_comes_from() {
    let tree = "0sockguard v0.1.0 (/p)\n1serde v1.0.0\n1client v2.0.0\n2hyper v1.0.0\n3tokio v1.0.0\n\
                1glommio v0.9.0\n2lazy_static v1.5.0\n1lazy_static v1.5.0 (*)\n";
    let found = violations(&edges(tree));
    assert_eq!(found, ["client brings hyper", "hyper brings tokio", "sockguard brings lazy_static"]);
}
