//! PEM and the little of DER that the checks need: is this a public key that signatures can be checked with?
//!
//! Owns the shape only. Whoever verifies a signature or serves TLS parses the key again with its own library.

/// One block of a PEM text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Block<'text> {
    /// What the block says it is.
    pub(super) label: &'text str,
    /// Its content.
    pub(super) der: Vec<u8>,
}

/// The well-formed blocks of a text; others are left out.
pub(super) fn blocks(text: &str) -> Vec<Block<'_>> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((label, after)) = next_boundary(rest, "-----BEGIN ") {
        let Some((base64, after)) = after.split_once("-----END ") else { break };
        let Some((end_label, after)) = after.split_once("-----") else { break };
        if end_label == label
            && let Some(der) = decode_base64(base64)
        {
            found.push(Block { label, der });
        }
        rest = after;
    }
    found
}

fn next_boundary<'text>(text: &'text str, begin: &str) -> Option<(&'text str, &'text str)> {
    text.split_once(begin)?.1.split_once("-----")
}

/// Base64 with line breaks and padding.
fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let padding = digits.iter().rev().take_while(|byte| **byte == b'=').count();
    if digits.is_empty() || !digits.len().is_multiple_of(4) || padding > 2 {
        return None;
    }
    let mut bytes = Vec::with_capacity(digits.len() / 4 * 3);
    for group in digits.chunks_exact(4) {
        let mut value: u32 = 0;
        for byte in group {
            value = (value << 6) | sextet(*byte)?;
        }
        bytes.extend_from_slice(value.to_be_bytes().get(1..)?);
    }
    // Padding inside the text decodes as zero bits here; it is refused by the length that DER states.
    bytes.truncate(bytes.len() - padding);
    Some(bytes)
}

fn sextet(byte: u8) -> Option<u32> {
    let value = match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        b'=' => 0,
        _ => return None,
    };
    Some(value.into())
}

/// DER tags.
const SEQUENCE: u8 = 0x30;
const OBJECT_IDENTIFIER: u8 = 0x06;
const BIT_STRING: u8 = 0x03;

/// Algorithms of accepted public keys: RSA, ECDSA, ed25519.
const KEY_ALGORITHMS: [&[u8]; 3] = [
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01],
    &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01],
    &[0x2b, 0x65, 0x70],
];

/// Whether the bytes are exactly one SEQUENCE, as every certificate and key is.
pub(super) fn is_sequence(der: &[u8]) -> bool {
    element(der, SEQUENCE).is_some_and(|(content, rest)| !content.is_empty() && rest.is_empty())
}

/// Whether a text is one PEM public key (SubjectPublicKeyInfo) of an accepted algorithm.
pub(super) fn is_public_key(text: &str) -> bool {
    match blocks(text).as_slice() {
        [only] if only.label == "PUBLIC KEY" => is_accepted_key(&only.der).is_some(),
        _ => false,
    }
}

fn is_accepted_key(der: &[u8]) -> Option<()> {
    let (info, after_info) = element(der, SEQUENCE)?;
    let (algorithm, key) = element(info, SEQUENCE)?;
    let (identifier, _) = element(algorithm, OBJECT_IDENTIFIER)?;
    let (bits, after_bits) = element(key, BIT_STRING)?;
    let is_whole = after_info.is_empty() && after_bits.is_empty() && bits.len() > 1;
    (is_whole && KEY_ALGORITHMS.contains(&identifier)).then_some(())
}

/// Content of the element at the start, which must have this tag, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (first, rest) = der.split_first()?;
    let (length, rest) = rest.split_first()?;
    let (length, rest) = match length {
        0x00..=0x7f => (usize::from(*length), rest),
        0x81 => (usize::from(*rest.first()?), rest.get(1..)?),
        0x82 => (usize::from(u16::from_be_bytes([*rest.first()?, *rest.get(1)?])), rest.get(2..)?),
        _ => return None,
    };
    (*first == tag).then_some((rest.get(..length)?, rest.get(length..)?))
}

#[cfg(test)]
mod tests {
    use super::{blocks, decode_base64, is_public_key, is_sequence};

    const ECDSA: &str = "-----BEGIN PUBLIC KEY-----\n\
        MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEAaKiIuuiFvC+kb7UuHbZuvfUcBEc\n\
        FKjDE30zCwCq0kYYdQA3FBeDx/9YochrBz5Tw8Tt2oWQkvVjzqp0VLydLQ==\n\
        -----END PUBLIC KEY-----\n";

    #[test]
    fn base64() {
        for (text, bytes) in [("QQ==", &b"A"[..]), ("QUI=", b"AB"), ("QU\nJD", b"ABC"), ("+/+/", &[0xfb, 0xff, 0xbf])] {
            assert_eq!(decode_base64(text).as_deref(), Some(bytes), "{text:?}");
        }
        for text in ["", "Q", "QQ=", "Q===", "Q*==", "QQ==QQ"] {
            assert_eq!(decode_base64(text), None, "{text:?}");
        }
    }

    #[test]
    fn public_keys() {
        let ed25519 = "-----BEGIN PUBLIC KEY-----\n\
            MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n\
            -----END PUBLIC KEY-----";
        assert!(is_public_key(ECDSA) && is_public_key(ed25519));
        assert!(is_public_key(&format!("comment\n{ECDSA}trailer\n")));
        for wrong in [
            "",
            "not a key",
            "-----BEGIN PUBLIC KEY-----",
            "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----",
            "-----BEGIN PUBLIC KEY-----\nTm90IGEga2V5\n-----END PUBLIC KEY-----",
            &ECDSA.replace("PUBLIC KEY", "CERTIFICATE"),
            &ECDSA.replace("-----END PUBLIC", "-----END OTHER"),
            &ECDSA.replace("LQ==", ""),
            &format!("{ECDSA}{ECDSA}"),
            // The algorithm is X25519, which signs nothing.
            &ed25519.replace("K2Vw", "K2Vu"),
        ] {
            assert!(!is_public_key(wrong), "{wrong}");
        }
    }

    #[test]
    fn several_blocks_are_found() {
        let text = ECDSA.replace("PUBLIC KEY", "CERTIFICATE");
        let text = format!("{text}junk\n-----BEGIN X-----\n!!\n-----END X-----\n{text}");
        let found = blocks(&text);
        assert_eq!(found.iter().map(|block| block.label).collect::<Vec<_>>(), ["CERTIFICATE", "CERTIFICATE"]);
        assert!(found.iter().all(|block| is_sequence(&block.der)));
        assert!(!is_sequence(&[]) && !is_sequence(&[0x30, 0]) && !is_sequence(&[0x30, 1, 0, 0]));
    }
}
