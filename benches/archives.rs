//! How fast archives are inspected: bytes of body a second, and what a compressed one holds (target: 300 MB/s a worker).

use std::hint::black_box;
use std::io::Write;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use flate2::Compression;
use flate2::write::GzEncoder;
use sockguard::inspect::archive::{Upload, dockerfile};
use sockguard::inspect::options::{ContainerArchiveOptions, ImageLoadOptions};
use sockguard::inspect::{Outcome, build, container_archive, image_load};

const MEBIBYTE: usize = 1 << 20;

fn header(name: &str, size: usize) -> [u8; 512] {
    let mut block = [0; 512];
    let mut put = |at: usize, bytes: &[u8]| {
        for (to, from) in block.iter_mut().skip(at).zip(bytes) {
            *to = *from;
        }
    };
    put(0, name.as_bytes());
    put(100, b"0000644\0");
    put(124, format!("{size:011o}\0").as_bytes());
    put(148, b"        ");
    put(156, b"0");
    put(257, b"ustar\x0000");
    let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
    for (to, from) in block.iter_mut().skip(148).zip(format!("{sum:06o}\0 ").bytes()) {
        *to = from;
    }
    block
}

fn file(archive: &mut Vec<u8>, name: &str, content: &[u8]) {
    archive.extend_from_slice(&header(name, content.len()));
    archive.extend_from_slice(content);
    archive.resize(archive.len().next_multiple_of(512), 0);
}

/// Words of source code.
const WORDS: &[&str] = &[
    "let",
    "mut",
    "self.",
    "return",
    "if",
    "else {",
    "}\n",
    "fn",
    "pub fn",
    "match",
    "Some(",
    "None",
    "Ok(",
    "Err(",
    "?;\n",
    ");\n",
    " => ",
    "&str",
    "u64",
    "Vec<u8>",
    "usize",
    "impl",
    "struct",
    "// ",
    "use crate::",
    "assert_eq!(",
    "\n    ",
    "\n        ",
    "length",
    "buffer",
    "connection",
    "request",
];

/// Files of one size, like source code: words, and numbers that differ. About four times smaller when compressed.
fn archive(first: &str, content: &str, file_bytes: usize, total_bytes: usize) -> Vec<u8> {
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut body = Vec::new();
    while body.len() < file_bytes {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let word = WORDS[(random % WORDS.len() as u64) as usize];
        body.extend_from_slice(word.as_bytes());
        if random.is_multiple_of(7) {
            body.extend_from_slice(format!(" {:x} ", random >> 50).as_bytes());
        }
    }
    body.truncate(file_bytes);
    let mut archive = Vec::new();
    file(&mut archive, first, content.as_bytes());
    for number in 0.. {
        if archive.len() >= total_bytes {
            break;
        }
        file(&mut archive, &format!("src/module_{}/file_{number}.rs", number % 100), &body);
    }
    archive.extend_from_slice(&[0; 1024]);
    archive
}

/// Bytes without any order.
fn noise(length: usize) -> Vec<u8> {
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let words = std::iter::repeat_with(|| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes()
    });
    words.take(length / 8).flatten().collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    let compressed = encoder.write_all(bytes).and_then(|()| encoder.finish());
    compressed.unwrap_or_default()
}

fn assert_passes(outcome: Result<Outcome, impl std::fmt::Debug>) {
    assert!(matches!(outcome, Ok(Outcome::Pass)), "{outcome:?}");
}

fn builds(criterion: &mut Criterion) {
    const DOCKERFILE: &str = "FROM busybox\nCOPY . /app\nCMD [\"/app/x\"]\n";
    let mut group = criterion.benchmark_group("build");
    group.sample_size(20);
    for (name, file_bytes) in [("files of 1 MiB", MEBIBYTE), ("files of 8 KiB", 8 << 10), ("empty files", 0)] {
        let context = archive("Dockerfile", DOCKERFILE, file_bytes, 32 * MEBIBYTE);
        let compressed = gzip(&context);
        group.throughput(Throughput::Bytes(context.len() as u64));
        for (kind, body) in [("tar", &context), ("gzip", &compressed)] {
            group.bench_function(format!("{kind}, {name}"), |bencher| {
                bencher.iter(|| assert_passes(build::inspect_body(&Upload::default(), &mut black_box(&body[..]))));
            });
        }
    }
    // What an encoder stores because it cannot make it smaller, and what only codes of its letters make smaller.
    let noise = noise(32 * MEBIBYTE);
    let letters: Vec<u8> = noise.iter().map(|byte| b'0' + byte % 64).collect();
    for (name, content) in [("noise", noise), ("noise in letters", letters)] {
        let mut context = Vec::new();
        file(&mut context, "Dockerfile", DOCKERFILE.as_bytes());
        file(&mut context, "noise", &content);
        context.extend_from_slice(&[0; 1024]);
        let compressed = gzip(&context);
        group.throughput(Throughput::Bytes(context.len() as u64));
        group.bench_function(format!("gzip, {name}"), |bencher| {
            bencher.iter(|| assert_passes(build::inspect_body(&Upload::default(), &mut black_box(&compressed[..]))));
        });
    }
    group.finish();
}

fn image_archives(criterion: &mut Criterion) {
    let manifest = r#"[{"Config":"c.json","RepoTags":["busybox:1"],"Layers":["l/layer.tar"]}]"#;
    let image = archive("manifest.json", manifest, 4 * MEBIBYTE, 32 * MEBIBYTE);
    let compressed = gzip(&image);
    let options = ImageLoadOptions::default();
    let mut group = criterion.benchmark_group("image load");
    group.sample_size(20).throughput(Throughput::Bytes(image.len() as u64));
    for (kind, body) in [("tar", &image), ("gzip", &compressed)] {
        group.bench_function(kind, |bencher| {
            bencher.iter(|| assert_passes(image_load::inspect_body(&mut black_box(&body[..]), &options)));
        });
    }
    group.finish();
}

fn container_archives(criterion: &mut Criterion) {
    let body = archive("first", "x", 8 << 10, 32 * MEBIBYTE);
    let options = ContainerArchiveOptions::default();
    let mut group = criterion.benchmark_group("container archive");
    group.sample_size(20).throughput(Throughput::Bytes(body.len() as u64));
    group.bench_function("files of 8 KiB", |bencher| {
        bencher.iter(|| assert_passes(container_archive::inspect_body(&mut black_box(&body[..]), &options)));
    });
    group.finish();
}

fn dockerfiles(criterion: &mut Criterion) {
    let long = "FROM busybox\n".to_owned() + &"COPY --from=build /a \\\n  /b # text\n".repeat(MEBIBYTE / 36);
    let heredocs = "FROM busybox\nCOPY <<EOF /x\nEOF\n".to_owned() + &"COPY a \\\n  /b\n".repeat(MEBIBYTE / 14);
    let mut group = criterion.benchmark_group("dockerfile");
    for (name, text) in [("1 MiB", &long), ("1 MiB, here-document", &heredocs)] {
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| assert_eq!(dockerfile::find(black_box(text.as_bytes())), None));
        });
    }
    group.finish();
}

criterion_group!(benches, builds, image_archives, container_archives, dockerfiles);
criterion_main!(benches);
