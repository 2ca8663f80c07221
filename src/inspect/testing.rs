//! What the inspectors' tests share: tables of bodies that pass, and of bodies that are denied with an exact reason.

use super::Outcome;
use super::options::PluginOptions;
use super::paths::PathPrefixes;
use super::stop::NOT_INSPECTABLE;

/// The reason for a body that cannot be read.
pub(crate) const UNREADABLE: &str = NOT_INSPECTABLE;

/// Bodies for one inspector under one set of options.
pub(crate) struct Table<F> {
    subject: &'static str,
    inspect: F,
}

impl<F: Fn(&[u8]) -> Outcome> Table<F> {
    pub(crate) fn new(subject: &'static str, inspect: F) -> Table<F> {
        Table { subject, inspect }
    }

    /// Each of the bodies passes.
    pub(crate) fn passes<const N: usize>(self, bodies: [&str; N]) -> Table<F> {
        for body in bodies {
            assert_eq!((self.inspect)(body.as_bytes()), Outcome::Pass, "{body}");
        }
        self
    }

    /// Each of the bodies is denied for this reason, which follows `<subject> denied: `.
    pub(crate) fn denies<const N: usize>(self, reason: &str, bodies: [&str; N]) -> Table<F> {
        let expected = Outcome::Denied(format!("{} denied: {reason}", self.subject).into());
        for body in bodies {
            assert_eq!((self.inspect)(body.as_bytes()), expected, "{body}");
        }
        self
    }
}

/// Options that let every plugin pass.
pub(crate) fn any_plugin() -> PluginOptions {
    PluginOptions {
        allow_host_network: true,
        allow_host_ipc: true,
        allow_host_pid: true,
        allow_all_devices: true,
        allow_all_capabilities: true,
        allow_all_registries: true,
        allowed_bind_mounts: PathPrefixes::new(["/"]),
        ..PluginOptions::default()
    }
}
