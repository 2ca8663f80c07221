//! `POST /volumes/create`: drivers and their options (spec 30 §8).
//!
//! Owns the two checks. A driver's options are a way to the host: the `local` driver mounts whatever `device` names.

use super::Outcome;
use super::options::VolumeOptions;
use super::reason::Quoted;
use super::stop::{Judged, NOT_INSPECTABLE, conclude, deny, deny_value, read, text};
use super::text::is_blank;
use crate::json::{Reader, View};

/// Judges a body that is not empty.
pub fn inspect(body: &[u8], options: &VolumeOptions, reader: &mut Reader) -> Outcome {
    conclude(read(reader, body, |view| judge(view, options)), "volume create", NOT_INSPECTABLE)
}

fn judge(view: View<'_>, options: &VolumeOptions) -> Judged {
    let [driver, driver_opts, opts] = view.object()?.fields(["Driver", "DriverOpts", "Opts"]);
    let driver = text(driver)?;
    let has_options = !driver_opts.string_map()?.is_empty() | !opts.string_map()?.is_empty();
    let is_custom = !is_blank(driver) && !driver.trim().eq_ignore_ascii_case("local");
    if is_custom && !options.allow_custom_drivers {
        return deny_value(format_args!("driver {} is not allowed", Quoted(driver)));
    }
    if has_options && !options.allow_driver_opts {
        return deny("driver options are not allowed");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::testing::{Table, UNREADABLE};

    #[test]
    fn drivers_and_options_are_denied_by_default() {
        Table::new("volume create", |body| inspect(body, &VolumeOptions::default(), &mut Reader::new()))
            .passes([
                r#"{"Name":"x"}"#,
                r#"{"Driver":"local"}"#,
                r#"{"Driver":"LOCAL"}"#,
                r#"{"Driver":"","DriverOpts":null,"Opts":{},"Labels":null,"ClusterVolumeSpec":null}"#,
                r#"{"DriverOpts":{}}"#,
                "{}",
                "null",
            ])
            .denies(
                r#"driver "nfs" is not allowed"#,
                [r#"{"Name":"x","Driver":"nfs"}"#, r#"{"DRIVER":"nfs","DriverOpts":{"a":"b"}}"#],
            )
            .denies(
                "driver options are not allowed",
                [
                    r#"{"DriverOpts":{"device":"/srv"}}"#,
                    r#"{"Opts":{"a":"b"}}"#,
                    r#"{"Opts":{"a":null}}"#,
                    r#"{"DriverOpts":{},"Opts":{"a":"b"}}"#,
                ],
            )
            .denies(
                UNREADABLE,
                [
                    r#"["x"]"#,
                    "{",
                    r#"{"Driver":5}"#,
                    r#"{"DriverOpts":{"size":5}}"#,
                    r#"{"DriverOpts":["a"]}"#,
                    r#"{"Driver":"local","driver":"nfs"}"#,
                ],
            );
    }

    #[test]
    fn each_flag_lifts_its_check() {
        let drivers = VolumeOptions { allow_custom_drivers: true, ..VolumeOptions::default() };
        Table::new("volume create", |body| inspect(body, &drivers, &mut Reader::new()))
            .passes([r#"{"Driver":"nfs"}"#])
            .denies("driver options are not allowed", [r#"{"Driver":"nfs","DriverOpts":{"a":"b"}}"#]);
        let opts = VolumeOptions { allow_driver_opts: true, ..VolumeOptions::default() };
        Table::new("volume create", |body| inspect(body, &opts, &mut Reader::new()))
            .passes([r#"{"DriverOpts":{"type":"tmpfs","device":"tmpfs"}}"#])
            .denies(r#"driver "nfs" is not allowed"#, [r#"{"Driver":"nfs","DriverOpts":{"a":"b"}}"#]);
    }
}
