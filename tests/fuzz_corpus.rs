//! Every seed of every fuzz target, in plain `cargo test`: what the fuzzer once found stays found.
//!
//! The bodies are those that libFuzzer drives; they are included here because their workspace is no part of ours.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails")]

#[path = "../fuzz/src/lib.rs"]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, unreachable_pub, reason = "the bodies of tests")]
mod targets;

use std::collections::BTreeSet;
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A small input that takes this long, unoptimised and on a busy machine, takes more than linear time.
const PATIENCE: Duration = Duration::from_secs(5);

fn below(folder: &str) -> BTreeSet<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(folder);
    fs::read_dir(&folder).expect("a folder of the fuzz targets").map(|entry| entry.unwrap().path()).collect()
}

fn names(paths: &BTreeSet<PathBuf>) -> BTreeSet<&str> {
    paths.iter().map(|path| path.file_stem().unwrap().to_str().unwrap()).collect()
}

#[test]
fn every_seed_passes() {
    let mut failed = Vec::new();
    for (name, target) in targets::TARGETS {
        let seeds = below(&format!("corpus/{name}"));
        assert!(seeds.len() >= 8, "{name} has {} seeds", seeds.len());
        for seed in seeds {
            let bytes = fs::read(&seed).unwrap();
            let began = Instant::now();
            if catch_unwind(|| target(&bytes)).is_err() || began.elapsed() > PATIENCE {
                failed.push((seed, began.elapsed()));
            }
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

/// A target that is not listed would be fuzzed but not tested, or the other way round.
#[test]
fn every_target_is_fuzzed_and_has_seeds() {
    let listed: BTreeSet<&str> = targets::TARGETS.iter().map(|(name, _)| *name).collect();
    assert_eq!(names(&below("fuzz_targets")), listed);
    assert_eq!(names(&below("corpus")), listed);
    let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/Cargo.toml")).unwrap();
    for name in listed {
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name} is not built");
    }
}
