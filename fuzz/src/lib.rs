//! The bodies of the fuzz targets: each takes any bytes and panics when a promise of the product does not hold for them.
//!
//! A target holds the product against a second reader that is written here, from the spec and not from the product's
//! code: slow, plain, and sharing nothing with it. libFuzzer drives the targets (`fuzz_targets/`), and so does
//! `tests/fuzz_corpus.rs`, which runs every file of `corpus/` in plain `cargo test`.

mod archive;
mod chunked;
mod config;
mod document;
mod filters;
mod glob;
mod head;
mod inspect;
mod json;
mod message;
mod record;
mod redaction;
mod target;

pub use archive::{archive_body, dockerfile, tar};
pub use chunked::chunked;
pub use config::config;
pub use filters::filters;
pub use glob::glob;
pub use head::head;
pub use inspect::{container_create, inspect};
pub use json::{json_splice, json_view};
pub use record::record;
pub use redaction::redaction;
pub use target::target;

/// A body: any bytes, and a panic when a promise is broken.
pub type Target = fn(&[u8]);

/// Every target by the name of its folder in `corpus/`.
pub const TARGETS: &[(&str, Target)] = &[
    ("archive_body", archive_body),
    ("chunked", chunked),
    ("config", config),
    ("container_create", container_create),
    ("dockerfile", dockerfile),
    ("filters", filters),
    ("glob", glob),
    ("head", head),
    ("inspect", inspect),
    ("json_splice", json_splice),
    ("json_view", json_view),
    ("record", record),
    ("redaction", redaction),
    ("tar", tar),
    ("target", target),
];

/// `text` up to the first `separator`, and what is behind it.
fn split_once(text: &[u8], separator: u8) -> (&[u8], &[u8]) {
    match text.iter().position(|&byte| byte == separator) {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (text, b""),
    }
}

/// Numbers that look random and are the same in every run: for choices that the input need not steer.
struct Choices(u64);

impl Choices {
    fn of(data: &[u8]) -> Choices {
        let seed = data
            .iter()
            .fold(0xcbf2_9ce4_8422_2325, |sum: u64, &byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        Choices(seed | 1)
    }

    /// Below `end`, which is not zero.
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }
}
