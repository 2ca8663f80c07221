//! Refusal of keys that two readers could resolve differently (spec 30 §0.4 B, 50 A1 rule 2).
//!
//! Owns the rule and its memory. In an object of fields no two keys may be equal under case folding: the Engine folds
//! and takes the last, so a shadow key would slip past whoever takes the first or looks for one spelling. In a data
//! map, whose keys are the user's, they may not be equal byte by byte.

use std::cmp::Ordering;

use simd_json::Node;

use super::fold::{self, CASE, Ends, NOT_ASCII, fold};
use super::reader::Unreadable;
use super::value::{Members, Names};

/// Fields whose direct keys are the user's.
static DATA_MAPS: Names<14> = Names::new([
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
]);

/// The keys of an object with up to so many members pass a filter; more are sorted, so that an object of a hundred
/// thousand keys costs no more per key than a small one.
const FILTERED_MAX_KEYS: usize = 96;

/// So many keys of one object may be taken for another's by mistake; keys that were chosen to be are sorted.
const MISTAKES_MAX: usize = 8;

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
    /// Hash and key's place of each member of an object of many.
    keys: Vec<(u64, u32)>,
}

impl Duplicates {
    /// Checks every object of a document.
    pub(super) fn check(&mut self, nodes: &[Node<'_>]) -> Result<(), Unreadable> {
        self.data_maps.clear();
        self.data_maps.resize(nodes.len() / 64 + 1, 0);
        let mut rest = nodes;
        while let [node, inside @ ..] = rest {
            rest = inside;
            let (len, count, is_object) = match node {
                Node::Object { len, count } => (*len, *count, true),
                Node::Array { len, count } => (*len, *count, false),
                Node::String(_) | Node::Static(_) => continue,
            };
            // A node for each element, or for each key and each value: no object in there has a member.
            let is_flat = count == if is_object { 2 * len } else { len };
            if is_flat {
                rest = inside.get(count..).unwrap_or_default();
            }
            if is_object && len > 0 {
                let first = nodes.len() - inside.len();
                let kind = self.kind_of(first - 1);
                let members = inside.get(..count).unwrap_or_default();
                let is_ambiguous = if len > FILTERED_MAX_KEYS {
                    self.is_ambiguous_among_many(kind, first, members)
                } else if is_flat {
                    len > 1 && self.is_ambiguous_when_flat(kind, first, members)
                } else {
                    self.is_ambiguous(kind, first, members)
                };
                if is_ambiguous {
                    return Err(Unreadable::Duplicate);
                }
            }
        }
        Ok(())
    }

    /// Whether two of a few keys are the same, where each value is one node.
    fn is_ambiguous_when_flat(&mut self, kind: Keys, first: usize, members: &[Node<'_>]) -> bool {
        let mut filter = Filter::default();
        let (pairs, _) = members.as_chunks();
        for [key, _] in pairs {
            let key = text(key);
            if filter.may_hold(kind.hash(key)) {
                if kind.has_before(key, pairs.iter().map(|[key, _]| text(key))) {
                    return true;
                }
                if filter.errs_often() {
                    return self.is_ambiguous_among_many(kind, first, members);
                }
            }
        }
        false
    }

    /// Whether two of a few keys are the same. Finds the data maps among the members, which begin at node `first`.
    fn is_ambiguous(&mut self, kind: Keys, first: usize, members: &[Node<'_>]) -> bool {
        let mut filter = Filter::default();
        let all = Members { rest: members };
        let mut rest = all.clone();
        while let Some((key, value)) = rest.next() {
            if filter.may_hold(kind.hash(key)) {
                if kind.has_before(key, all.clone().map(|(key, _)| key)) {
                    return true;
                }
                if filter.errs_often() {
                    return self.is_ambiguous_among_many(kind, first, members);
                }
            }
            self.visit_value(kind, key, value, first + members.len() - rest.rest.len());
        }
        false
    }

    /// The same for any keys, in time that does not grow with the square of their number.
    #[cold]
    fn is_ambiguous_among_many(&mut self, kind: Keys, first: usize, members: &[Node<'_>]) -> bool {
        self.keys.clear();
        let mut rest = Members { rest: members };
        while let Some((key, value)) = rest.next() {
            let behind = members.len() - rest.rest.len();
            self.keys.push((kind.hash(key), (behind - value.len() - 1) as u32));
            self.visit_value(kind, key, value, first + behind);
        }
        let name = |at: u32| members.get(at as usize).map_or("", text);
        // The whole order, not the hash alone: keys chosen to collide must not make this quadratic.
        let order = |(hash, at): &(u64, u32), (other_hash, other): &(u64, u32)| {
            hash.cmp(other_hash).then_with(|| kind.order(name(*at), name(*other)))
        };
        self.keys.sort_unstable_by(order);
        self.keys.array_windows().any(|[left, right]| order(left, right).is_eq())
    }

    /// Marks the value that ends in front of node `behind` if it is a data map. One level only: a member of a data map
    /// passes nothing on, whatever its name.
    #[inline(always)]
    fn visit_value(&mut self, kind: Keys, key: &str, value: &[Node<'_>], behind: usize) {
        if kind == Keys::Fields
            && let [Node::Object { len: 1.., .. }, ..] = value
            && DATA_MAPS.position(key).is_some()
        {
            let index = behind - value.len();
            if let Some(bits) = self.data_maps.get_mut(index / 64) {
                *bits |= 1 << (index % 64);
            }
        }
    }

    fn kind_of(&self, index: usize) -> Keys {
        match self.data_maps.get(index / 64) {
            Some(bits) if bits >> (index % 64) & 1 == 1 => Keys::Data,
            _ => Keys::Fields,
        }
    }
}

fn text<'n>(key: &Node<'n>) -> &'n str {
    match key {
        Node::String(key) => key,
        Node::Object { .. } | Node::Array { .. } | Node::Static(_) => "",
    }
}

/// Which hashes there have been: a bit for each, which others share.
#[derive(Default)]
struct Filter {
    bits: [u64; 16],
    mistakes: usize,
}

impl Filter {
    /// Whether a hash like it was asked for before.
    #[inline(always)]
    fn may_hold(&mut self, hash: u64) -> bool {
        // The upper bits are those on which all of the key's bytes bear.
        let bit = 1 << (hash >> 54 & 63);
        let word = &mut self.bits[(hash >> 60) as usize];
        let is_set = *word & bit != 0;
        *word |= bit;
        is_set
    }

    /// Counts that it held none of the kind, and says whether that happens too often for its use.
    fn errs_often(&mut self) -> bool {
        self.mistakes += 1;
        self.mistakes > MISTAKES_MAX
    }
}

impl Keys {
    /// Equal for keys that are the same.
    #[inline(always)]
    fn hash(self, key: &str) -> u64 {
        // Setting bit 5 joins the cases of ASCII letters (and a few others, which only costs a comparison).
        let (hash, is_ascii) = hash(key.as_bytes(), if self == Keys::Fields { CASE } else { 0 });
        if self == Keys::Fields && !is_ascii { hash_folded(key) } else { hash }
    }

    /// Whether `key` is the same as one in front of it.
    #[cold]
    #[inline(never)]
    fn has_before<'n>(self, key: &str, keys: impl Iterator<Item = &'n str>) -> bool {
        let is_ascii = fold::is_ascii(key);
        let is_same = |other: &str| match self {
            Keys::Data => other == key,
            Keys::Fields if is_ascii => fold::names(other, key),
            Keys::Fields => self.order(other, key).is_eq(),
        };
        keys.take_while(|other| !std::ptr::eq(other.as_ptr(), key.as_ptr())).any(is_same)
    }

    fn order(self, left: &str, right: &str) -> Ordering {
        match self {
            Keys::Data => left.cmp(right),
            Keys::Fields => left.chars().map(fold).cmp(right.chars().map(fold)),
        }
    }
}

/// The hash with some bits of every byte set, and whether all bytes are ASCII. Keys of usual length take a
/// multiplication per word, none of which waits for another.
#[inline(always)]
fn hash(bytes: &[u8], set: u64) -> (u64, bool) {
    let Some(Ends { head, tail }) = Ends::of(bytes) else { return hash_long(bytes, set) };
    (spread(head | set, tail | set), (head | tail) & NOT_ASCII == 0)
}

#[inline]
fn hash_long(bytes: &[u8], set: u64) -> (u64, bool) {
    if let (Some(head), Some(tail)) = (bytes.first_chunk(), bytes.last_chunk())
        && bytes.len() <= 32
    {
        let ([a, b], [c, d]) = (halves(*head), halves(*tail));
        let hash = spread(a | set, b | set).wrapping_mul(SPREAD[2]).wrapping_add(spread(c | set, d | set));
        return (hash, (a | b | c | d) & NOT_ASCII == 0);
    }
    let (words, _) = bytes.as_chunks();
    let mut hash = bytes.len() as u64;
    let mut any = 0;
    for word in words.iter().chain(bytes.last_chunk()).map(|word| u64::from_le_bytes(*word)) {
        any |= word;
        hash = spread(hash, word | set);
    }
    (hash, any & NOT_ASCII == 0)
}

#[inline(always)]
fn halves(bytes: [u8; 16]) -> [u64; 2] {
    let bytes = u128::from_le_bytes(bytes);
    [bytes as u64, (bytes >> 64) as u64]
}

#[inline(always)]
fn spread(left: u64, right: u64) -> u64 {
    left.wrapping_mul(SPREAD[0]).wrapping_add(right.wrapping_mul(SPREAD[1]))
}

/// Odd numbers without a pattern, so that each bit of a key bears on the upper bits. Among such, those for which no two
/// fields of the Engine's large objects share a bit of the filter.
const SPREAD: [u64; 3] = [0x1e2f_eb89_414c_343d, 0xc2ce_6f44_7ed4_d57b, 0x78e5_1061_7311_d8a3];

/// Equals the hash of the ASCII key that `key` folds into, if it does.
#[cold]
fn hash_folded(key: &str) -> u64 {
    let folded: String = key.chars().map(fold).collect();
    hash(folded.as_bytes(), if folded.is_ascii() { CASE } else { 0 }).0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `HostConfig` of today's API, and the document around it.
    const LARGE_OBJECTS: [&str; 2] = [
        "Binds ContainerIDFile LogConfig NetworkMode PortBindings RestartPolicy AutoRemove VolumeDriver \
             VolumesFrom ConsoleSize Annotations CapAdd CapDrop CgroupnsMode Dns DnsOptions DnsSearch ExtraHosts \
             GroupAdd IpcMode Cgroup Links OomScoreAdj PidMode Privileged PublishAllPorts ReadonlyRootfs \
             SecurityOpt StorageOpt Tmpfs UTSMode UsernsMode ShmSize Sysctls Runtime Isolation CpuShares Memory \
             NanoCpus CgroupParent BlkioWeight BlkioWeightDevice BlkioDeviceReadBps BlkioDeviceWriteBps \
             BlkioDeviceReadIOps BlkioDeviceWriteIOps CpuPeriod CpuQuota CpuRealtimePeriod CpuRealtimeRuntime \
             CpusetCpus CpusetMems Devices DeviceCgroupRules DeviceRequests KernelMemory KernelMemoryTCP \
             MemoryReservation MemorySwap MemorySwappiness OomKillDisable PidsLimit Ulimits CpuCount CpuPercent \
             IOMaximumIOps IOMaximumBandwidth Mounts MaskedPaths ReadonlyPaths Init",
        "Hostname Domainname User AttachStdin AttachStdout AttachStderr ExposedPorts Tty OpenStdin StdinOnce \
             Env Cmd Healthcheck ArgsEscaped Image Volumes WorkingDir Entrypoint NetworkDisabled MacAddress \
             OnBuild Labels StopSignal StopTimeout Shell HostConfig NetworkingConfig",
    ];

    #[test]
    fn the_filter_tells_known_fields_apart() {
        for names in LARGE_OBJECTS {
            let mut filter = Filter::default();
            for name in names.split(' ') {
                assert!(!filter.may_hold(Keys::Fields.hash(name)), "{name}");
                assert_eq!(Keys::Fields.hash(&name.to_uppercase()), Keys::Fields.hash(name), "{name}");
            }
        }
    }

    #[test]
    fn a_hash_bears_on_every_byte_in_any_case() {
        let alphabet: String = ('a'..='z').chain('A'..='Z').collect();
        for length in 1..=alphabet.len() {
            let key = &alphabet[..length];
            assert_eq!(Keys::Fields.hash(&key.to_lowercase()), Keys::Fields.hash(key), "{key}");
            let long_s = key.replace(['s', 'S'], "\u{17f}");
            assert_eq!(Keys::Fields.hash(&long_s), Keys::Fields.hash(key), "{long_s}");
            for place in 0..length {
                let mut other = key.to_owned();
                other.replace_range(place..=place, "_");
                assert_ne!(Keys::Fields.hash(&other), Keys::Fields.hash(key), "{other}");
                assert_ne!(Keys::Data.hash(&other), Keys::Data.hash(key), "{other}");
            }
        }
    }

    /// Keys that share one bit of the filter are told apart all the same, and found when repeated.
    #[test]
    fn chosen_keys_do_not_fool_the_filter() {
        let keys = || (0..).map(|n| format!("key{n}")).filter(|key| Keys::Fields.hash(key) >> 54 == 7);
        for count in 2..20 {
            for nested in [false, true] {
                let mut keys: Vec<String> = keys().take(count).collect();
                let is_ambiguous = |keys: &[String]| {
                    let mut nodes = vec![Node::Object { len: keys.len() + usize::from(nested), count: 0 }];
                    for key in keys {
                        nodes.extend([Node::String(key), Node::String("")]);
                    }
                    if nested {
                        nodes.extend([Node::String("last"), Node::Object { len: 1, count: 2 }]);
                        nodes.extend([Node::String("a"), Node::String("")]);
                    }
                    let count = nodes.len() - 1;
                    nodes[0] = Node::Object { len: keys.len() + usize::from(nested), count };
                    Duplicates::default().check(&nodes).is_err()
                };
                assert!(!is_ambiguous(&keys), "{count}");
                for (from, to) in [(0, count - 1), (count / 2, count - 1), (0, count / 2), (count - 1, 0)] {
                    if from != to {
                        let before = std::mem::take(&mut keys[to]);
                        keys[to] = keys[from].to_uppercase();
                        assert!(is_ambiguous(&keys), "{count}: {from} as {to}");
                        keys[to] = before;
                    }
                }
            }
        }
    }
}
