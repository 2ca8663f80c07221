//! Request ids (spec 70 §4.1), and bytes as lower-case hexadecimal digits.
//!
//! Owns the form of an id. Randomness comes from the caller.

/// Digits of a request id.
pub const REQUEST_ID_BYTES: usize = 32;

/// The proxy's own id of one request: 16 bytes as 32 lower-case hexadecimal digits. A caller's id never becomes one.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RequestId([u8; REQUEST_ID_BYTES]);

impl RequestId {
    /// The id made of 16 random bytes.
    #[must_use]
    pub fn from_random(random: [u8; 16]) -> RequestId {
        let mut digits = [0; REQUEST_ID_BYTES];
        write_hex(&mut digits, &random);
        RequestId(digits)
    }

    /// The id of a host without randomness: unique as long as the clock or the counter moves, though not unguessable.
    #[must_use]
    pub fn from_clock(unix_nanoseconds: u64, counter: u64) -> RequestId {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&unix_nanoseconds.to_be_bytes());
        bytes[8..].copy_from_slice(&counter.to_be_bytes());
        RequestId::from_random(bytes)
    }

    /// The 32 digits.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; REQUEST_ID_BYTES] {
        &self.0
    }

    /// The 32 digits as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Only ever digits, so the fallback is never taken.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl Default for RequestId {
    /// All zeros: the place-holder of a request that has not begun.
    fn default() -> Self {
        RequestId([b'0'; REQUEST_ID_BYTES])
    }
}

impl std::fmt::Debug for RequestId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Writes two lower-case digits a byte; `digits` has room for exactly those.
pub(super) fn write_hex(digits: &mut [u8], bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (pair, byte) in digits.chunks_exact_mut(2).zip(bytes) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 0xf)];
    }
}

/// Whether all bytes are lower-case hexadecimal digits.
pub(super) fn is_lower_hex(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_32_lower_case_digits() {
        let id = RequestId::from_random([0, 1, 0x0f, 0xf0, 0xff, 0xab, 6, 7, 8, 9, 10, 11, 12, 13, 14, 0x9c]);
        assert_eq!(id.as_str(), "00010ff0ffab060708090a0b0c0d0e9c");
        assert_eq!(RequestId::default().as_str(), "0".repeat(32));
    }

    #[test]
    fn ids_without_randomness_hold_clock_and_counter() {
        let id = RequestId::from_clock(0x0102_0304_0506_0708, 0xfffe);
        assert_eq!(id.as_str(), "0102030405060708000000000000fffe");
        assert_ne!(id, RequestId::from_clock(0x0102_0304_0506_0708, 0xffff));
    }
}
