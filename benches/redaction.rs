//! How fast answers are judged and edited. Promise: 2 GB/s on a list of 1 MiB and on an inspect of 5 KiB, all toggles on,
//! with AVX2.

#![allow(clippy::expect_used, missing_docs)]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sockguard::redaction::{Redaction, Scratch, Toggles};

#[path = "support/answers.rs"]
mod answers;

fn redaction(criterion: &mut Criterion) {
    let all = Redaction::compile(Toggles::ALL);
    let mut scratch = Scratch::new();
    let mut out = Vec::new();
    for (name, path, answer) in [
        ("inspect-5KiB", "/containers/runner-7/json", answers::container_inspect()),
        ("list-5KiB", "/containers/json", answers::container_list(5 << 10)),
        ("list-1MiB", "/containers/json", answers::container_list(1 << 20)),
    ] {
        let matcher = all.covers(path.as_bytes()).expect("covered");
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Bytes(answer.len() as u64));
        group.bench_function("cuts", |bencher| {
            bencher.iter(|| {
                let cuts = matcher.cuts(black_box(&answer), &mut scratch).expect("accepted");
                black_box(cuts.edited_len(answer.len()))
            });
        });
        group.bench_function("cuts-and-apply", |bencher| {
            bencher.iter(|| {
                out.clear();
                matcher.cuts(black_box(&answer), &mut scratch).expect("accepted").apply(&answer, &mut out);
                black_box(out.len())
            });
        });
        group.finish();
    }
}

criterion_group!(benches, redaction);
criterion_main!(benches);
