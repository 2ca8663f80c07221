//! Keys for what clients see, and for owner isolation (spec 10 §2.2).

use super::block;

/// How much a denial tells.
pub const DENY_VERBOSITIES: &[&str] = &["minimal", "verbose"];

block! {
    /// What clients see of the Engine's answers and of denials.
    pub struct Response {
        /// How much a denial tells: `minimal` only that it is one, `verbose` also method, path and reason. Verbose
        /// answers help whoever writes rules; to others they give the rules away.
        pub deny_verbosity: String = "minimal".to_owned(), applied one_of DENY_VERBOSITIES;
        /// Empties environment lists of containers, services, tasks and plugins.
        pub redact_container_env: bool = true, applied;
        /// Redacts host paths of mounts and devices.
        pub redact_mount_paths: bool = true, applied;
        /// Redacts network addresses, network ids and the topology of the swarm.
        pub redact_network_topology: bool = true, applied;
        /// Redacts config payloads, secret references, swarm tokens and TLS material.
        pub redact_sensitive_data: bool = true, applied;
        /// Only resources with these labels are visible: `key` or `key=value`, all of them.
        pub visible_resource_labels: Vec<String> = Vec::new(), applied;
        /// Only containers and images whose name matches one of these globs are visible.
        pub name_patterns: Vec<String> = Vec::new(), applied;
        /// Only containers and images whose image reference matches one of these globs are visible.
        pub image_patterns: Vec<String> = Vec::new(), applied;
    }
}

block! {
    /// Isolation of resources by an owner label.
    pub struct Ownership {
        /// Owner of everything that is created through this proxy; empty turns the isolation off.
        pub owner: String = String::new(), applied;
        /// Label that names the owner.
        pub label_key: String = "com.sockguard.owner".to_owned(), applied;
        /// Leaves images without the label usable.
        pub allow_unowned_images: bool = true, applied;
    }
}
