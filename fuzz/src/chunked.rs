//! The chunked coding (RFC 9112 §7.1, spec 20 §9).

use sockguard::http::chunked::{ChunkError, Decoder, Step, append, append_last};

use super::Choices;
use super::message::field;

/// What was read before the input or the body ended, or the coding was violated.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    payload: Vec<u8>,
    /// Trailers, and the bytes that the body took; an error; or none of them when more has to come.
    end: Result<Option<(Vec<u8>, usize)>, ChunkError>,
}

/// The input is a body on the wire: it is read the same however it is cut, and a body that is accepted is one that a
/// strict reader accepts, with the same payload and the same end.
pub fn chunked(data: &[u8]) {
    let whole = decode(&[data]);
    assert_eq!(decode(&data.chunks(1).collect::<Vec<_>>()), whole, "byte by byte: {}", data.escape_ascii());
    let mut choices = Choices::of(data);
    let (mut parts, mut rest) = (Vec::new(), data);
    while !rest.is_empty() {
        let (part, behind) = rest.split_at(choices.below(rest.len() + 1));
        parts.push(part);
        rest = behind;
    }
    assert_eq!(decode(&parts), whole, "in pieces: {}", data.escape_ascii());

    // Longer lines and trailers than fit in here are refused for their length.
    if data.len() > 4096 {
        return;
    }
    let expected = strict(data);
    match &whole.end {
        Ok(Some((trailers, used))) => {
            let read = (whole.payload.clone(), trailers.clone(), *used);
            assert_eq!(Ok(read), expected, "{}", data.escape_ascii());
            let mut wire = Vec::new();
            append(&mut wire, &whole.payload);
            append_last(&mut wire, trailers);
            let again = Outcome { payload: whole.payload, end: Ok(Some((trailers.clone(), wire.len()))) };
            assert_eq!(decode(&[&wire]), again, "written anew: {}", wire.escape_ascii());
        }
        Ok(None) => assert_eq!(expected, Err(Stop::Short), "{}", data.escape_ascii()),
        // Only the strict reader waits for the end of a line before it looks at it.
        Err(error) => assert!(expected.is_err(), "{error:?}: {}", data.escape_ascii()),
    }
}

fn decode(parts: &[&[u8]]) -> Outcome {
    let (mut decoder, mut payload, mut before) = (Decoder::default(), Vec::new(), 0);
    for part in parts {
        let mut used = 0;
        loop {
            match decoder.step(part, &mut used) {
                Ok(Step::Data(range)) => payload.extend_from_slice(&part[range]),
                Ok(Step::More) => break,
                Ok(Step::End) => {
                    assert!(decoder.is_complete());
                    return Outcome { payload, end: Ok(Some((decoder.trailers().to_vec(), before + used))) };
                }
                Err(error) => return Outcome { payload, end: Err(error) },
            }
        }
        assert_eq!(used, part.len(), "bytes are left, and more is wanted");
        before += used;
    }
    Outcome { payload, end: Ok(None) }
}

/// Why the strict reader has no body to show.
#[derive(Debug, PartialEq, Eq)]
enum Stop {
    /// The input ends before the body does.
    Short,
    Violation,
}

/// Payload, trailers and length of the complete body that `wire` begins with.
fn strict(wire: &[u8]) -> Result<(Vec<u8>, Vec<u8>, usize), Stop> {
    let (mut rest, mut payload) = (wire, Vec::new());
    loop {
        let size = chunk_size(line(&mut rest)?).ok_or(Stop::Violation)?;
        if size == 0 {
            break;
        }
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        payload.extend_from_slice(rest.get(..size).ok_or(Stop::Short)?);
        rest = match &rest[size..] {
            [b'\r', b'\n', behind @ ..] => behind,
            [] | [b'\r'] => return Err(Stop::Short),
            _ => return Err(Stop::Violation),
        };
    }
    let trailers = rest;
    loop {
        let before = trailers.len() - rest.len();
        match line(&mut rest)? {
            b"" => return Ok((payload, trailers[..before].to_vec(), wire.len() - rest.len())),
            line => drop(field(line).ok_or(Stop::Violation)?),
        }
    }
}

/// The next line without its CR LF; it holds no other CR or LF.
fn line<'w>(rest: &mut &'w [u8]) -> Result<&'w [u8], Stop> {
    let (line, behind) = super::split_once(rest, b'\n');
    if line.len() == rest.len() {
        return Err(Stop::Short);
    }
    *rest = behind;
    line.strip_suffix(b"\r").filter(|line| !line.contains(&b'\r')).ok_or(Stop::Violation)
}

/// Hexadecimal digits, and behind them nothing but blanks and an extension.
fn chunk_size(line: &[u8]) -> Option<u64> {
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let (digits, behind) = line.split_at(digits);
    let (blanks, extension) = super::split_once(behind, b';');
    let well_formed = digits.len() <= 16 && blanks.iter().all(|byte| b" \t".contains(byte)) && !extension.contains(&0);
    let size = u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    (well_formed && size <= i64::MAX as u64).then_some(size)
}
