//! The presets that come with the program (spec 10 §8).
//!
//! Owns the list. The texts are the files of `packaging/presets`, which the images install as well.

/// A ready-made configuration.
#[derive(Clone, Copy, Debug)]
pub struct Preset {
    /// Name, also of its file.
    pub name: &'static str,
    /// The file.
    pub text: &'static str,
}

impl Preset {
    /// First line of the file's header: for whom it is.
    #[must_use]
    pub fn purpose(&self) -> &'static str {
        self.text.lines().next().unwrap_or_default().trim_start_matches('#').trim()
    }
}

macro_rules! presets {
    ($($name:literal),* $(,)?) => {
        &[$(Preset { name: $name, text: include_str!(concat!("../../packaging/presets/", $name, ".yaml")) }),*]
    };
}

/// All presets: the default first, then those that read, those that manage, those that build and test.
pub const PRESETS: &[Preset] = presets![
    "sockguard",
    "readonly",
    "traefik",
    "homepage",
    "homarr",
    "dozzle",
    "diun",
    "autoheal",
    "watchtower",
    "portainer",
    "compose",
    "github-actions-runner",
    "gitlab-runner",
    "jenkins",
    "testcontainers",
    "cis-docker-benchmark",
];
