//! Sixty-four bytes at a time: which of them are quotes, backslashes, operators, white space, control bytes.
//!
//! Owns the vector instructions, and with them every `unsafe` block of the pure half. It gives bit masks and no
//! meaning: strings, escapes and grammar are the token scanner's.

/// Bytes that are classified together; bit `i` of a mask speaks of byte `i`.
pub(crate) const BLOCK_BYTES: usize = 64;

/// The classes of one block.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Masks {
    /// `\`
    pub(crate) backslash: u64,
    /// `"`
    pub(crate) quote: u64,
    /// `{ } [ ] : ,`
    pub(crate) operator: u64,
    /// Space, tab, line feed, carriage return.
    pub(crate) whitespace: u64,
    /// Below 0x20; not allowed inside a string.
    pub(crate) control: u64,
    /// 0x80 and above.
    pub(crate) non_ascii: u64,
}

/// Classifies `blocks[i]` into `masks[i]`, for as many as both have.
pub(crate) fn classify(blocks: &[[u8; BLOCK_BYTES]], masks: &mut [Masks]) {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2, which is all that the function asks for.
        return unsafe { avx2::classify(blocks, masks) };
    }
    portable(blocks, masks);
}

/// Appends the place of each set bit: bit `i` of `marks[n]` stands for `first + 64 * n + i`. Returns how many there
/// are.
///
/// Writes whole strides and counts afterwards, a branch per stride instead of one per bit: `places` needs room for
/// [`STRIDE`] more than that.
pub(crate) fn places(marks: &[u64], first: u32, places: &mut [u32]) -> usize {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("bmi1") && std::arch::is_x86_feature_detected!("popcnt") {
        // SAFETY: the processor has BMI1 and POPCNT, which is all that the function asks for.
        return unsafe { bits::places(marks, first, places) };
    }
    portable_places(marks, first, places)
}

/// How many places are written at a time.
pub(crate) const STRIDE: usize = 8;

#[inline(always)]
fn portable_places(marks: &[u64], first: u32, places: &mut [u32]) -> usize {
    let mut filled = 0;
    let mut base = first;
    for mark in marks {
        let mut bits = *mark;
        let count = bits.count_ones() as usize;
        let mut written = 0;
        while written < count {
            let start = filled + written;
            let Some(stride) = places.get_mut(start..start + STRIDE) else { return filled };
            for place in stride {
                *place = base.wrapping_add(bits.trailing_zeros());
                bits &= bits.wrapping_sub(1);
            }
            written += STRIDE;
        }
        filled += count;
        base = base.wrapping_add(BLOCK_BYTES as u32);
    }
    filled
}

#[cfg(target_arch = "x86_64")]
mod bits {
    /// The same code with the instructions that find and clear the lowest bit, and count bits.
    #[target_feature(enable = "bmi1,popcnt")]
    pub(super) fn places(marks: &[u64], first: u32, places: &mut [u32]) -> usize {
        super::portable_places(marks, first, places)
    }
}

/// The same on any processor, a byte at a time through a table.
fn portable(blocks: &[[u8; BLOCK_BYTES]], masks: &mut [Masks]) {
    for (block, out) in blocks.iter().zip(masks) {
        *out = Masks::default();
        for (bit, byte) in block.iter().enumerate() {
            let classes = u64::from(CLASSES[usize::from(*byte)]);
            out.backslash |= (classes & 1) << bit;
            out.quote |= (classes >> 1 & 1) << bit;
            out.operator |= (classes >> 2 & 1) << bit;
            out.whitespace |= (classes >> 3 & 1) << bit;
            out.control |= (classes >> 4 & 1) << bit;
            out.non_ascii |= (classes >> 5 & 1) << bit;
        }
    }
}

/// One bit per class, in the order of the fields of [`Masks`].
static CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = match byte as u8 {
            b'\\' => 1,
            b'"' => 1 << 1,
            b'{' | b'}' | b'[' | b']' | b':' | b',' => 1 << 2,
            b' ' => 1 << 3,
            b'\t' | b'\n' | b'\r' => 1 << 3 | 1 << 4,
            0..0x20 => 1 << 4,
            0x80.. => 1 << 5,
            _ => 0,
        };
        byte += 1;
    }
    classes
};

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::{
        __m256i, _mm256_cmpeq_epi8, _mm256_loadu_si256, _mm256_min_epu8, _mm256_movemask_epi8, _mm256_or_si256,
        _mm256_set1_epi8, _mm256_setr_epi8, _mm256_shuffle_epi8,
    };

    use super::{BLOCK_BYTES, Masks};

    #[target_feature(enable = "avx2")]
    pub(super) fn classify(blocks: &[[u8; BLOCK_BYTES]], masks: &mut [Masks]) {
        for (block, out) in blocks.iter().zip(masks) {
            let (low, high) = load(block);
            let control = join(control(low), control(high));
            *out = Masks {
                backslash: join(equal(low, b'\\'), equal(high, b'\\')),
                quote: join(equal(low, b'"'), equal(high, b'"')),
                operator: join(operator(low), operator(high)) & !control,
                whitespace: join(whitespace(low), whitespace(high)),
                control,
                non_ascii: join(low, high),
            };
        }
    }

    #[target_feature(enable = "avx2")]
    fn load(block: &[u8; BLOCK_BYTES]) -> (__m256i, __m256i) {
        let start = block.as_ptr().cast::<__m256i>();
        // SAFETY: the block is 64 readable bytes, two vectors long, and the load asks for no alignment.
        unsafe { (_mm256_loadu_si256(start), _mm256_loadu_si256(start.add(1))) }
    }

    #[target_feature(enable = "avx2")]
    fn equal(bytes: __m256i, byte: u8) -> __m256i {
        _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(byte as i8))
    }

    /// Looks each byte up by its low nibble (a byte above 0x7f finds zero) and keeps those that find themselves.
    /// Setting bit 5 folds `[` and `]` onto `{` and `}`. It also folds the control bytes 0x1a and 0x0c onto `:` and
    /// `,`: the caller masks control bytes out.
    #[target_feature(enable = "avx2")]
    fn operator(bytes: __m256i) -> __m256i {
        #[rustfmt::skip]
        let table = _mm256_setr_epi8(
            0, 0, 0, 0, 0, 0, 0, 0, 0, 0, b':' as i8, b'{' as i8, b',' as i8, b'}' as i8, 0, 0,
            0, 0, 0, 0, 0, 0, 0, 0, 0, 0, b':' as i8, b'{' as i8, b',' as i8, b'}' as i8, 0, 0,
        );
        let folded = _mm256_or_si256(bytes, _mm256_set1_epi8(0x20));
        _mm256_cmpeq_epi8(_mm256_shuffle_epi8(table, bytes), folded)
    }

    /// As above. Empty places hold a byte whose low nibble is another one, so that nothing finds itself there.
    #[target_feature(enable = "avx2")]
    fn whitespace(bytes: __m256i) -> __m256i {
        #[rustfmt::skip]
        let table = _mm256_setr_epi8(
            b' ' as i8, 0, 0, 0, 0, 0, 0, 0, 0, b'\t' as i8, b'\n' as i8, 0, 0, b'\r' as i8, 0, 0,
            b' ' as i8, 0, 0, 0, 0, 0, 0, 0, 0, b'\t' as i8, b'\n' as i8, 0, 0, b'\r' as i8, 0, 0,
        );
        _mm256_cmpeq_epi8(_mm256_shuffle_epi8(table, bytes), bytes)
    }

    #[target_feature(enable = "avx2")]
    fn control(bytes: __m256i) -> __m256i {
        _mm256_cmpeq_epi8(_mm256_min_epu8(bytes, _mm256_set1_epi8(0x1f)), bytes)
    }

    #[target_feature(enable = "avx2")]
    fn join(low: __m256i, high: __m256i) -> u64 {
        let low = _mm256_movemask_epi8(low) as u32;
        let high = _mm256_movemask_epi8(high) as u32;
        u64::from(low) | u64::from(high) << 32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_those_of_the_set_bits() {
        let marks = [0, 1, u64::MAX, 1 << 63, 0x8000_0000_0001_0001, 0];
        let expected: Vec<u32> =
            (0..64 * marks.len()).filter(|n| marks[n / 64] >> (n % 64) & 1 == 1).map(|n| 1000 + n as u32).collect();
        for find in [places, portable_places] {
            let mut found = [0; 64 * 6 + STRIDE];
            let count = find(&marks, 1000, &mut found);
            assert_eq!(found[..count], expected);
        }
    }

    /// Every byte value at every position of a block, so that a wrong lane or a wrong table entry shows.
    #[test]
    fn each_byte_has_its_class_at_each_position() {
        for byte in 0..=u8::MAX {
            for position in 0..BLOCK_BYTES {
                let mut block = [b'x'; BLOCK_BYTES];
                block[position] = byte;
                let mut slow = [Masks::default()];
                let mut fast = [Masks::default()];
                portable(&[block], &mut slow);
                classify(&[block], &mut fast);
                assert_eq!(slow, fast, "byte {byte:#x} at {position}");
                let is = |set: bool| u64::from(set) << position;
                let expected = Masks {
                    backslash: is(byte == b'\\'),
                    quote: is(byte == b'"'),
                    operator: is(b"{}[]:,".contains(&byte)),
                    whitespace: is(b" \t\r\n".contains(&byte)),
                    control: is(byte < 0x20),
                    non_ascii: is(byte >= 0x80),
                };
                assert_eq!(slow, [expected], "byte {byte:#x} at {position}");
            }
        }
    }
}
