//! Refusal of keys that two readers could resolve differently (spec 30 §0.4 B, 50 A1 rule 2).
//!
//! Owns the rule and its memory. In an object of fields no two keys may be equal under case folding: the Engine folds
//! and takes the last, so a shadow key would slip past whoever takes the first or looks for one spelling. In a data
//! map, whose keys are the user's, they may not be equal byte by byte.

use std::cmp::Ordering;

use simd_json::Node;

use super::fold::{self, fold};
use super::reader::Unreadable;
use super::value::Members;

/// Fields whose direct keys are the user's.
const DATA_MAPS: [&str; 14] = [
    "Labels",
    "Annotations",
    "Volumes",
    "ExposedPorts",
    "PortBindings",
    "Sysctls",
    "StorageOpt",
    "Tmpfs",
    "EndpointsConfig",
    "Options",
    "DriverOpts",
    "Opts",
    "Config",
    "AuxiliaryAddresses",
];

/// Up to so many keys are compared with each other; more are sorted, so that an object of a hundred thousand keys costs
/// no more per key than a small one.
const PAIRWISE_MAX_KEYS: usize = 24;

/// How the keys of one object are told apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Keys {
    /// Names of fields, in any case.
    Fields,
    /// The user's data.
    Data,
}

/// Memory for the check.
#[derive(Default)]
pub(super) struct Duplicates {
    /// A bit per node of the document: the object there is a data map.
    data_maps: Vec<u64>,
    /// Hash and node of each key of the object at hand.
    keys: Vec<(u64, u32)>,
}

impl Duplicates {
    /// Checks every object of a document.
    pub(super) fn check(&mut self, nodes: &[Node<'_>]) -> Result<(), Unreadable> {
        self.data_maps.clear();
        self.data_maps.resize(nodes.len() / 64 + 1, 0);
        for (index, node) in nodes.iter().enumerate() {
            if let Node::Object { len, count } = node
                && *len > 0
            {
                let members = nodes.get(index + 1..index + 1 + count).unwrap_or_default();
                self.check_object(nodes, index, Members { rest: members })?;
            }
        }
        Ok(())
    }

    fn check_object(&mut self, nodes: &[Node<'_>], index: usize, members: Members<'_>) -> Result<(), Unreadable> {
        let kind = if self.is_data_map(index) { Keys::Data } else { Keys::Fields };
        self.keys.clear();
        let mut at = index + 1;
        for (key, value) in members {
            self.keys.push((kind.hash(key), at as u32));
            // One level only: a member of a data map passes nothing on, whatever its name.
            if kind == Keys::Fields
                && let [Node::Object { len: 1.., .. }, ..] = value
                && DATA_MAPS.iter().any(|name| fold::names(key, name))
            {
                self.mark_data_map(at + 1);
            }
            at += 1 + value.len();
        }
        match self.has_equal_keys(kind, nodes) {
            true => Err(Unreadable::Duplicate),
            false => Ok(()),
        }
    }

    fn has_equal_keys(&mut self, kind: Keys, nodes: &[Node<'_>]) -> bool {
        let name = |at: u32| match nodes.get(at as usize) {
            Some(Node::String(key)) => *key,
            _ => "",
        };
        if self.keys.len() <= PAIRWISE_MAX_KEYS {
            let mut rest = &self.keys[..];
            while let Some(((hash, at), others)) = rest.split_first() {
                let same = |(other, _): &&(u64, u32)| other == hash;
                if others.iter().filter(same).any(|(_, other)| kind.order(name(*at), name(*other)).is_eq()) {
                    return true;
                }
                rest = others;
            }
            return false;
        }
        // The whole order, not the hash alone: keys chosen to collide must not make this quadratic.
        let order = |(hash, at): &(u64, u32), (other_hash, other): &(u64, u32)| {
            hash.cmp(other_hash).then_with(|| kind.order(name(*at), name(*other)))
        };
        self.keys.sort_unstable_by(order);
        self.keys.array_windows().any(|[left, right]| order(left, right).is_eq())
    }

    fn is_data_map(&self, index: usize) -> bool {
        self.data_maps.get(index / 64).is_some_and(|bits| bits >> (index % 64) & 1 == 1)
    }

    fn mark_data_map(&mut self, index: usize) {
        if let Some(bits) = self.data_maps.get_mut(index / 64) {
            *bits |= 1 << (index % 64);
        }
    }
}

impl Keys {
    /// Equal for keys that are the same.
    #[inline]
    fn hash(self, key: &str) -> u64 {
        match self {
            Keys::Data => hash(key.as_bytes(), 0),
            // Setting bit 5 joins the cases of ASCII letters (and a few others, which only costs a comparison).
            Keys::Fields if key.is_ascii() => hash(key.as_bytes(), 0x2020_2020_2020_2020),
            Keys::Fields => hash_folded(key),
        }
    }

    fn order(self, left: &str, right: &str) -> Ordering {
        match self {
            Keys::Data => left.cmp(right),
            Keys::Fields => left.chars().map(fold).cmp(right.chars().map(fold)),
        }
    }
}

#[inline]
fn hash(bytes: &[u8], set: u64) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut hash = bytes.len() as u64;
    for word in words {
        hash = mix(hash, u64::from_le_bytes(*word) | set);
    }
    let mut last = [0; 8];
    for (to, from) in last.iter_mut().zip(rest) {
        *to = *from;
    }
    mix(hash, u64::from_le_bytes(last) | set)
}

#[inline]
fn mix(hash: u64, word: u64) -> u64 {
    let product = (hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    product ^ product >> 32
}

/// Equals the hash of the ASCII key that `key` folds into, if it does.
#[cold]
fn hash_folded(key: &str) -> u64 {
    let folded: String = key.chars().map(fold).collect();
    hash(folded.as_bytes(), if folded.is_ascii() { 0x2020_2020_2020_2020 } else { 0 })
}
