//! Refuses documents in which one object has a key twice (spec 30 §0.4, way B).
//!
//! Owns the search for duplicates, in time `n log n` however the keys were chosen. Decoders merge duplicates each in
//! their own way; a document without any has one meaning. Two keys are the same when the Engine takes them for one
//! field. In data maps (labels and the like), where keys are data, only equal ones are.

use simd_json::Node;

use super::fold::{FoldBuffer, fold, fold_character, fold_equal};

/// Keys whose value, when it is an object, is a data map, in lower case.
const DATA_MAPS: &[&[u8]] = &[
    b"labels",
    b"annotations",
    b"volumes",
    b"exposedports",
    b"portbindings",
    b"sysctls",
    b"storageopt",
    b"tmpfs",
    b"endpointsconfig",
    b"options",
    b"driveropts",
    b"opts",
    b"config",
    b"auxiliaryaddresses",
];

/// Up to so many keys are compared in pairs.
const PAIRWISE_MAX_KEYS: usize = 12;
/// More different keys with one hash than this are no accident; they are taken for duplicates.
const SAME_HASH_MAX_KEYS: usize = 8;

/// A key by hash, and where it stands on the tape.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key {
    hash: u64,
    at: usize,
}

/// How the keys of an object are compared.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keys {
    /// Names of fields: folded.
    Fields,
    /// Data: exactly.
    Data,
}

/// Whether any object of the document has a key twice.
pub(super) fn has_duplicates(nodes: &[Node<'_>], keys: &mut Vec<Key>) -> bool {
    keys.clear();
    Search { nodes, keys }.value(0, Keys::Fields).is_none()
}

struct Search<'s, 'd> {
    nodes: &'s [Node<'d>],
    keys: &'s mut Vec<Key>,
}

impl Search<'_, '_> {
    /// Searches the value at `at`; the position after it, or `None` when there is a duplicate. Recursion is bounded by
    /// the nesting that the parser accepts.
    fn value(&mut self, at: usize, kind: Keys) -> Option<usize> {
        match *self.nodes.get(at)? {
            Node::String(_) | Node::Static(_) => Some(at + 1),
            Node::Array { len, .. } => (0..len).try_fold(at + 1, |at, _| self.value(at, Keys::Fields)),
            Node::Object { len, .. } => self.object(at + 1, len, kind),
        }
    }

    fn object(&mut self, mut at: usize, len: usize, kind: Keys) -> Option<usize> {
        let base = self.keys.len();
        for _ in 0..len {
            let Some(&Node::String(key)) = self.nodes.get(at) else { return None };
            self.keys.push(Key { hash: hash(key, kind), at });
            at = match self.nodes.get(at + 1)? {
                Node::String(_) | Node::Static(_) => at + 2,
                Node::Array { .. } => self.value(at + 1, Keys::Fields)?,
                Node::Object { .. } => self.value(at + 1, kind_below(key, kind))?,
            };
        }
        let is_duplicate = self.is_duplicate(base, kind);
        self.keys.truncate(base);
        (!is_duplicate).then_some(at)
    }

    /// Whether two of the keys from `base` on are the same.
    fn is_duplicate(&mut self, base: usize, kind: Keys) -> bool {
        let nodes = self.nodes;
        let Some(keys) = self.keys.get_mut(base..) else { return true };
        let is_same = |left: &Key, right: &Key| match (nodes.get(left.at), nodes.get(right.at)) {
            (Some(Node::String(left)), Some(Node::String(right))) => match kind {
                Keys::Fields => fold_equal(left, right),
                Keys::Data => left == right,
            },
            _ => true,
        };
        if keys.len() <= PAIRWISE_MAX_KEYS {
            let mut rest: &[Key] = keys;
            while let Some((first, others)) = rest.split_first() {
                if others.iter().any(|other| other.hash == first.hash && is_same(first, other)) {
                    return true;
                }
                rest = others;
            }
            return false;
        }
        keys.sort_unstable_by_key(|key| key.hash);
        keys.chunk_by(|left, right| left.hash == right.hash).any(|run| {
            run.len() > SAME_HASH_MAX_KEYS
                || run
                    .iter()
                    .enumerate()
                    .any(|(index, key)| run.iter().skip(index + 1).any(|other| is_same(key, other)))
        })
    }
}

/// How the keys of an object are compared that is the value of `key`. A key that is itself data exempts nothing, be it
/// called `Labels`.
fn kind_below(key: &str, kind: Keys) -> Keys {
    let is_data = kind == Keys::Fields && DATA_MAPS.contains(&fold(key, &mut FoldBuffer::default()));
    if is_data { Keys::Data } else { Keys::Fields }
}

/// Equal for keys that are the same, and seldom for others.
fn hash(key: &str, kind: Keys) -> u64 {
    match kind {
        Keys::Data => hash_bytes(key.as_bytes(), 0),
        // Setting bit 5 makes lower case of letters; that it does more to other bytes only costs a comparison.
        Keys::Fields if key.is_ascii() => hash_bytes(key.as_bytes(), u64::from_ne_bytes([0x20; 8])),
        Keys::Fields => hash_folded(key),
    }
}

#[inline]
fn hash_bytes(bytes: &[u8], fold: u64) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut last = [0; 8];
    for (to, from) in last.iter_mut().zip(rest) {
        *to = *from;
    }
    let start = mix(SEED, bytes.len() as u64);
    let hash = words.iter().fold(start, |hash, word| mix(hash, u64::from_ne_bytes(*word) | fold));
    mix(hash, u64::from_ne_bytes(last) | fold)
}

const SEED: u64 = 0x9e37_79b9_7f4a_7c15;

#[inline]
fn mix(hash: u64, word: u64) -> u64 {
    let product = u128::from(hash ^ word) * 0xd6e8_feb8_6659_fd93;
    (product >> 64) as u64 ^ product as u64
}

#[cold]
fn hash_folded(key: &str) -> u64 {
    let folded: String = key.chars().map(fold_character).collect();
    hash_bytes(folded.as_bytes(), u64::from_ne_bytes([0x20; 8]))
}
