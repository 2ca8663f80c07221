//! Keys for clients, profiles, limits and rules (spec 10 §2.4, §2.6).

use super::{RequestBody, block};

/// What a profile does with a denial.
pub const MODES: &[&str] = &["enforce", "warn", "audit"];
/// Shares of the global concurrency.
pub const PRIORITIES: &[&str] = &["low", "normal", "high"];
/// What a rule does.
pub const ACTIONS: &[&str] = &["allow", "deny"];

block! {
    /// Who may connect, and which profile they get.
    pub struct Clients {
        /// Networks that clients may come from, as CIDR; empty is all. Needs a TCP listener.
        pub allowed_cidrs: Vec<String> = Vec::new(), applied;
        /// Allow lists in the labels of the calling container.
        pub container_labels: ContainerLabels = ContainerLabels::default(), applied;
        /// Profile of clients that no assignment below matches; empty is the root policy.
        pub default_profile: String = String::new(), applied;
        /// Profiles by the caller's address; the first match in order counts.
        pub source_ip_profiles: Vec<SourceIpProfile> = Vec::new(), applied;
        /// Profiles by the verified client certificate; the first match in order counts. Needs `listen.tls`.
        pub client_certificate_profiles: Vec<CertificateProfile> = Vec::new(), applied;
        /// Profiles by the credentials of a unix socket's peer; the first match in order counts. Needs `listen.socket`.
        pub unix_peer_profiles: Vec<UnixPeerProfile> = Vec::new(), applied;
        /// One ceiling for the requests in flight of all profiles together.
        pub global_concurrency: Option<Concurrency> = None, applied;
        /// Named policies.
        pub profiles: Vec<Profile> = Vec::new(), applied;
    }
}

block! {
    /// Allow lists in the labels of the calling container, which is found by its address.
    pub struct ContainerLabels {
        /// Looks the calling container up and applies its labels.
        pub enabled: bool = false, applied;
        /// Start of the label keys; the method follows in lower case.
        pub label_prefix: String = "com.sockguard.allow.".to_owned(), applied;
    }
}

block! {
    /// A profile for callers from certain networks.
    pub struct SourceIpProfile {
        /// Name of the profile.
        pub profile: String = String::new(), applied;
        /// Networks, as CIDR.
        pub cidrs: Vec<String> = Vec::new(), applied;
    }
}

block! {
    /// A profile for certain client certificates. Every selector that is set must match, with any one of its entries.
    pub struct CertificateProfile {
        /// Name of the profile.
        pub profile: String = String::new(), applied;
        /// Common names, compared exactly.
        pub common_names: Vec<String> = Vec::new(), applied;
        /// DNS names.
        pub dns_names: Vec<String> = Vec::new(), applied;
        /// IP addresses named in the certificate.
        pub ip_addresses: Vec<String> = Vec::new(), applied;
        /// URI names.
        pub uri_sans: Vec<String> = Vec::new(), applied;
        /// URI names with the scheme `spiffe`.
        pub spiffe_ids: Vec<String> = Vec::new(), applied;
        /// Public keys: SHA-256 of the SubjectPublicKeyInfo, 64 hex digits.
        pub public_key_sha256_pins: Vec<String> = Vec::new(), applied;
    }
}

block! {
    /// A profile for certain peers of the unix socket. Every selector that is set must match, with any one of its
    /// entries.
    pub struct UnixPeerProfile {
        /// Name of the profile.
        pub profile: String = String::new(), applied;
        /// User ids.
        pub uids: Vec<u32> = Vec::new(), applied;
        /// Group ids.
        pub gids: Vec<u32> = Vec::new(), applied;
        /// Process ids. The kernel gives them to other processes later; prefer user ids.
        pub pids: Vec<i32> = Vec::new(), applied;
    }
}

block! {
    /// A ceiling for requests in flight.
    pub struct Concurrency {
        /// Most requests at a time, more than zero.
        pub max_inflight: i64 = 0, applied;
    }
}

block! {
    /// A named policy.
    pub struct Profile {
        /// Name, unique.
        pub name: String = String::new(), applied;
        /// What happens to a denied request: `enforce` denies it, `warn` and `audit` let it through and record that it
        /// would have been denied.
        pub mode: String = "enforce".to_owned(), applied one_of MODES;
        /// What the profile's clients see, in addition to the root `response`.
        pub response: ProfileResponse = ProfileResponse::default(), applied;
        /// What request bodies may ask for. Replaces the root `request_body`, of which nothing is inherited.
        pub request_body: RequestBody = RequestBody::default(), applied;
        /// What is allowed; at least one rule.
        pub rules: Vec<Rule> = Vec::new(), applied;
        /// Rate, concurrency and priority.
        pub limits: Limits = Limits::default(), applied;
    }
}

block! {
    /// What the profile's clients see, in addition to the root `response`.
    pub struct ProfileResponse {
        /// Only resources with these labels are visible, and with those of the root.
        pub visible_resource_labels: Vec<String> = Vec::new(), applied;
        /// Only containers and images whose name matches one of these globs are visible.
        pub name_patterns: Vec<String> = Vec::new(), applied;
        /// Only containers and images whose image reference matches one of these globs are visible.
        pub image_patterns: Vec<String> = Vec::new(), applied;
    }
}

block! {
    /// Rate, concurrency and priority. What is absent does not limit.
    pub struct Limits {
        /// Requests per second.
        pub rate: Option<Rate> = None, applied;
        /// Requests in flight for each client.
        pub concurrency: Option<Concurrency> = None, applied;
        /// Share of `clients.global_concurrency`: low 50 %, normal 80 %, high all of it.
        pub priority: String = "normal".to_owned(), applied one_of PRIORITIES;
    }
}

block! {
    /// A token bucket: each request takes tokens, time brings them back.
    pub struct Rate {
        /// Tokens that come back per second, more than zero.
        pub tokens_per_second: f64 = 0.0, applied;
        /// Most tokens in the bucket, at least `tokens_per_second`; 0 is `tokens_per_second`.
        pub burst: f64 = 0.0, applied;
        /// Requests that take more than one token; the first match in order counts.
        pub endpoint_costs: Vec<EndpointCost> = Vec::new(), applied;
    }
}

block! {
    /// The price of an expensive endpoint.
    pub struct EndpointCost {
        /// Glob for the path, as in rules.
        pub path: String = String::new(), applied;
        /// Methods; empty is all.
        pub methods: Vec<String> = Vec::new(), applied;
        /// Tokens, at least 1 and at most the burst.
        pub cost: f64 = 0.0, applied;
    }
}

block! {
    /// One rule.
    pub struct Rule {
        /// Which requests.
        pub r#match: Match = Match::default(), applied;
        /// What happens to them.
        pub action: String = String::new(), applied one_of ACTIONS;
        /// Why; recorded, and told to the client when `response.deny_verbosity` is `verbose`.
        pub reason: String = String::new(), applied;
    }
}

block! {
    /// Which requests a rule is for.
    pub struct Match {
        /// Methods separated by commas, or `*`. `GET` does not include `HEAD`.
        pub method: String = String::new(), applied;
        /// Glob for the path without its version prefix: `*` is a run without slashes, `**` anything, `/**` also
        /// nothing.
        pub path: String = String::new(), applied;
    }
}
