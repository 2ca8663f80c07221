//! Every configuration key, once (spec 10 §2).
//!
//! Owns the `block!` macro and the root of the configuration. A block is declared with its keys, each with its type,
//! default, what a change of it needs, and the text that the reference prints. Values are kept as written: what they
//! have to look like is checked in [`check`](super::check), what they mean is compiled in [`compile`](super::compile).

mod clients;
mod process;
mod request_body;
mod response;

pub use clients::{
    ACTIONS, CertificateProfile, Clients, Concurrency, ContainerLabels, EndpointCost, Limits, MODES, Match, PRIORITIES,
    Profile, ProfileResponse, Rate, Rule, SourceIpProfile, UnixPeerProfile,
};
pub use process::{
    AUDIT_FORMATS, Admin, AdminListen, Audit, Health, KeylessIdentity, LOG_FORMATS, LOG_LEVELS, Listen, Log, Metrics,
    PolicyBundle, Reload, SOCKET_MODES, SigningKey, Tls, Upstream, Watchdog,
};
pub use request_body::{
    Build, ContainerArchive, ContainerCreate, ContainerUpdate, DeviceRequest, Drivers, Exec, ImageLoad, ImagePull,
    ImageTrust, Network, Node, Plugin, RequestBody, Service, Swarm, TRUST_MODES, Volume,
};
pub use response::{DENY_VERBOSITIES, Ownership, Response};

/// Declares a block of keys: the struct, its defaults, its reader and its rows of the table.
///
/// After the default comes what a change needs: `applied` (the next reload), `restart`, or `file_only` (the next
/// reload, and the environment cannot set it); then, when only certain texts are accepted, `one_of` and the list of
/// them.
macro_rules! block {
    (
        $(#[doc = $doc:literal])+
        pub struct $block:ident {$(
            $(#[doc = $field_doc:literal])+
            pub $field:ident: $type:ty = $default:expr, $change:ident $(one_of $values:expr)?;
        )*}
    ) => {
        $(#[doc = $doc])+
        #[derive(Clone, Debug, PartialEq)]
        pub struct $block {$(
            $(#[doc = $field_doc])+
            pub $field: $type,
        )*}

        impl Default for $block {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }

        impl $crate::config::field::Schema for $block {
            const BLOCK: &'static $crate::config::field::Block = &$crate::config::field::Block {
                name: stringify!($block),
                doc: concat!($($doc, "\n"),+),
                fields: &[$($crate::config::field::Field {
                    name: $crate::config::schema::key(stringify!($field)),
                    doc: concat!($($field_doc, "\n"),+),
                    kind: <$type as $crate::config::field::Setting>::KIND,
                    reload: $crate::config::schema::block!(@reload $change),
                    env: $crate::config::schema::block!(@env $change),
                    values: $crate::config::schema::block!(@values $($values)?),
                    default: || <$type as $crate::config::field::Setting>::json(&$default),
                }),*],
            };

            fn read_key(
                &mut self,
                name: &str,
                node: &$crate::config::yaml::Node,
                reader: &mut $crate::config::field::Reader,
            ) -> bool {
                $(if name == $crate::config::schema::key(stringify!($field)) {
                    $crate::config::field::Setting::read(&mut self.$field, node, reader);
                    return true;
                })*
                false
            }

            fn json(&self) -> serde_json::Value {
                let mut map = serde_json::Map::new();
                $(map.insert(
                    $crate::config::schema::key(stringify!($field)).to_owned(),
                    $crate::config::field::Setting::json(&self.$field),
                );)*
                serde_json::Value::Object(map)
            }
        }

        impl $crate::config::field::Setting for $block {
            const KIND: $crate::config::field::Kind =
                $crate::config::field::Kind::Block(<Self as $crate::config::field::Schema>::BLOCK);

            fn read(&mut self, node: &$crate::config::yaml::Node, reader: &mut $crate::config::field::Reader) {
                $crate::config::field::read_block(self, node, Self::KIND, reader);
            }

            fn json(&self) -> serde_json::Value {
                $crate::config::field::Schema::json(self)
            }
        }
    };
    (@reload restart) => { $crate::config::field::Reload::Restart };
    (@reload $applied:ident) => { $crate::config::field::Reload::Applied };
    (@env file_only) => { false };
    (@env $settable:ident) => { true };
    (@values) => { &[] };
    (@values $values:expr) => { $values };
}
pub(crate) use block;

/// The key of a field: Rust spells the key `match` as `r#match`.
const fn key(field: &'static str) -> &'static str {
    match field.as_bytes() {
        [b'r', b'#', ..] => field.split_at(2).1,
        _ => field,
    }
}

block! {
    /// The whole configuration.
    pub struct Config {
        /// Where clients connect.
        pub listen: Listen = Listen::default(), restart;
        /// The Docker Engine behind the proxy.
        pub upstream: Upstream = Upstream::default(), restart;
        /// Operational log, access log and audit stream.
        pub log: Log = Log::default(), restart;
        /// Accepts rules that expose writes whose bodies cannot be inspected: exec without `allowed_commands`, swarm
        /// join without `allowed_join_remote_addrs`, plugin settings without `allowed_set_env_prefixes`. Holds for the
        /// root rules and for every profile.
        pub insecure_allow_body_blind_writes: bool = false, applied;
        /// Accepts rules that expose raw reads: archive, export, logs, attach, image tarballs, pushes. Holds for the
        /// root rules and for every profile.
        pub insecure_allow_read_exfiltration: bool = false, applied;
        /// What is allowed: the first rule that matches method and path decides, and what no rule matches is denied.
        /// When absent or empty, the built-in rules hold, or those of the compatibility variables.
        pub rules: Vec<Rule> = Vec::new(), applied;
        /// What clients see of the Engine's answers and of denials.
        pub response: Response = Response::default(), applied;
        /// What request bodies may ask for, where the root rules decide.
        pub request_body: RequestBody = RequestBody::default(), applied;
        /// Who may connect, and which profile they get.
        pub clients: Clients = Clients::default(), applied;
        /// Isolation of resources by an owner label.
        pub ownership: Ownership = Ownership::default(), applied;
        /// The health endpoint.
        pub health: Health = Health::default(), restart;
        /// The metrics endpoint.
        pub metrics: Metrics = Metrics::default(), restart;
        /// The endpoints that validate a candidate configuration and tell the running policy's version.
        pub admin: Admin = Admin::default(), restart;
        /// Reload of the configuration without a restart.
        pub reload: Reload = Reload::default(), restart;
        /// Signature on the configuration file itself.
        pub policy_bundle: PolicyBundle = PolicyBundle::default(), restart;
    }
}
