//! `HostConfig.SecurityOpt`: seccomp, AppArmor and no-new-privileges (spec 30 §1.4, §1.5).
//!
//! Owns the reading of the entries and the judgement of each. One pass, no allocation unless something is denied.

use std::borrow::Cow;

use super::options::ContainerCreateOptions;
use super::reason::Quoted;

/// A profile that confines nothing.
const UNCONFINED: &str = "unconfined";

/// What a container's security options say.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SecurityOptions {
    /// The last `no-new-privileges` entry, which is the one that the Engine applies (spec 30 §15 gap 8).
    pub(crate) no_new_privileges: bool,
    has_seccomp: bool,
    has_apparmor: bool,
}

/// `key=value` or `key:value`, cut at the first of the two, blanks around both removed. Without either the value is
/// `None`.
fn split(entry: &str) -> (&str, Option<&str>) {
    let entry = entry.trim();
    match entry.find(['=', ':']).and_then(|at| entry.split_at_checked(at)) {
        Some((key, value)) => (key.trim(), Some(value.get(1..).unwrap_or_default().trim())),
        None => (entry, None),
    }
}

impl SecurityOptions {
    /// Reads the entries and judges the profiles that they name.
    ///
    /// # Errors
    /// The reason why a profile is denied.
    pub(crate) fn judge<'e>(
        entries: impl Iterator<Item = &'e str>,
        options: &ContainerCreateOptions,
    ) -> Result<SecurityOptions, Cow<'static, str>> {
        let mut seen = SecurityOptions::default();
        for entry in entries {
            let (key, value) = split(entry);
            if key.eq_ignore_ascii_case("no-new-privileges") {
                seen.no_new_privileges = value.is_none_or(|value| value.eq_ignore_ascii_case("true"));
            } else if let Some(value) = value {
                if key.eq_ignore_ascii_case("seccomp") {
                    seen.has_seccomp = true;
                    SECCOMP.judge(value, &options.allowed_seccomp_profiles, options.deny_unconfined_seccomp)?;
                } else if key.eq_ignore_ascii_case("apparmor") {
                    seen.has_apparmor = true;
                    APPARMOR.judge(value, &options.allowed_apparmor_profiles, options.deny_unconfined_apparmor)?;
                }
            }
        }
        SECCOMP.require(seen.has_seccomp, &options.allowed_seccomp_profiles)?;
        APPARMOR.require(seen.has_apparmor, &options.allowed_apparmor_profiles)?;
        Ok(seen)
    }
}

/// A mechanism with profiles.
struct Mechanism {
    name: &'static str,
    /// Names of the profile that the Engine takes when none is asked for.
    defaults: &'static [&'static str],
    unconfined: &'static str,
    required: &'static str,
}

const SECCOMP: Mechanism = Mechanism {
    name: "seccomp",
    defaults: &["default"],
    unconfined: "unconfined seccomp profile is not allowed",
    required: "a seccomp profile is required (set HostConfig.SecurityOpt to include seccomp=<profile>)",
};

const APPARMOR: Mechanism = Mechanism {
    name: "apparmor",
    defaults: &["default", "docker-default", "runtime/default"],
    unconfined: "unconfined apparmor profile is not allowed",
    required: "an apparmor profile is required (set HostConfig.SecurityOpt to include apparmor=<profile>)",
};

impl Mechanism {
    fn judge(&self, value: &str, allowed: &[String], deny_unconfined: bool) -> Result<(), Cow<'static, str>> {
        if allowed.is_empty() {
            let is_denied = deny_unconfined && value.eq_ignore_ascii_case(UNCONFINED);
            return if is_denied { Err(self.unconfined.into()) } else { Ok(()) };
        }
        if allowed.iter().any(|profile| profile == value) {
            return Ok(());
        }
        Err(format!("{} profile {} is not in the allowed list", self.name, Quoted(value)).into())
    }

    fn require(&self, is_given: bool, allowed: &[String]) -> Result<(), Cow<'static, str>> {
        let allows_default = allowed.iter().any(|profile| self.defaults.contains(&profile.as_str()));
        if is_given || allowed.is_empty() || allows_default { Ok(()) } else { Err(self.required.into()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(entries: &[&str], change: impl Fn(&mut ContainerCreateOptions)) -> Result<bool, String> {
        let mut options = ContainerCreateOptions::default();
        change(&mut options);
        let judged = SecurityOptions::judge(entries.iter().copied(), &options);
        judged.map(|seen| seen.no_new_privileges).map_err(Cow::into_owned)
    }

    fn list(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn nothing_is_enforced_by_default() {
        assert_eq!(judge(&["seccomp=unconfined", "apparmor=unconfined", "label=disable", "x", ""], |_| {}), Ok(false));
    }

    #[test]
    fn unconfined_can_be_denied() {
        let denied = Err("unconfined seccomp profile is not allowed".to_owned());
        for entry in ["seccomp=unconfined", "seccomp:Unconfined", " Seccomp = unconfined ", "SECCOMP:UNCONFINED"] {
            assert_eq!(judge(&["label=x", entry], |o| o.deny_unconfined_seccomp = true), denied, "{entry}");
            assert_eq!(judge(&[entry], |o| o.deny_unconfined_apparmor = true), Ok(false), "{entry}");
        }
        let denied = Err("unconfined apparmor profile is not allowed".to_owned());
        assert_eq!(judge(&["apparmor:UNCONFINED"], |o| o.deny_unconfined_apparmor = true), denied);
        assert_eq!(judge(&["seccomp=other.json", "seccomp"], |o| o.deny_unconfined_seccomp = true), Ok(false));
    }

    #[test]
    fn a_list_denies_what_it_lacks() {
        let inline = r#"{"defaultAction":"SCMP_ACT_ERRNO","names":["a:b"]}"#;
        let set = |o: &mut ContainerCreateOptions| o.allowed_seccomp_profiles = list(&["runtime/default", inline]);
        let denied = |name: &str| Err(format!("seccomp profile {name} is not in the allowed list"));
        assert_eq!(judge(&["seccomp=runtime/default"], set), Ok(false));
        assert_eq!(judge(&["seccomp:runtime/default"], set), Ok(false));
        assert_eq!(judge(&[&format!("seccomp={inline}")], set), Ok(false));
        assert_eq!(judge(&["seccomp=other.json"], set), denied("\"other.json\""));
        assert_eq!(judge(&["seccomp=Runtime/Default"], set), denied("\"Runtime/Default\""));
        assert_eq!(judge(&["seccomp=runtime/default", "seccomp=unconfined"], set), denied("\"unconfined\""));
        let required =
            "a seccomp profile is required (set HostConfig.SecurityOpt to include seccomp=<profile>)".to_owned();
        assert_eq!(judge(&[], set), Err(required.clone()));
        assert_eq!(judge(&["seccomp"], set), Err(required));
    }

    #[test]
    fn a_listed_default_needs_no_entry() {
        assert_eq!(judge(&[], |o| o.allowed_seccomp_profiles = list(&["default"])), Ok(false));
        for name in ["default", "docker-default", "runtime/default"] {
            assert_eq!(judge(&[], |o| o.allowed_apparmor_profiles = list(&["web", name])), Ok(false), "{name}");
        }
        let required =
            "an apparmor profile is required (set HostConfig.SecurityOpt to include apparmor=<profile>)".to_owned();
        assert_eq!(judge(&[], |o| o.allowed_apparmor_profiles = list(&["web"])), Err(required));
        let denied = Err("apparmor profile \"mail\" is not in the allowed list".to_owned());
        assert_eq!(judge(&["apparmor=mail"], |o| o.allowed_apparmor_profiles = list(&["web"])), denied);
        let other_keys = ["label=type:x", "label=unconfined", "systempaths=unconfined"];
        let web = |o: &mut ContainerCreateOptions| o.allowed_apparmor_profiles = list(&["docker-default", "web"]);
        assert_eq!(judge(&other_keys, web), Ok(false));
        assert_eq!(judge(&other_keys, |o| o.deny_unconfined_apparmor = true), Ok(false));
        let unconfined = |o: &mut ContainerCreateOptions| {
            o.allowed_seccomp_profiles = list(&["unconfined"]);
            o.deny_unconfined_seccomp = true;
        };
        assert_eq!(judge(&["seccomp=unconfined"], unconfined), Ok(false), "the toggle acts only without a list");
    }

    #[test]
    fn the_last_no_new_privileges_counts() {
        for (entries, expected) in [
            (&["no-new-privileges"][..], true),
            (&["no-new-privileges:true"], true),
            (&["no-new-privileges=true"], true),
            (&[" No-New-Privileges: TRUE "], true),
            (&["label=type:x", "no-new-privileges:true"], true),
            (&["no-new-privileges:false", "no-new-privileges"], true),
            (&["no-new-privileges:true", "no-new-privileges:false"], false),
            (&["no-new-privileges:false"], false),
            (&["no-new-privileges:1"], false),
            (&["no-new-privileges:"], false),
            (&["no-new-privilege"], false),
            (&[], false),
        ] {
            assert_eq!(judge(entries, |_| {}), Ok(expected), "{entries:?}");
        }
    }
}
