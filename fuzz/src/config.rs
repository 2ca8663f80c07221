//! The configuration reader (spec 10): any bytes and any variables end in a configuration or in a list of problems.

use sockguard::config::{Candidate, Environment, Layers, Overrides, Problems, compile, notices};

/// The input is a file; behind a NUL come lines `NAME=VALUE` of the environment.
pub fn config(data: &[u8]) {
    let (file, variables) = super::split_once(data, 0);
    let variables = String::from_utf8_lossy(variables);
    let environment: Environment = variables
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let signed = judge(file, Layers::Signed);
    if !variables.is_empty() {
        judge(file, Layers::CompatibilityOnly(&environment));
        judge(file, Layers::Environment(&environment));
        // The whole input as a file, NUL and all.
        judge(data, Layers::Signed);
    }
    assert_eq!(signed, judge(file, Layers::Signed), "the same file means two things");
}

/// The outcome as text.
fn judge(file: &[u8], layers: Layers<'_>) -> String {
    let candidate = match Candidate::from_bytes(file, layers, &Overrides::default()) {
        Ok(candidate) => candidate,
        Err(problems) => return shown(&problems),
    };
    let is_signed = matches!(layers, Layers::Signed);
    assert!(!(is_signed && candidate.is_compatibility_mode()), "variables widen a signed policy");
    assert!(!candidate.rules().is_empty(), "no rules are in effect");
    // Compiling opens the files that TLS names, and one of them may be a device.
    if !candidate.config.listen.tls.cert_file.is_empty() {
        return format!("{:?}", candidate.config);
    }
    match compile(&candidate) {
        Ok((settings, plan)) => {
            let notices = notices(&candidate, &plan);
            format!("{settings:?} {plan:?} {}", notices.len())
        }
        Err(problems) => shown(&problems),
    }
}

/// A list of problems has at least one, and a value of the file cannot forge a line of the operator's terminal.
fn shown(problems: &Problems) -> String {
    assert!(!problems.is_empty(), "refused without a reason");
    for line in problems.lines() {
        assert!(!line.trim().is_empty() && !line.contains(char::is_control), "{line:?}");
        assert!(line.len() < 16 << 10, "a message of {} bytes", line.len());
    }
    problems.to_string()
}
