//! Keys of the process: listeners, Engine socket, logs, local endpoints, reload, signed configuration (spec 10 §2.1,
//! §2.3).

use super::block;

/// Levels of the operational log.
pub const LOG_LEVELS: &[&str] = &["debug", "info", "warn", "error"];
/// Formats of the operational log.
pub const LOG_FORMATS: &[&str] = &["json", "text"];
/// Formats of the audit stream.
pub const AUDIT_FORMATS: &[&str] = &["json"];
/// Modes of a unix socket.
pub const SOCKET_MODES: &[&str] = &["0600"];

block! {
    /// Where clients connect.
    pub struct Listen {
        /// Path of a unix socket to listen on. When set, `address` and `tls` are not used.
        pub socket: String = String::new(), restart;
        /// Mode of the unix socket. Only the owner may connect: wider modes are refused.
        pub socket_mode: String = "0600".to_owned(), restart one_of SOCKET_MODES;
        /// TCP address to listen on, `host:port`. An address that is not loopback needs `tls` or both acknowledgments.
        pub address: String = "127.0.0.1:2375".to_owned(), restart;
        /// First acknowledgment for TCP without TLS beyond loopback: nothing is encrypted.
        pub insecure_allow_plain_tcp: bool = false, restart;
        /// Second acknowledgment for TCP without TLS beyond loopback: whoever reaches the port is a client.
        pub insecure_allow_unauthenticated_clients: bool = false, restart;
        /// Mutual TLS: TLS 1.3, client certificate required.
        pub tls: Tls = Tls::default(), restart;
    }
}

block! {
    /// Mutual TLS. The three files go together; the selectors narrow which verified client certificates are accepted:
    /// every selector that is set must match, with any one of its entries.
    pub struct Tls {
        /// PEM file with the certificate of the listener and its chain.
        pub cert_file: String = String::new(), restart;
        /// PEM file with the private key of the certificate.
        pub key_file: String = String::new(), restart;
        /// PEM file with the authorities that issue client certificates.
        pub client_ca_file: String = String::new(), restart;
        /// Accepted common names of the client certificate, compared exactly.
        pub common_names: Vec<String> = Vec::new(), restart;
        /// Accepted DNS names of the client certificate.
        pub dns_names: Vec<String> = Vec::new(), restart;
        /// Accepted IP addresses named in the client certificate; this is not the caller's address.
        pub ip_addresses: Vec<String> = Vec::new(), restart;
        /// Accepted URI names of the client certificate, for example `spiffe://…`.
        pub uri_sans: Vec<String> = Vec::new(), restart;
        /// Accepted public keys of the client certificate: SHA-256 of its SubjectPublicKeyInfo, 64 hex digits,
        /// `sha256:` before them if you like.
        pub public_key_sha256_pins: Vec<String> = Vec::new(), restart;
    }
}

block! {
    /// The Docker Engine behind the proxy.
    pub struct Upstream {
        /// Path of the Engine's unix socket. The compatibility variable `SOCKET_PATH` sets it, too.
        pub socket: String = "/var/run/docker.sock".to_owned(), restart;
    }
}

block! {
    /// Operational log, access log and audit stream.
    pub struct Log {
        /// Lowest level that is written. The compatibility variable `LOG_LEVEL` sets it, too.
        pub level: String = "info".to_owned(), restart one_of LOG_LEVELS;
        /// Format of the log lines.
        pub format: String = "json".to_owned(), restart one_of LOG_FORMATS;
        /// Where the log goes: `stderr`, `stdout`, `file:/absolute/path` or `/absolute/path`.
        pub output: String = "stderr".to_owned(), restart;
        /// One record for every request.
        pub access_log: bool = true, restart;
        /// The audit stream: one record for every request, with a stable schema.
        pub audit: Audit = Audit::default(), restart;
    }
}

block! {
    /// The audit stream: one record for every request, with a stable schema.
    pub struct Audit {
        /// Writes the stream.
        pub enabled: bool = false, restart;
        /// Format of the records.
        pub format: String = "json".to_owned(), restart one_of AUDIT_FORMATS;
        /// Where the stream goes, as `log.output`. A file is created with mode 0600 when it does not exist.
        pub output: String = "stderr".to_owned(), restart;
    }
}

block! {
    /// The health endpoint.
    pub struct Health {
        /// Serves the endpoint.
        pub enabled: bool = true, restart;
        /// Path of the endpoint on the main listener.
        pub path: String = "/health".to_owned(), restart;
        /// Watches the Engine's socket all the time instead of when somebody asks.
        pub watchdog: Watchdog = Watchdog::default(), restart;
    }
}

block! {
    /// Watches the Engine's socket all the time instead of when somebody asks.
    pub struct Watchdog {
        /// Runs the watchdog.
        pub enabled: bool = false, restart;
        /// Time between two checks, more than zero.
        pub interval: String = "5s".to_owned(), restart;
    }
}

block! {
    /// The metrics endpoint.
    pub struct Metrics {
        /// Serves Prometheus text metrics on the main listener.
        pub enabled: bool = false, restart;
        /// Path of the endpoint.
        pub path: String = "/metrics".to_owned(), restart;
    }
}

block! {
    /// The endpoints that validate a candidate configuration and tell the running policy's version.
    pub struct Admin {
        /// Serves the endpoints.
        pub enabled: bool = false, restart;
        /// Path that takes a candidate configuration with POST.
        pub path: String = "/admin/validate".to_owned(), restart;
        /// Path that tells the version of the running policy.
        pub policy_version_path: String = "/admin/policy/version".to_owned(), restart;
        /// Largest candidate, in bytes, more than zero.
        pub max_request_bytes: i64 = 524_288, restart;
        /// A listener of its own. Without one the endpoints are on the main listener.
        pub listen: AdminListen = AdminListen::default(), restart;
    }
}

block! {
    /// The admin endpoints' own listener; used when `socket` or `address` is set.
    pub struct AdminListen {
        /// Path of a unix socket.
        pub socket: String = String::new(), restart;
        /// TCP address, `host:port`. Not together with `socket`.
        pub address: String = String::new(), restart;
        /// Mode of the unix socket.
        pub socket_mode: String = "0600".to_owned(), restart one_of SOCKET_MODES;
        /// First acknowledgment for TCP without TLS beyond loopback.
        pub insecure_allow_plain_tcp: bool = false, restart;
        /// Second acknowledgment for TCP without TLS beyond loopback.
        pub insecure_allow_unauthenticated_clients: bool = false, restart;
        /// Mutual TLS, as `listen.tls`.
        pub tls: Tls = Tls::default(), restart;
    }
}

block! {
    /// Reload of the configuration without a restart.
    pub struct Reload {
        /// Reloads on SIGHUP and when the file changes. Without it SIGHUP ends the process.
        pub enabled: bool = false, restart;
        /// Quiet time after a change of the file before it is read; empty or zero is `250ms`.
        pub debounce: String = "250ms".to_owned(), restart;
        /// Time between two looks at the file, for file systems that report no changes; empty or zero is never.
        pub poll_interval: String = String::new(), restart;
    }
}

block! {
    /// Signature on the configuration file itself: a file that no listed signer has signed is refused.
    pub struct PolicyBundle {
        /// Demands the signature. The environment then no longer changes the configuration.
        pub enabled: bool = false, restart;
        /// Sigstore bundle with the signature, as `cosign sign-blob --bundle` writes it.
        pub signature_path: String = String::new(), applied;
        /// Public keys of accepted signers.
        pub allowed_signing_keys: Vec<SigningKey> = Vec::new(), restart;
        /// Identities of accepted keyless signers.
        pub allowed_keyless: Vec<KeylessIdentity> = Vec::new(), restart;
        /// Demands an entry in the transparency log for keyless signatures.
        pub require_rekor_inclusion: bool = true, restart;
        /// Longest verification; empty is `10s`.
        pub verify_timeout: String = String::new(), restart;
    }
}

block! {
    /// A public key that signatures are checked with.
    pub struct SigningKey {
        /// The key: PEM, ECDSA, RSA or ed25519.
        pub pem: String = String::new(), restart;
    }
}

block! {
    /// A keyless signer.
    pub struct KeylessIdentity {
        /// Issuer of the identity token, compared exactly.
        pub issuer: String = String::new(), restart;
        /// Regular expression that must match the whole subject name of the signing certificate.
        pub subject_pattern: String = String::new(), restart;
    }
}
