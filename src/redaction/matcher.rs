//! The field table compiled for one endpoint and one set of toggles: a small tree of keys.
//!
//! Owns compilation and key lookup. It reads no answer; the rewriter walks the tree beside the document.

use super::endpoint::Endpoint;
use super::fields::{Added, Operation};
use super::toggles::Toggles;
use crate::json::scalar;
use crate::json::walk::Key;

/// Longest key that a rule may have, in bytes: three words.
const KEY_MAX_BYTES: usize = 24;
/// Most keys that rules may name in one object: the rewriter keeps a bit for each.
const KEYS_MAX: usize = 32;

/// What a document may hold at one place, and what becomes of it.
#[derive(Clone, Debug)]
pub(super) enum Node {
    /// The operation applies here.
    Leaf(Operation),
    /// An object with keys of interest.
    Object(Object),
    /// An array; each element is an object with keys of interest, or a string for a leaf.
    Each(Box<Node>),
    /// An object of which each value, whatever its key, is an object with keys of interest.
    Values(Box<Node>),
}

/// The keys of interest of one object.
#[derive(Clone, Debug)]
pub(super) struct Object {
    /// Sorted by key length.
    fields: Vec<Field>,
    /// `fields[by_length[n]..by_length[n + 1]]` have keys of `n` bytes.
    by_length: [u8; KEY_MAX_BYTES + 2],
    /// Bit `n`: some key has `n` bytes.
    lengths: u64,
    /// The field to add when it is absent.
    added: Option<(usize, Added)>,
}

#[derive(Clone, Debug)]
pub(super) struct Field {
    pub(super) key: &'static str,
    words: Words,
    pub(super) value: Node,
}

/// The root of an answer.
#[derive(Clone, Debug)]
pub(super) enum Root {
    /// An array of objects; null elements stay, but a null in the array's place does not pass.
    List(Object),
    /// One object; null stays.
    Inspect(Object),
}

impl Root {
    /// The tree for an endpoint, or `None` when the toggles cover none of its fields.
    pub(super) fn compile(endpoint: Endpoint, toggles: Toggles) -> Option<Root> {
        if !endpoint.is_covered_by(toggles) {
            return None;
        }
        let mut paths = Vec::new();
        for (prefix, rules) in endpoint.groups() {
            for rule in rules.iter().filter(|rule| toggles.has(rule.toggle)) {
                let prefix = prefix.split('.').filter(|step| !step.is_empty());
                paths.push((prefix.chain(rule.path.split('.')).collect::<Vec<_>>(), rule.operation));
            }
        }
        let paths: Vec<Path<'_>> = paths.iter().map(|(steps, operation)| (&steps[..], *operation)).collect();
        let object = Object::compile(&paths);
        Some(if endpoint.is_list() { Root::List(object) } else { Root::Inspect(object) })
    }
}

/// The steps that are left of a rule's path, and what it does at their end.
type Path<'p> = (&'p [&'static str], Operation);

impl Node {
    fn compile(paths: &[Path<'_>]) -> Node {
        match paths {
            [([], operation)] => Node::Leaf(*operation),
            _ => Node::Object(Object::compile(paths)),
        }
    }
}

impl Object {
    /// Merges paths that start with the same step. A table that names a key in two ways, or too many, is a defect that
    /// the tests find by compiling every endpoint.
    fn compile(paths: &[Path<'_>]) -> Object {
        let mut fields: Vec<Field> = Vec::new();
        let mut added = None;
        for (index, (steps, _)) in paths.iter().enumerate() {
            let Some(step) = steps.first() else { continue };
            let is_below = |path: &&Path<'_>| path.0.first() == Some(step);
            if paths.iter().take(index).any(|path| is_below(&path)) {
                continue;
            }
            let below = paths.iter().filter(is_below).filter_map(|(steps, leaf)| Some((steps.get(1..)?, *leaf)));
            let value = Node::compile(&below.collect::<Vec<_>>());
            let (key, value) = if let Some(key) = step.strip_suffix("[]") {
                (key, Node::Each(Box::new(value)))
            } else if let Some(key) = step.strip_suffix("{}") {
                (key, Node::Values(Box::new(value)))
            } else {
                (*step, value)
            };
            fields.push(Field { key, words: Words::of(key.as_bytes()), value });
        }
        fields.sort_by_key(|field| field.key.len());
        let mut by_length = [0; KEY_MAX_BYTES + 2];
        for (length, start) in by_length.iter_mut().enumerate() {
            *start = fields.partition_point(|field| field.key.len() < length) as u8;
        }
        for (place, field) in fields.iter().enumerate() {
            if let Node::Leaf(Operation::ForceEmptyArray(key)) = field.value {
                added = Some((place, key));
            }
        }
        debug_assert!(fields.len() <= KEYS_MAX && fields.iter().all(|field| field.key.len() <= KEY_MAX_BYTES));
        let lengths = fields.iter().fold(0, |lengths, field| lengths | 1 << field.key.len());
        Object { fields, by_length, lengths, added }
    }

    /// The place of `key` among the keys of interest.
    ///
    /// Keys match exactly, once their escapes are resolved: `"\u0045nv"` is `Env` to every reader.
    #[inline(always)]
    pub(super) fn find(&self, key: Key<'_>, may_have_escapes: bool) -> Option<(usize, &Field)> {
        // Most keys are of no interest, and most of those have another length; a length beyond the bits finds another
        // one's bit, which only costs the comparison.
        if self.lengths >> (key.len() % 64) & 1 != 0
            && let Some(found) = self.find_plain(key)
        {
            return Some(found);
        }
        if may_have_escapes && !has_no_backslash(key) { self.find_escaped(key.content()) } else { None }
    }

    #[inline]
    fn find_plain(&self, key: Key<'_>) -> Option<(usize, &Field)> {
        let start = usize::from(*self.by_length.get(key.len())?);
        let end = usize::from(*self.by_length.get(key.len() + 1)?);
        let words = match key.onwards().first_chunk() {
            Some(bytes) => Words::load(bytes).first(key.len()),
            None => Words::of(key.content()),
        };
        (start..end).find_map(|place| Some((place, self.fields.get(place).filter(|field| field.words.are(words))?)))
    }

    /// A key that may need its escapes resolved first.
    #[cold]
    fn find_escaped(&self, key: &[u8]) -> Option<(usize, &Field)> {
        let key = std::str::from_utf8(key).ok()?;
        self.fields.iter().enumerate().find(|(_, field)| {
            let mut rest = key;
            let matches = field.key.chars().all(|expected| match scalar::character(rest) {
                Some((character, length)) if character == expected => {
                    rest = rest.get(length..).unwrap_or_default();
                    true
                }
                _ => false,
            });
            matches && rest.is_empty()
        })
    }

    /// The key to add at the closing brace, when the fields in `seen` (bits by place) lack one that must be there.
    #[inline]
    pub(super) fn missing(&self, seen: u32) -> Option<Added> {
        self.added.filter(|(place, _)| seen & 1 << place == 0).map(|(_, key)| key)
    }
}

/// Looks at a fixed number of bytes, which is quicker than at the right one; `false` says nothing.
#[inline]
fn has_no_backslash(key: Key<'_>) -> bool {
    const SEEN: usize = 32;
    let seen = key.onwards().first_chunk::<SEEN>().filter(|_| key.len() <= SEEN);
    seen.is_some_and(|bytes| !bytes.iter().fold(false, |found, byte| found | (*byte == b'\\')))
}

/// A key in as many words as the longest may have, with zeroes behind its end.
#[derive(Clone, Copy, Debug)]
struct Words(u64, u64, u64);

impl Words {
    #[inline]
    fn of(key: &[u8]) -> Words {
        let mut bytes = [0; KEY_MAX_BYTES];
        for (to, from) in bytes.iter_mut().zip(key) {
            *to = *from;
        }
        Words::load(&bytes)
    }

    #[inline]
    fn load(bytes: &[u8; KEY_MAX_BYTES]) -> Words {
        let (words, _) = bytes.as_chunks::<8>();
        let word = |number: usize| words.get(number).map_or(0, |word| u64::from_le_bytes(*word));
        Words(word(0), word(1), word(2))
    }

    /// Only the first `length` bytes, at most all.
    #[inline]
    fn first(self, length: usize) -> Words {
        static KEPT: [Words; KEY_MAX_BYTES + 1] = {
            let mut kept = [Words(0, 0, 0); KEY_MAX_BYTES + 1];
            let mut length = 1;
            while length <= KEY_MAX_BYTES {
                let byte = 0xff << ((length - 1) % 8 * 8);
                kept[length] = kept[length - 1];
                match (length - 1) / 8 {
                    0 => kept[length].0 |= byte,
                    1 => kept[length].1 |= byte,
                    _ => kept[length].2 |= byte,
                }
                length += 1;
            }
            kept
        };
        match KEPT.get(length) {
            Some(kept) => Words(self.0 & kept.0, self.1 & kept.1, self.2 & kept.2),
            None => self,
        }
    }

    /// Equality without a branch for each word, and without a way through memory.
    #[inline]
    fn are(self, other: Words) -> bool {
        (self.0 ^ other.0) | (self.1 ^ other.1) | (self.2 ^ other.2) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys_in(object: &Object) -> usize {
        object.fields.iter().map(|field| 1 + keys_below(&field.value)).sum()
    }

    fn keys_below(node: &Node) -> usize {
        match node {
            Node::Leaf(_) => 0,
            Node::Object(object) => keys_in(object),
            Node::Each(inner) | Node::Values(inner) => keys_below(inner),
        }
    }

    /// The distinct prefixes of the rules' paths, counted without the compiler.
    fn keys_in_table(endpoint: Endpoint) -> usize {
        let mut prefixes = std::collections::BTreeSet::new();
        for (prefix, rules) in endpoint.groups() {
            for rule in *rules {
                let path = format!("{}.{}", prefix, rule.path);
                let path = path.trim_start_matches('.');
                prefixes.extend(path.match_indices('.').map(|(dot, _)| path[..dot].to_owned()));
                prefixes.insert(path.to_owned());
            }
        }
        prefixes.len()
    }

    #[test]
    fn every_rule_is_in_the_tree_once() {
        for endpoint in Endpoint::ALL {
            let (Root::List(object) | Root::Inspect(object)) = Root::compile(endpoint, Toggles::ALL).unwrap();
            assert_eq!(keys_in(&object), keys_in_table(endpoint), "{endpoint:?}");
            assert!(Root::compile(endpoint, Toggles::NONE).is_none());
        }
    }

    #[test]
    fn keys_match_exactly_once_their_escapes_are_resolved() {
        let Some(Root::Inspect(object)) = Root::compile(Endpoint::ContainerInspect, Toggles::ALL) else { panic!() };
        for (key, found) in [
            ("Config", true),
            (r"\u0043onfig", true),
            (r"\u0043\u006f\u006e\u0066\u0069\u0067", true),
            ("config", false),
            ("Confi", false),
            ("Configs", false),
            (r"\u0063onfig", false),
            (r"Config\u0000", false),
            (r"Confi\", false),
            ("", false),
            ("a key that is longer than any key of the table", false),
        ] {
            let place = object.find(Key::new(key.as_bytes()), true).map(|(_, field)| field.key);
            assert_eq!(place, found.then_some("Config"), "{key}");
        }
    }
}
