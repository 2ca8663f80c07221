//! Devices by request (GPUs and the like) and by cgroup rule, and the lists that allow them (spec 30 §1.1, §1.2).
//!
//! Owns the matching of one request or rule against a list. Host devices by path are in [`super::paths`].

/// One kind of device request that is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceRequestRule {
    driver: String,
    capability_sets: Vec<Vec<String>>,
    max_count: Option<i64>,
}

/// "All devices" in a request and in a rule.
const ALL_DEVICES: i64 = -1;

impl DeviceRequestRule {
    /// Compiles a rule: the driver, sets of capabilities of which a request's sets must be parts, and the most devices
    /// (`None`: any number; -1: all).
    #[must_use]
    pub fn new<S: AsRef<str>>(driver: &str, capability_sets: &[Vec<S>], max_count: Option<i64>) -> DeviceRequestRule {
        let normal = |set: &Vec<S>| -> Vec<String> {
            let names = set.iter().map(|name| name.as_ref().trim().to_ascii_lowercase());
            names.filter(|name| !name.is_empty()).collect()
        };
        DeviceRequestRule {
            driver: driver.trim().to_ascii_lowercase(),
            capability_sets: capability_sets.iter().map(normal).collect(),
            max_count,
        }
    }

    /// Whether a request for `count` devices of `driver` with these sets of capabilities is of this kind.
    pub(crate) fn allows<'r, Sets, Set>(&self, driver: &str, count: i64, sets: Sets) -> bool
    where
        Sets: Iterator<Item = Set>,
        Set: Iterator<Item = &'r str> + Clone,
    {
        self.driver.eq_ignore_ascii_case(driver.trim()) && self.allows_count(count) && self.allows_capabilities(sets)
    }

    /// The Engine takes every negative count for "all", not only -1.
    fn allows_count(&self, count: i64) -> bool {
        match self.max_count {
            None | Some(ALL_DEVICES) => true,
            Some(most) => count >= 0 && count <= most,
        }
    }

    /// Every set must be part of one listed set. Without any the runtime takes a default set, which only a rule
    /// without sets allows.
    fn allows_capabilities<'r, Sets, Set>(&self, sets: Sets) -> bool
    where
        Sets: Iterator<Item = Set>,
        Set: Iterator<Item = &'r str> + Clone,
    {
        let mut asks_for_some = false;
        for set in sets {
            let names = set.map(str::trim).filter(|name| !name.is_empty());
            if names.clone().next().is_none() {
                continue;
            }
            asks_for_some = true;
            let is_part_of = |listed: &Vec<String>| {
                names.clone().all(|name| listed.iter().any(|known| known.eq_ignore_ascii_case(name)))
            };
            if !self.capability_sets.iter().any(is_part_of) {
                return false;
            }
        }
        asks_for_some || self.capability_sets.is_empty()
    }
}

/// The device cgroup rules that are allowed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeviceCgroupRules {
    entries: Vec<DeviceCgroupRule<String>>,
}

impl DeviceCgroupRules {
    /// Compiles configured rules. A malformed one allows nothing; the configuration refuses it.
    #[must_use]
    pub fn new<S: AsRef<str>>(rules: impl IntoIterator<Item = S>) -> DeviceCgroupRules {
        let mut entries = Vec::new();
        for rule in rules {
            let Some(rule) = DeviceCgroupRule::parse(rule.as_ref()) else { continue };
            entries.push(DeviceCgroupRule {
                kind: rule.kind,
                major: rule.major.to_owned(),
                minor: rule.minor.to_owned(),
                permissions: rule.permissions,
            });
        }
        DeviceCgroupRules { entries }
    }

    /// Whether nothing is allowed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether a rule is covered by an entry.
    pub(crate) fn allows(&self, rule: &DeviceCgroupRule<&str>) -> bool {
        self.entries.iter().any(|entry| {
            entry.kind == rule.kind
                && entry.permissions == rule.permissions
                && covers(&entry.major, rule.major)
                && covers(&entry.minor, rule.minor)
        })
    }
}

/// A wildcard covers every number; a number covers its own text only, so `1` covers neither `01` nor `*`.
fn covers(entry: &str, number: &str) -> bool {
    entry == "*" || entry == number
}

/// `TYPE MAJOR:MINOR PERMISSIONS`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DeviceCgroupRule<Text> {
    /// `a`, `b` or `c`.
    kind: u8,
    /// Digits or `*`.
    major: Text,
    minor: Text,
    permissions: Permissions,
}

/// What may be done with the device, as a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Permissions {
    read: bool,
    write: bool,
    make: bool,
}

impl DeviceCgroupRule<&str> {
    /// Reads a rule; `None` when it is malformed.
    pub(crate) fn parse(rule: &str) -> Option<DeviceCgroupRule<&str>> {
        let mut fields = rule.split_whitespace();
        let (kind, numbers, permissions) = (fields.next()?, fields.next()?, fields.next()?);
        let &[kind @ (b'a' | b'b' | b'c')] = kind.as_bytes() else { return None };
        let (major, minor) = numbers.split_once(':')?;
        let is_whole = fields.next().is_none() && is_number(major) && is_number(minor);
        is_whole.then_some(DeviceCgroupRule { kind, major, minor, permissions: Permissions::parse(permissions)? })
    }
}

fn is_number(text: &str) -> bool {
    text == "*" || (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()))
}

impl Permissions {
    fn parse(letters: &str) -> Option<Permissions> {
        let mut permissions = Permissions::default();
        for letter in letters.bytes() {
            match letter {
                b'r' => permissions.read = true,
                b'w' => permissions.write = true,
                b'm' => permissions.make = true,
                _ => return None,
            }
        }
        Some(permissions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(rules: &[DeviceRequestRule], driver: &str, count: i64, sets: &[&[&str]]) -> bool {
        rules.iter().any(|rule| rule.allows(driver, count, sets.iter().map(|set| set.iter().copied())))
    }

    fn rule(driver: &str, sets: &[&[&str]], max_count: Option<i64>) -> DeviceRequestRule {
        let sets: Vec<Vec<&str>> = sets.iter().map(|set| set.to_vec()).collect();
        DeviceRequestRule::new(driver, &sets, max_count)
    }

    #[test]
    fn driver_and_capabilities_must_fit_one_rule() {
        let rules =
            [rule("nvidia", &[&["gpu", "compute"], &["gpu", "utility"]], None), rule(" AMD", &[&["gpu"]], None)];
        for (driver, sets, allowed) in [
            ("nvidia", &[&["gpu"][..]][..], true),
            (" Nvidia", &[&["GPU", "compute "]], true),
            ("nvidia", &[&["gpu", "compute"], &["utility"]], true),
            ("nvidia", &[&["gpu"], &[]], true),
            ("amd", &[&["gpu", "gpu"]], true),
            ("nvidia", &[&["gpu", "video"]], false),
            ("nvidia", &[&["compute", "utility"]], false),
            ("nvidia", &[&["gpu"], &["video"]], false),
            ("amd", &[&["compute"]], false),
            ("habana", &[&["gpu"]], false),
            ("", &[&["gpu"]], false),
            ("nvidia", &[], false),
            ("nvidia", &[&[]], false),
            ("nvidia", &[&["", " "]], false),
        ] {
            assert_eq!(allows(&rules, driver, 1, sets), allowed, "{driver} {sets:?}");
        }
    }

    #[test]
    fn a_rule_without_sets_allows_requests_without() {
        let plain = [rule("plain", &[], None)];
        assert!(allows(&plain, "plain", 1, &[]));
        assert!(allows(&plain, "plain", 1, &[&[""]]));
        assert!(!allows(&plain, "plain", 1, &[&["gpu"]]));
    }

    #[test]
    fn counts_are_bounded() {
        for (most, count, allowed) in [
            (None, -1, true),
            (None, 8, true),
            (Some(-1), -1, true),
            (Some(-1), 2, true),
            (Some(1), 1, true),
            (Some(1), 0, true),
            (Some(0), 0, true),
            (Some(0), 1, false),
            (Some(1), 4, false),
            (Some(1), -1, false),
            (Some(1), -2, false),
            (Some(1), i64::MIN, false),
        ] {
            let rules = [rule("x", &[&["gpu"]], most)];
            assert_eq!(allows(&rules, "x", count, &[&["gpu"]]), allowed, "{most:?} {count}");
        }
    }

    #[test]
    fn cgroup_rules_are_covered_by_an_entry() {
        let entries = DeviceCgroupRules::new(["c 1:3 rwm", "c 226:* rwm", "b 8:0 r", "a *:* m", "broken"]);
        for (text, allowed) in [
            ("c 1:3 rwm", true),
            ("c  1:3\tmrw", true),
            ("c 1:3 rwmrwm", true),
            ("c 226:128 rwm", true),
            ("c 226:* rwm", true),
            ("b 8:0 r", true),
            ("a 7:7 m", true),
            ("c 1:3 rw", false),
            ("b 1:3 rwm", false),
            ("c 1:* rwm", false),
            ("c *:3 rwm", false),
            ("c 01:3 rwm", false),
            ("c 227:1 rwm", false),
            ("c 7:7 m", false),
        ] {
            let rule = DeviceCgroupRule::parse(text).unwrap();
            assert_eq!(entries.allows(&rule), allowed, "{text}");
            assert!(!DeviceCgroupRules::default().allows(&rule));
        }
        let any = DeviceCgroupRules::new(["c *:* rwm"]);
        assert!(any.allows(&DeviceCgroupRule::parse("c 9:9 rwm").unwrap()));
        assert!(!any.allows(&DeviceCgroupRule::parse("a 9:9 rwm").unwrap()));
    }

    #[test]
    fn malformed_cgroup_rules_are_known() {
        for text in [
            "c 1 rwm",
            "x 1:3 rwm",
            "c 1:3 rwx",
            "c 1:3",
            "c -1:3 rwm",
            "c 1:3 rwm x",
            "",
            "c 1:+3 rwm",
            "c :3 rwm",
            "c 1: rwm",
            "cc 1:3 rwm",
            "c 1:3:4 rwm",
            "c 1:3* rwm",
            "C 1:3 rwm",
            "c ١:3 rwm",
        ] {
            assert_eq!(DeviceCgroupRule::parse(text), None, "{text}");
        }
    }
}
