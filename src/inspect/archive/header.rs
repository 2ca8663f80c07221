//! One tar header block: fields, numbers, checksum.
//!
//! Owns the 512 bytes, read as the Engine's reader reads them (spec 30 §15 gap 19): the same formats, told apart the same
//! way, the same octal and base-256 numbers. Where that reader falls back on a guess, the block is refused.

use std::ops::Range;

/// Size of a block: a header is one, payloads are padded to whole ones.
pub(super) const BLOCK_BYTES: usize = 512;

/// A block as read.
pub(super) type Block = [u8; BLOCK_BYTES];

/// Where the checksum stands.
const CHECKSUM: Range<usize> = 148..156;

/// The fields of a header that matter.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header<'b> {
    /// Precedes the name, with a `/` between; empty when there is none.
    pub(super) prefix: &'b [u8],
    pub(super) name: &'b [u8],
    pub(super) link: &'b [u8],
    /// As stated, including bits that no file system knows.
    pub(super) mode: i64,
    /// Bytes of payload.
    pub(super) size: u64,
    /// The type byte.
    pub(super) kind: u8,
}

impl<'b> Header<'b> {
    /// Reads a block; `None` when it is no header.
    pub(super) fn parse(block: &'b Block) -> Option<Header<'b>> {
        if !has_valid_checksum(block) {
            return None;
        }
        let field = |range: Range<usize>| block.get(range).unwrap_or_default();
        let is_ustar = field(257..263) == b"ustar\0";
        let is_star = is_ustar && field(508..512) == b"tar\0";
        let is_gnu = field(257..265) == b"ustar  \0";
        if is_gnu {
            // Old readers take the times of a GNU header for a prefix of the name when they are no numbers.
            number(field(345..357))?;
            number(field(357..369))?;
        }
        let prefix = match (is_star, is_ustar) {
            (true, _) => until_nul(field(345..476)),
            (false, true) => until_nul(field(345..500)),
            (false, false) => b"",
        };
        Some(Header {
            prefix,
            name: until_nul(field(0..100)),
            link: until_nul(field(157..257)),
            mode: number(field(100..108))?,
            size: u64::try_from(number(field(124..136))?).ok()?,
            kind: *block.get(156)?,
        })
    }
}

/// Whether the block states the sum of its own bytes, the sum's field counted as blanks. Some writers add signed bytes.
fn has_valid_checksum(block: &Block) -> bool {
    let field = block.get(CHECKSUM).unwrap_or_default();
    let Some(stated) = octal(field) else { return false };
    let blanks = i64::from(b' ') * 8;
    let unsigned = |bytes: &[u8]| bytes.iter().map(|&byte| i64::from(byte)).sum::<i64>();
    let signed = |bytes: &[u8]| bytes.iter().map(|&byte| i64::from(byte.cast_signed())).sum::<i64>();
    stated == unsigned(block) - unsigned(field) + blanks || stated == signed(block) - signed(field) + blanks
}

/// A number, in octal or, marked by its first bit, in base 256.
fn number(field: &[u8]) -> Option<i64> {
    match field.split_first() {
        Some((&first, rest)) if first & 0x80 != 0 => base_256(first, rest),
        _ => octal(field),
    }
}

/// Two's complement, big endian; the first bit is no part of it.
fn base_256(first: u8, rest: &[u8]) -> Option<i64> {
    let is_negative = first & 0x40 != 0;
    let head = if is_negative { i64::from(first) - 0x100 } else { i64::from(first & 0x7f) };
    rest.iter().try_fold(head, |value, &byte| value.checked_mul(256)?.checked_add(i64::from(byte)))
}

/// Octal digits, blanks and NULs around them; an empty field is 0.
fn octal(field: &[u8]) -> Option<i64> {
    let is_digit = |byte: &u8| !matches!(byte, b' ' | 0);
    let Some(start) = field.iter().position(is_digit) else { return Some(0) };
    let end = field.iter().rposition(is_digit)?;
    until_nul(field.get(start..=end)?).iter().try_fold(0_i64, |value, &byte| match byte {
        b'0'..=b'7' => value.checked_mul(8)?.checked_add(i64::from(byte - b'0')),
        _ => None,
    })
}

/// The text before the first NUL.
pub(super) fn until_nul(field: &[u8]) -> &[u8] {
    field.get(..memchr::memchr(0, field).unwrap_or(field.len())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::archive::testing::Builder;

    fn block(change: impl FnOnce(&mut Block)) -> Block {
        let archive = Builder::new().file("Dockerfile", "FROM a").bytes();
        let mut block: Block = archive[..BLOCK_BYTES].try_into().unwrap();
        change(&mut block);
        block[CHECKSUM].fill(b' ');
        let sum: u64 = block.iter().map(|&byte| u64::from(byte)).sum();
        block[CHECKSUM].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        block
    }

    fn name(block: &Block) -> Option<String> {
        let header = Header::parse(block)?;
        Some(format!("{}|{}", header.prefix.escape_ascii(), header.name.escape_ascii()))
    }

    #[test]
    fn numbers_are_octal_or_base_256() {
        for (field, expected) in [
            (&b"0000644\0"[..], Some(0o644)),
            (b"   644 \0", Some(0o644)),
            (b"\0\0\0\0\0\0\0\0", Some(0)),
            (b"        ", Some(0)),
            (b"\0 644\0\0\0", Some(0o644)),
            (b"644\x009\0\0\0", Some(0o644)),
            (b"77777777", Some(0o77_777_777)),
            (b"0000648\0", None),
            (b"+000644\0", None),
            (b"-000644\0", None),
            (b"0x1a4\0\0\0", None),
            (b"64 4\0\0\0\0", None),
            (b"\x80\0\0\0\0\0\x01\xff", Some(0x1ff)),
            (b"\xff\xff\xff\xff\xff\xff\xff\xff", Some(-1)),
            (b"\xc0\0\0\0\0\0\0\0", Some(-(1 << 62))),
            (b"\xbf\xff\xff\xff\xff\xff\xff\xff", Some((1 << 62) - 1)),
            (b"\x80\0\0\0\x80\0\0\0\0\0\0\0", None),
            (b"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff", Some(i64::MAX)),
            (b"\xff\xff\xff\xff\x80\0\0\0\0\0\0\0", Some(i64::MIN)),
            (b"\xff\xff\xff\xff\x7f\xff\xff\xff\xff\xff\xff\xff", None),
        ] {
            assert_eq!(number(field), expected, "{}", field.escape_ascii());
        }
    }

    #[test]
    fn checksums_are_verified() {
        let good = block(|_| {});
        assert!(Header::parse(&good).is_some());
        for at in [0, 99, 100, 124, 148, 156, 257, 500, 511] {
            let mut bad = good;
            bad[at] ^= 1;
            assert_eq!(Header::parse(&bad), None, "{at}");
        }
        // The signed sum of a name outside ASCII.
        let mut signed = block(|block| block[0] = 0xe4);
        signed[CHECKSUM].fill(b' ');
        let sum: i64 = signed.iter().map(|&byte| i64::from(byte.cast_signed())).sum();
        signed[CHECKSUM].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        assert!(Header::parse(&signed).is_some());
        assert_eq!(Header::parse(&[0xff; BLOCK_BYTES]), None);
    }

    #[test]
    fn a_size_is_not_negative() {
        let size = |field: &[u8; 12]| {
            Header::parse(&block(|block| block[124..136].copy_from_slice(field))).map(|header| header.size)
        };
        assert_eq!(size(b"00000000012\0"), Some(10));
        assert_eq!(size(b"\x80\0\0\0\0\0\0\x02\0\0\0\0"), Some(1 << 33));
        assert_eq!(size(&[0xff; 12]), None);
        assert_eq!(size(b"-0000000012\0"), None);
    }

    #[test]
    fn only_ustar_has_a_prefix() {
        let with = |magic: &[u8; 8], trailer: &[u8; 4]| {
            name(&block(|block| {
                block[257..265].copy_from_slice(magic);
                block[345..351].copy_from_slice(b"9times");
                block[508..512].copy_from_slice(trailer);
            }))
        };
        assert_eq!(with(b"ustar\x0000", &[0; 4]).as_deref(), Some("9times|Dockerfile"));
        assert_eq!(with(b"ustar\0  ", &[0; 4]).as_deref(), Some("9times|Dockerfile"));
        assert_eq!(with(b"ustar\x0000", b"tar\0").as_deref(), Some("9times|Dockerfile"));
        assert_eq!(with(b"\0\0\0\0\0\0\0\0", &[0; 4]).as_deref(), Some("|Dockerfile"));
        assert_eq!(with(b"ustar   ", &[0; 4]).as_deref(), Some("|Dockerfile"));
        // A time that is no number, which some readers take for a prefix.
        assert_eq!(with(b"ustar  \0", &[0; 4]), None);
        let gnu = block(|block| {
            block[257..265].copy_from_slice(b"ustar  \0");
            block[345..357].copy_from_slice(b"14700000000\0");
        });
        assert_eq!(name(&gnu).as_deref(), Some("|Dockerfile"));
    }

    #[test]
    fn names_end_at_nul_or_with_the_field() {
        assert_eq!(name(&block(|block| block[..100].fill(b'x'))).unwrap().len(), 101);
        assert_eq!(name(&block(|block| block[10..20].fill(b'x'))).as_deref(), Some("|Dockerfilexxxxxxxxxx"));
        assert_eq!(name(&block(|block| block[4] = 0)).as_deref(), Some("|Dock"));
    }
}
