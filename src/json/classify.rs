//! Sixty-four bytes at a time: which of them are quotes, backslashes, operators, white space, control bytes.
//!
//! Owns the vector instructions, and with them every `unsafe` block of the pure half. It gives bit masks, and the places
//! of their bits, and no meaning: strings, escapes and grammar are the token scanner's. The scanner is written once, over
//! [`Vectors`], and [`run`] compiles it for each set of instructions that a processor may have.

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

/// What a set of instructions does for the scanner. All sets give the same answers.
pub(crate) trait Vectors: Copy {
    /// Classifies a block.
    fn masks(self, block: &[u8; BLOCK_BYTES]) -> Masks;

    /// Bit `i` of the result is the parity of bits `0..=i`.
    fn prefix_xor(self, bits: u64) -> u64;

    /// Writes for each set bit of `starts`, in order, its place (`first` and the bit's number) and the byte of the block
    /// there. What stands behind the last of them in `places` and `bytes` is anything.
    fn compress(
        self,
        block: &[u8; BLOCK_BYTES],
        starts: u64,
        first: u32,
        places: &mut [u32; BLOCK_BYTES],
        bytes: &mut [u8; BLOCK_BYTES],
    );
}

/// Work that is written once and compiled for each set of instructions; `run` has to be `#[inline(always)]`.
pub(crate) trait Task {
    /// What comes of it.
    type Output;

    /// Does the work with the instructions of `vectors`.
    fn run<V: Vectors>(self, vectors: V) -> Self::Output;
}

/// Does `task` with the best instructions that this processor has.
pub(crate) fn run<T: Task>(task: T) -> T::Output {
    #[cfg(target_arch = "x86_64")]
    {
        if avx512::is_available() {
            // SAFETY: the processor has all that the function asks for.
            return unsafe { avx512::run(task) };
        }
        if avx2::is_available() {
            // SAFETY: as above.
            return unsafe { avx2::run(task) };
        }
    }
    task.run(Portable)
}

/// Any processor.
#[derive(Clone, Copy)]
struct Portable;

impl Vectors for Portable {
    /// A byte at a time through a table.
    #[inline]
    fn masks(self, block: &[u8; BLOCK_BYTES]) -> Masks {
        let mut masks = Masks::default();
        for (bit, byte) in block.iter().enumerate() {
            let classes = u64::from(CLASSES[usize::from(*byte)]);
            masks.backslash |= (classes & 1) << bit;
            masks.quote |= (classes >> 1 & 1) << bit;
            masks.operator |= (classes >> 2 & 1) << bit;
            masks.whitespace |= (classes >> 3 & 1) << bit;
            masks.control |= (classes >> 4 & 1) << bit;
            masks.non_ascii |= (classes >> 5 & 1) << bit;
        }
        masks
    }

    #[inline]
    fn prefix_xor(self, mut bits: u64) -> u64 {
        bits ^= bits << 1;
        bits ^= bits << 2;
        bits ^= bits << 4;
        bits ^= bits << 8;
        bits ^= bits << 16;
        bits ^ bits << 32
    }

    #[inline]
    fn compress(
        self,
        block: &[u8; BLOCK_BYTES],
        starts: u64,
        first: u32,
        places: &mut [u32; BLOCK_BYTES],
        bytes: &mut [u8; BLOCK_BYTES],
    ) {
        compress_in_strides(block, starts, first, places, bytes);
    }
}

/// Writes whole strides: a branch for each of them instead of one for each bit.
#[inline(always)]
fn compress_in_strides(
    block: &[u8; BLOCK_BYTES],
    starts: u64,
    first: u32,
    places: &mut [u32; BLOCK_BYTES],
    bytes: &mut [u8; BLOCK_BYTES],
) {
    const STRIDE: usize = 4;
    let mut left = starts;
    let (places, _) = places.as_chunks_mut::<STRIDE>();
    let (bytes, _) = bytes.as_chunks_mut::<STRIDE>();
    for (places, bytes) in places.iter_mut().zip(bytes) {
        if left == 0 {
            return;
        }
        for (place, byte) in places.iter_mut().zip(bytes) {
            let bit = left.trailing_zeros();
            *place = first.wrapping_add(bit);
            *byte = block[bit as usize % BLOCK_BYTES];
            left &= left.wrapping_sub(1);
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

/// The instructions of processors since 2013.
#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::{
        __m256i, _mm_clmulepi64_si128, _mm_cvtsi128_si64, _mm_set_epi64x, _mm_set1_epi8, _mm256_cmpeq_epi8,
        _mm256_loadu_si256, _mm256_min_epu8, _mm256_movemask_epi8, _mm256_or_si256, _mm256_set1_epi8, _mm256_setr_epi8,
        _mm256_shuffle_epi8,
    };

    use super::{BLOCK_BYTES, Masks, Task, Vectors, compress_in_strides};

    /// Exists only inside [`run`], and so only on a processor that has the instructions.
    #[derive(Clone, Copy)]
    pub(super) struct Avx2(());

    pub(super) fn is_available() -> bool {
        use std::arch::is_x86_feature_detected as has;
        has!("avx2") && has!("bmi1") && has!("pclmulqdq") && has!("popcnt")
    }

    #[target_feature(enable = "avx2,bmi1,pclmulqdq,popcnt")]
    pub(super) fn run<T: Task>(task: T) -> T::Output {
        task.run(Avx2(()))
    }

    impl Vectors for Avx2 {
        #[inline(always)]
        fn masks(self, block: &[u8; BLOCK_BYTES]) -> Masks {
            // SAFETY: the processor has AVX2, or there were no `self`.
            unsafe { masks(block) }
        }

        #[inline(always)]
        fn prefix_xor(self, bits: u64) -> u64 {
            // SAFETY: the processor has the instruction, or there were no `self`.
            unsafe { prefix_xor(bits) }
        }

        #[inline(always)]
        fn compress(
            self,
            block: &[u8; BLOCK_BYTES],
            starts: u64,
            first: u32,
            places: &mut [u32; BLOCK_BYTES],
            bytes: &mut [u8; BLOCK_BYTES],
        ) {
            compress_in_strides(block, starts, first, places, bytes);
        }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn masks(block: &[u8; BLOCK_BYTES]) -> Masks {
        let (low, high) = load(block);
        let control = join(control(low), control(high));
        Masks {
            backslash: join(equal(low, b'\\'), equal(high, b'\\')),
            quote: join(equal(low, b'"'), equal(high, b'"')),
            operator: join(operator(low), operator(high)) & !control,
            whitespace: join(whitespace(low), whitespace(high)),
            control,
            non_ascii: join(low, high),
        }
    }

    /// Multiplication without carries by all ones.
    #[inline]
    #[target_feature(enable = "pclmulqdq")]
    pub(super) fn prefix_xor(bits: u64) -> u64 {
        let product = _mm_clmulepi64_si128::<0>(_mm_set_epi64x(0, bits as i64), _mm_set1_epi8(-1));
        _mm_cvtsi128_si64(product) as u64
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn load(block: &[u8; BLOCK_BYTES]) -> (__m256i, __m256i) {
        let start = block.as_ptr().cast::<__m256i>();
        // SAFETY: the block is 64 readable bytes, two vectors long, and the load asks for no alignment.
        unsafe { (_mm256_loadu_si256(start), _mm256_loadu_si256(start.add(1))) }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn equal(bytes: __m256i, byte: u8) -> __m256i {
        _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(byte as i8))
    }

    /// Looks each byte up by its low nibble (a byte above 0x7f finds zero) and keeps those that find themselves.
    /// Setting bit 5 folds `[` and `]` onto `{` and `}`. It also folds the control bytes 0x1a and 0x0c onto `:` and
    /// `,`: the caller masks control bytes out.
    #[inline]
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
    #[inline]
    #[target_feature(enable = "avx2")]
    fn whitespace(bytes: __m256i) -> __m256i {
        #[rustfmt::skip]
        let table = _mm256_setr_epi8(
            b' ' as i8, 0, 0, 0, 0, 0, 0, 0, 0, b'\t' as i8, b'\n' as i8, 0, 0, b'\r' as i8, 0, 0,
            b' ' as i8, 0, 0, 0, 0, 0, 0, 0, 0, b'\t' as i8, b'\n' as i8, 0, 0, b'\r' as i8, 0, 0,
        );
        _mm256_cmpeq_epi8(_mm256_shuffle_epi8(table, bytes), bytes)
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn control(bytes: __m256i) -> __m256i {
        _mm256_cmpeq_epi8(_mm256_min_epu8(bytes, _mm256_set1_epi8(0x1f)), bytes)
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn join(low: __m256i, high: __m256i) -> u64 {
        let low = _mm256_movemask_epi8(low) as u32;
        let high = _mm256_movemask_epi8(high) as u32;
        u64::from(low) | u64::from(high) << 32
    }
}

/// The instructions of processors since 2019 (Ice Lake) and 2022 (Zen 4).
#[cfg(target_arch = "x86_64")]
mod avx512 {
    use std::arch::x86_64::{
        __m512i, _mm_setr_epi8, _mm512_add_epi32, _mm512_broadcast_i32x4, _mm512_castsi512_si128,
        _mm512_cmpeq_epi8_mask, _mm512_cmplt_epu8_mask, _mm512_cvtepu8_epi32, _mm512_extracti32x4_epi32,
        _mm512_loadu_si512, _mm512_maskz_compress_epi8, _mm512_movepi8_mask, _mm512_or_si512, _mm512_set1_epi8,
        _mm512_set1_epi32, _mm512_shuffle_epi8, _mm512_storeu_si512,
    };

    use super::{BLOCK_BYTES, Masks, Task, Vectors, avx2};

    /// Exists only inside [`run`], and so only on a processor that has the instructions.
    #[derive(Clone, Copy)]
    pub(super) struct Avx512(());

    pub(super) fn is_available() -> bool {
        use std::arch::is_x86_feature_detected as has;
        avx2::is_available() && has!("avx512f") && has!("avx512bw") && has!("avx512vbmi2")
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi2,avx2,bmi1,pclmulqdq,popcnt")]
    pub(super) fn run<T: Task>(task: T) -> T::Output {
        task.run(Avx512(()))
    }

    impl Vectors for Avx512 {
        #[inline(always)]
        fn masks(self, block: &[u8; BLOCK_BYTES]) -> Masks {
            // SAFETY: the processor has AVX-512BW, or there were no `self`.
            unsafe { masks(block) }
        }

        #[inline(always)]
        fn prefix_xor(self, bits: u64) -> u64 {
            // SAFETY: the processor has the instruction, or there were no `self`.
            unsafe { avx2::prefix_xor(bits) }
        }

        #[inline(always)]
        fn compress(
            self,
            block: &[u8; BLOCK_BYTES],
            starts: u64,
            first: u32,
            places: &mut [u32; BLOCK_BYTES],
            bytes: &mut [u8; BLOCK_BYTES],
        ) {
            // SAFETY: the processor has AVX-512BW and VBMI2, or there were no `self`.
            unsafe { compress(block, starts, first, places, bytes) }
        }
    }

    /// The comparisons are those of the AVX2 code.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    fn masks(block: &[u8; BLOCK_BYTES]) -> Masks {
        let bytes = load(block);
        #[rustfmt::skip]
        let operators = _mm512_broadcast_i32x4(_mm_setr_epi8(
            0, 0, 0, 0, 0, 0, 0, 0, 0, 0, b':' as i8, b'{' as i8, b',' as i8, b'}' as i8, 0, 0,
        ));
        #[rustfmt::skip]
        let blanks = _mm512_broadcast_i32x4(_mm_setr_epi8(
            b' ' as i8, 0, 0, 0, 0, 0, 0, 0, 0, b'\t' as i8, b'\n' as i8, 0, 0, b'\r' as i8, 0, 0,
        ));
        let control = _mm512_cmplt_epu8_mask(bytes, _mm512_set1_epi8(0x20));
        let folded = _mm512_or_si512(bytes, _mm512_set1_epi8(0x20));
        Masks {
            backslash: _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(b'\\' as i8)),
            quote: _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(b'"' as i8)),
            operator: _mm512_cmpeq_epi8_mask(_mm512_shuffle_epi8(operators, bytes), folded) & !control,
            whitespace: _mm512_cmpeq_epi8_mask(_mm512_shuffle_epi8(blanks, bytes), bytes),
            control,
            non_ascii: _mm512_movepi8_mask(bytes),
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi2")]
    fn compress(
        block: &[u8; BLOCK_BYTES],
        starts: u64,
        first: u32,
        places: &mut [u32; BLOCK_BYTES],
        bytes: &mut [u8; BLOCK_BYTES],
    ) {
        const NUMBERS: [u8; BLOCK_BYTES] = {
            let mut numbers = [0; BLOCK_BYTES];
            let mut number = 0;
            while number < BLOCK_BYTES {
                numbers[number] = number as u8;
                number += 1;
            }
            numbers
        };
        // SAFETY: 64 bytes can be written there.
        unsafe { _mm512_storeu_si512(bytes.as_mut_ptr().cast(), _mm512_maskz_compress_epi8(starts, load(block))) };
        let bits = _mm512_maskz_compress_epi8(starts, load(&NUMBERS));
        let first = _mm512_set1_epi32(first as i32);
        let (places, _) = places.as_chunks_mut::<16>();
        let [one, two, three, four] = places else { return };
        let count = starts.count_ones();
        store(one, _mm512_add_epi32(first, _mm512_cvtepu8_epi32(_mm512_castsi512_si128(bits))));
        store(two, _mm512_add_epi32(first, _mm512_cvtepu8_epi32(_mm512_extracti32x4_epi32::<1>(bits))));
        if count > 32 {
            store(three, _mm512_add_epi32(first, _mm512_cvtepu8_epi32(_mm512_extracti32x4_epi32::<2>(bits))));
            store(four, _mm512_add_epi32(first, _mm512_cvtepu8_epi32(_mm512_extracti32x4_epi32::<3>(bits))));
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn load(block: &[u8; BLOCK_BYTES]) -> __m512i {
        // SAFETY: the block is 64 readable bytes, and the load asks for no alignment.
        unsafe { _mm512_loadu_si512(block.as_ptr().cast()) }
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn store(places: &mut [u32; 16], values: __m512i) {
        // SAFETY: the places are 64 writable bytes, and the store asks for no alignment.
        unsafe { _mm512_storeu_si512(places.as_mut_ptr().cast(), values) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a set of instructions makes of one block, with `starts` as the bits to find.
    #[derive(PartialEq, Debug)]
    struct Seen {
        masks: Masks,
        parity: u64,
        found: Vec<(u32, u8)>,
    }

    #[derive(Clone, Copy)]
    struct Look<'b> {
        block: &'b [u8; BLOCK_BYTES],
        starts: u64,
    }

    impl Task for Look<'_> {
        type Output = Seen;

        #[inline(always)]
        fn run<V: Vectors>(self, vectors: V) -> Seen {
            let (mut places, mut bytes) = ([0; BLOCK_BYTES], [0; BLOCK_BYTES]);
            vectors.compress(self.block, self.starts, 1000, &mut places, &mut bytes);
            let found = places.into_iter().zip(bytes).take(self.starts.count_ones() as usize).collect();
            Seen { masks: vectors.masks(self.block), parity: vectors.prefix_xor(self.starts), found }
        }
    }

    /// With each set of instructions that this processor has.
    fn look(block: &[u8; BLOCK_BYTES], starts: u64) -> Vec<Seen> {
        let look = Look { block, starts };
        let mut seen = vec![look.run(Portable), run(look)];
        #[cfg(target_arch = "x86_64")]
        if avx2::is_available() {
            // SAFETY: the processor has all that the function asks for.
            seen.push(unsafe { avx2::run(look) });
        }
        seen
    }

    #[test]
    fn set_bits_are_found_with_their_bytes() {
        let block = std::array::from_fn(|n| n as u8 + 100);
        let mut all = vec![0, 1, u64::MAX, 1 << 63, 0x8000_0000_0001_0001, 0xffff, 0x1_ffff, 0xffff_ffff, !1, !0 >> 1];
        let mut state = 0x9e37_79b9_7f4a_7c15u64;
        for _ in 0..1000 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            all.extend([state, state & state.rotate_left(21), state & state.rotate_left(9) & state.rotate_left(40)]);
        }
        for starts in all {
            let bits: Vec<u32> = (0..64).filter(|bit| starts >> bit & 1 == 1).collect();
            let found: Vec<(u32, u8)> = bits.iter().map(|bit| (1000 + bit, *bit as u8 + 100)).collect();
            let parity =
                (0..64).fold(0, |parity, bit| parity | u64::from((starts << (63 - bit)).count_ones() % 2) << bit);
            for seen in look(&block, starts) {
                assert_eq!(seen.found, found, "{starts:#x}");
                assert_eq!(seen.parity, parity, "{starts:#x}");
            }
        }
    }

    /// Every byte value at every position of a block, so that a wrong lane or a wrong table entry shows.
    #[test]
    fn each_byte_has_its_class_at_each_position() {
        for byte in 0..=u8::MAX {
            for position in 0..BLOCK_BYTES {
                let mut block = [b'x'; BLOCK_BYTES];
                block[position] = byte;
                let is = |set: bool| u64::from(set) << position;
                let expected = Masks {
                    backslash: is(byte == b'\\'),
                    quote: is(byte == b'"'),
                    operator: is(b"{}[]:,".contains(&byte)),
                    whitespace: is(b" \t\r\n".contains(&byte)),
                    control: is(byte < 0x20),
                    non_ascii: is(byte >= 0x80),
                };
                for seen in look(&block, 0) {
                    assert_eq!(seen.masks, expected, "byte {byte:#x} at {position}");
                }
            }
        }
    }
}
