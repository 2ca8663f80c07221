//! What method and path cost per request: target, canonical path, endpoint, rules, and the glob's worst case.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sockguard::endpoint::{Route, classify};
use sockguard::policy::{Glob, RuleSet, RuleSpec};
use sockguard::target::{RequestPath, Target};

const ID: &str = "8f2b0f6c1c1d4f0a9f5d3f0e2a7b6c5d4e3f2a1b0c9d8e7f6a5b4c3d2e1f0a9b";

fn canonical_path(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("canonical_path");
    let mut path = RequestPath::default();
    for (name, raw) in [
        ("ping", "/_ping".to_owned()),
        ("versioned inspect", format!("/v1.45/containers/{ID}/json")),
        ("escaped", "/v1.45/containers/%2e%2e/images/library%2Fbusybox/json".to_owned()),
        ("1 MiB of dot segments", "/a/..".repeat(1 << 20 >> 2)),
    ] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let target = Target::parse(b"GET", black_box(raw.as_bytes()));
                let raw_path = target.as_ref().map(|target| target.path_of(raw.as_bytes())).unwrap_or_default();
                path.set(raw_path).is_ok() && path.canonical().is_empty()
            });
        });
    }
    group.finish();
}

fn endpoint(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("endpoint");
    for (name, path) in [
        ("fixed", "/containers/create".to_owned()),
        ("named", format!("/containers/{ID}/json")),
        ("name with slashes", "/images/registry.example/team/app:1/json".to_owned()),
    ] {
        group.bench_function(name, |bencher| bencher.iter(|| classify(black_box(path.as_bytes()))));
        group.bench_function(format!("{name}, with route"), |bencher| {
            bencher.iter(|| Route::of(black_box(path.as_bytes())));
        });
    }
    group.finish();
}

fn judge_ten_rules(criterion: &mut Criterion) {
    let rule = |action, method, path| RuleSpec { method, path, action, reason: "" };
    let specs = [
        rule("allow", "GET,HEAD", "/_ping"),
        rule("allow", "GET", "/version"),
        rule("allow", "GET", "/info"),
        rule("allow", "GET", "/events"),
        rule("allow", "GET", "/containers/json"),
        rule("allow", "GET", "/containers/*/json"),
        rule("allow", "POST", "/containers/create"),
        rule("allow", "POST", "/containers/*/start"),
        rule("allow", "GET", "/images/**/json"),
        rule("deny", "*", "/**"),
    ];
    let Ok(rules) = RuleSet::compile(&specs) else { return };
    let mut group = criterion.benchmark_group("judge_ten_rules");
    for (name, method, path) in [
        ("first rule", "GET", "/_ping".to_owned()),
        ("middle rule", "GET", format!("/containers/{ID}/json")),
        ("last rule", "DELETE", format!("/containers/{ID}")),
        ("last rule, matching methods", "GET", format!("/volumes/{ID}")),
    ] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| rules.judge(black_box(method.as_bytes()), black_box(path.as_bytes())).rule);
        });
    }
    group.finish();
}

fn glob_worst_case(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("glob_worst_case");
    let subject = "/a".repeat(8200);
    group.throughput(Throughput::Bytes(subject.len() as u64));
    let nested = Glob::new("/**/x/**/y/**");
    group.bench_function("16 KiB, nested double stars", |bencher| {
        bencher.iter(|| nested.matches(black_box(subject.as_bytes())));
    });
    // It ends as the pattern ends, so that the comparison of the ends does not settle it.
    let subject = format!("{subject}b");
    let long = Glob::new(&format!("{}b", "/**/*a".repeat(60)));
    group.bench_function("16 KiB, pattern of 360 bytes", |bencher| {
        bencher.iter(|| long.matches(black_box(subject.as_bytes())));
    });
    group.finish();
}

criterion_group!(benches, canonical_path, endpoint, judge_ten_rules, glob_worst_case);
criterion_main!(benches);
