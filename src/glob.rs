//! The glob dialect of rules, exec tokens, name patterns and label lists (spec 20 §3).
//!
//! Owns matching in time linear in the subject: common shapes are compared directly, any other runs through a
//! bit-parallel automaton without backtracking, so that no path makes a pattern slow. Every string is a valid pattern.

use std::iter;

use memchr::memchr;
use smallvec::SmallVec;

/// A compiled pattern. Matches whole subjects, case-sensitively, byte by byte.
#[derive(Clone, Debug)]
pub struct Glob {
    shape: Shape,
}

#[derive(Clone, Debug)]
enum Shape {
    /// No wildcard.
    Literal(Box<[u8]>),
    /// One wildcard between two literals, both often empty: `/containers/**`, `/containers/*/json`, `/**`.
    One { before: Box<[u8]>, wildcard: Wildcard, after: Box<[u8]> },
    /// Several wildcards. The literals at both ends are compared first; what is between them runs the automaton.
    Many { before: Box<[u8]>, automaton: Box<Automaton>, after: Box<[u8]> },
}

/// A wildcard with what it matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wildcard {
    /// `*`: anything without `/`.
    Star,
    /// `**`: anything.
    Any,
    /// `**` that does not match a line feed.
    AnyOfLine,
    /// `/**`: nothing, or `/` and anything.
    Below,
    /// `/**` that does not match a line feed.
    BelowInLine,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Byte(u8),
    Wildcard(Wildcard),
}

impl Glob {
    /// Compiles a pattern in which `**` matches every byte. For rule paths and names: a deny rule must not be skipped
    /// because of a line feed in the path.
    #[must_use]
    pub fn new(pattern: &str) -> Glob {
        Glob::compile(pattern.as_bytes(), Wildcard::Any, Wildcard::Below)
    }

    /// Compiles a pattern in which `**` does not match a line feed. For exec argument tokens: an allow list must not
    /// be wider than the one it replaces.
    #[must_use]
    pub fn new_lf_strict(pattern: &str) -> Glob {
        Glob::compile(pattern.as_bytes(), Wildcard::AnyOfLine, Wildcard::BelowInLine)
    }

    /// Whether the whole subject matches. Takes time in proportion to the subject, and with several wildcards to its
    /// product with the 64th part of the pattern. Allocates nothing unless 256 tokens lie between the outer wildcards.
    #[must_use]
    pub fn matches(&self, subject: &[u8]) -> bool {
        match &self.shape {
            Shape::Literal(literal) => subject == &**literal,
            Shape::One { before, wildcard, after } => {
                between(subject, before, after).is_some_and(|middle| wildcard.matches(middle))
            }
            Shape::Many { before, automaton, after } => {
                between(subject, before, after).is_some_and(|middle| automaton.matches(middle))
            }
        }
    }

    fn compile(pattern: &[u8], any: Wildcard, below: Wildcard) -> Glob {
        // By itself it stands for everything, the empty path and `*` included: it is how a policy says "the rest".
        let pattern = if pattern == b"/**" { b"**" } else { pattern };
        let tokens = merge(tokenize(pattern, any, below));
        let is_wildcard = |token: &Token| matches!(token, Token::Wildcard(_));
        let literal = |tokens: &[Token]| -> Box<[u8]> {
            tokens
                .iter()
                .filter_map(|token| match token {
                    Token::Byte(byte) => Some(*byte),
                    Token::Wildcard(_) => None,
                })
                .collect()
        };
        let shape = match (tokens.iter().position(is_wildcard), tokens.iter().rposition(is_wildcard)) {
            (Some(first), Some(last)) => {
                let before = literal(tokens.get(..first).unwrap_or_default());
                let after = literal(tokens.get(last + 1..).unwrap_or_default());
                match tokens.get(first..=last).unwrap_or_default() {
                    [Token::Wildcard(wildcard)] => Shape::One { before, wildcard: *wildcard, after },
                    middle => Shape::Many { before, automaton: Box::new(Automaton::new(middle)), after },
                }
            }
            (_, _) => Shape::Literal(literal(&tokens)),
        };
        Glob { shape }
    }
}

/// Left to right, at each position the first alternative that fits: `/**`, `**`, `*`, itself.
fn tokenize(pattern: &[u8], any: Wildcard, below: Wildcard) -> Vec<Token> {
    let mut tokens = Vec::with_capacity(pattern.len());
    let mut rest = pattern;
    while let Some((&first, tail)) = rest.split_first() {
        let (token, next) = if let Some(next) = rest.strip_prefix(b"/**") {
            (Token::Wildcard(below), next)
        } else if let Some(next) = rest.strip_prefix(b"**") {
            (Token::Wildcard(any), next)
        } else if first == b'*' {
            (Token::Wildcard(Wildcard::Star), tail)
        } else {
            (Token::Byte(first), tail)
        };
        tokens.push(token);
        rest = next;
    }
    tokens
}

/// Drops wildcards that add nothing beside their neighbour, so that `/**/**/**` stays cheap.
fn merge(tokens: Vec<Token>) -> Vec<Token> {
    let mut merged: Vec<Token> = Vec::with_capacity(tokens.len());
    for token in tokens {
        let (Some(Token::Wildcard(left)), Token::Wildcard(right)) = (merged.last().copied(), token) else {
            merged.push(token);
            continue;
        };
        match (left, right) {
            // What `**` matches takes in what the neighbour matches, except that the strict one stops at a line feed
            // and `*` does not.
            (Wildcard::Any, _)
            | (Wildcard::AnyOfLine, Wildcard::AnyOfLine | Wildcard::BelowInLine)
            | (Wildcard::Below, Wildcard::Below)
            | (Wildcard::BelowInLine, Wildcard::BelowInLine) => {}
            (Wildcard::Star | Wildcard::Below, Wildcard::Any) | (Wildcard::BelowInLine, Wildcard::AnyOfLine) => {
                merged.pop();
                merged.push(token);
            }
            (
                Wildcard::Star | Wildcard::AnyOfLine | Wildcard::Below | Wildcard::BelowInLine,
                Wildcard::Star | Wildcard::Any | Wildcard::AnyOfLine | Wildcard::Below | Wildcard::BelowInLine,
            ) => merged.push(token),
        }
    }
    merged
}

/// The subject without the two literals at its ends, which may not overlap.
fn between<'subject>(subject: &'subject [u8], before: &[u8], after: &[u8]) -> Option<&'subject [u8]> {
    // An empty box has a dangling address, from which a masked load inside `memcmp` is slow although it compares
    // nothing: without these tests `/**` takes 150 ns instead of 3.
    let subject = if before.is_empty() { subject } else { subject.strip_prefix(before)? };
    if after.is_empty() { Some(subject) } else { subject.strip_suffix(after) }
}

impl Wildcard {
    fn matches(self, text: &[u8]) -> bool {
        let is_one_line = || memchr(b'\n', text).is_none();
        let is_below = || text.first().is_none_or(|&byte| byte == b'/');
        match self {
            Wildcard::Star => memchr(b'/', text).is_none(),
            Wildcard::Any => true,
            Wildcard::AnyOfLine => is_one_line(),
            Wildcard::Below => is_below(),
            Wildcard::BelowInLine => is_below() && is_one_line(),
        }
    }
}

/// One bit per token.
type Set = SmallVec<[u64; 4]>;

/// A nondeterministic automaton whose states are the positions between tokens, run as bit sets (shift-and). State `i`
/// means that the first `i` tokens have matched; a byte costs a few operations per 64 tokens, whatever the pattern.
///
/// A `/**` at position `i` has a second state, "after its `/`", kept in a set of its own at the same bit. From there it
/// goes on with any byte, and it may be left at any time. Leaving it for state `i` is enough, because state `i` skips
/// it; so every move without a byte goes from `i` to `i + 1`.
#[derive(Clone, Debug)]
struct Automaton {
    words: usize,
    /// Number of tokens, which is also the accepting state.
    accept: usize,
    /// Class of each byte; bytes that no token names share class 0.
    class_of: [u8; 256],
    /// Per class, the tokens that are a byte of this class. `words` words each.
    literals: Vec<u64>,
    /// Tokens that are `*`.
    stars: Set,
    /// Tokens that are `**`.
    anys: Set,
    /// Tokens that are `/**`.
    belows: Set,
    /// All wildcards: the tokens that may match nothing.
    skippable: Set,
    stops_at_line_feed: bool,
}

impl Automaton {
    fn new(tokens: &[Token]) -> Automaton {
        let words = tokens.len() / 64 + 1;
        let empty = || -> Set { iter::repeat_n(0, words).collect() };
        let mut automaton = Automaton {
            words,
            accept: tokens.len(),
            class_of: [0; 256],
            literals: vec![0; words],
            stars: empty(),
            anys: empty(),
            belows: empty(),
            skippable: empty(),
            stops_at_line_feed: false,
        };
        for (position, token) in tokens.iter().enumerate() {
            match token {
                Token::Byte(byte) => automaton.add_literal(position, *byte),
                Token::Wildcard(wildcard) => automaton.add_wildcard(position, *wildcard),
            }
        }
        automaton
    }

    fn add_literal(&mut self, position: usize, byte: u8) {
        let Some(class) = self.class_of.get_mut(usize::from(byte)) else { return };
        if *class == 0 {
            // A pattern is UTF-8, so it has fewer than 255 distinct bytes and the class number cannot overflow.
            *class = (self.literals.len() / self.words) as u8;
            self.literals.extend(iter::repeat_n(0, self.words));
        }
        let start = usize::from(*class) * self.words;
        set_bit(self.literals.get_mut(start..).unwrap_or_default(), position);
    }

    fn add_wildcard(&mut self, position: usize, wildcard: Wildcard) {
        let members = match wildcard {
            Wildcard::Star => &mut self.stars,
            Wildcard::Any | Wildcard::AnyOfLine => &mut self.anys,
            Wildcard::Below | Wildcard::BelowInLine => &mut self.belows,
        };
        set_bit(members, position);
        set_bit(&mut self.skippable, position);
        self.stops_at_line_feed |= matches!(wildcard, Wildcard::AnyOfLine | Wildcard::BelowInLine);
    }

    fn matches(&self, text: &[u8]) -> bool {
        let mut states: Set = iter::repeat_n(0, self.words).collect();
        let mut below: Set = iter::repeat_n(0, self.words).collect();
        set_bit(&mut states, 0);
        self.skip(&mut states);
        for &byte in text {
            if !self.step(&mut states, &mut below, byte) {
                return false;
            }
        }
        has_bit(&states, self.accept)
    }

    /// Takes one byte; `false` when no state is left.
    fn step(&self, states: &mut Set, below: &mut Set, byte: u8) -> bool {
        let class = self.class_of.get(usize::from(byte)).copied().unwrap_or_default();
        let literals = self.literals.get(usize::from(class) * self.words..).unwrap_or_default();
        let is_barrier = self.stops_at_line_feed && byte == b'\n';
        let mut carry = 0;
        let mut alive = 0;
        let masks = literals.iter().zip(&self.stars).zip(&self.anys).zip(&self.belows);
        for ((state, inside), (((literal, stars), anys), belows)) in states.iter_mut().zip(below).zip(masks) {
            if is_barrier {
                *inside = 0;
            }
            if byte == b'/' {
                *inside |= *state & belows;
            }
            let advanced = *state & literal;
            let stayed = *state & ((if byte == b'/' { 0 } else { *stars }) | if is_barrier { 0 } else { *anys });
            *state = advanced << 1 | carry | stayed | *inside;
            carry = advanced >> 63;
            alive |= *state;
        }
        self.skip(states);
        alive != 0
    }

    /// Adds the states that are reached without a byte. Adding the run of skippable tokens to the states in it carries
    /// through to the end of the run, which finds all of them in one pass.
    fn skip(&self, states: &mut Set) {
        let mut sum_carry = false;
        let mut shift_carry = 0;
        for (state, skippable) in states.iter_mut().zip(&self.skippable) {
            let inside = *state & skippable;
            let (sum, first) = inside.overflowing_add(*skippable);
            let (sum, second) = sum.overflowing_add(u64::from(sum_carry));
            sum_carry = first | second;
            let reached = (sum ^ skippable | inside) & skippable;
            *state |= reached << 1 | shift_carry;
            shift_carry = reached >> 63;
        }
    }
}

fn set_bit(set: &mut [u64], position: usize) {
    if let Some(word) = set.get_mut(position / 64) {
        *word |= 1 << (position % 64);
    }
}

fn has_bit(set: &[u64], position: usize) -> bool {
    set.get(position / 64).is_some_and(|word| word >> (position % 64) & 1 == 1)
}

#[cfg(test)]
mod tests;
