//! Response redaction.

/// Which kinds of data are taken out of the Engine's answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Toggles {
    /// `response.redact_container_env`
    pub container_env: bool,
    /// `response.redact_mount_paths`
    pub mount_paths: bool,
    /// `response.redact_network_topology`
    pub network_topology: bool,
    /// `response.redact_sensitive_data`
    pub sensitive_data: bool,
}
