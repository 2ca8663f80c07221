//! `POST /secrets/create` and `POST /configs/create`: drivers and template drivers (spec 30 §10).
//!
//! Owns the two checks, which both resources share. What a secret holds is not read.

use super::Outcome;
use super::options::DriverOptions;
use super::reason::Quoted;
use super::stop::{Judged, NOT_INSPECTABLE, conclude, deny_value, read, text};
use super::text::is_blank;
use crate::json::{Field, Reader, TypeError, View};

/// Judges the body of `POST /secrets/create` that is not empty.
pub fn inspect_secret(body: &[u8], options: &DriverOptions, reader: &mut Reader) -> Outcome {
    conclude(read(reader, body, |view| judge(view, options)), "secret create", NOT_INSPECTABLE)
}

/// Judges the body of `POST /configs/create` that is not empty.
pub fn inspect_config(body: &[u8], options: &DriverOptions, reader: &mut Reader) -> Outcome {
    conclude(read(reader, body, |view| judge(view, options)), "config create", NOT_INSPECTABLE)
}

fn judge(view: View<'_>, options: &DriverOptions) -> Judged {
    let [driver, template_driver, templating] = view.object()?.fields(["Driver", "TemplateDriver", "Templating"]);
    // A name, or the Engine's own shape, an object with a name.
    let driver = text(driver).or_else(|_| name(driver))?;
    let template_driver = text(template_driver)?;
    let templating = name(templating)?;
    if !is_blank(driver) && !options.allow_custom_drivers {
        return deny_value(format_args!("driver {} is not allowed", Quoted(driver)));
    }
    let template = if is_blank(template_driver) { templating } else { template_driver };
    if !is_blank(template) && !options.allow_template_drivers {
        return deny_value(format_args!("template driver {} is not allowed", Quoted(template)));
    }
    Ok(())
}

/// The `Name` of an object.
fn name(field: Field<'_>) -> Result<&str, TypeError> {
    text(field.object()?.unwrap_or_default().field("Name"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::testing::{Table, UNREADABLE};

    type Inspect = fn(&[u8], &DriverOptions, &mut Reader) -> Outcome;
    const BOTH: [(&str, Inspect); 2] = [("secret create", inspect_secret), ("config create", inspect_config)];

    #[test]
    fn drivers_are_denied_by_default() {
        for (subject, inspect) in BOTH {
            Table::new(subject, |body| inspect(body, &DriverOptions::default(), &mut Reader::new()))
                .passes([
                    r#"{"Name":"db","Data":"c2VjcmV0"}"#,
                    r#"{"Name":null,"Labels":null,"Data":null,"Driver":null,"Templating":null,"TemplateDriver":null}"#,
                    r#"{"Driver":"","Templating":{"Name":""},"TemplateDriver":" "}"#,
                    r#"{"Driver":{}}"#,
                    r#"{"Driver":{"Name":null,"Options":null}}"#,
                    r#"{"Data":"!!!"}"#,
                    "null",
                ])
                .denies(
                    r#"driver "s3" is not allowed"#,
                    [
                        r#"{"Driver":"s3"}"#,
                        r#"{"driver":"s3","Templating":{"Name":"golang"}}"#,
                        r#"{"Driver":{"Name":"s3","Options":{"a":"b"}}}"#,
                    ],
                )
                .denies(
                    r#"template driver "golang" is not allowed"#,
                    [
                        r#"{"Templating":{"Name":"golang"}}"#,
                        r#"{"TemplateDriver":"golang","Templating":{"Name":"other"}}"#,
                        r#"{"TemplateDriver":" ","Templating":{"Name":"golang"}}"#,
                    ],
                )
                .denies(
                    UNREADABLE,
                    [
                        r#"{"Name":"db""#,
                        "[]",
                        r#"{"Driver":7}"#,
                        r#"{"Driver":{"Name":7}}"#,
                        r#"{"Driver":["s3"]}"#,
                        r#"{"Templating":"golang"}"#,
                        r#"{"TemplateDriver":{}}"#,
                    ],
                );
        }
    }

    #[test]
    fn each_flag_lifts_its_check() {
        for (subject, inspect) in BOTH {
            let drivers = DriverOptions { allow_custom_drivers: true, ..DriverOptions::default() };
            Table::new(subject, |body| inspect(body, &drivers, &mut Reader::new()))
                .passes([r#"{"Driver":"s3"}"#, r#"{"Driver":{"Name":"s3"}}"#])
                .denies(r#"template driver "t" is not allowed"#, [r#"{"Driver":"s3","Templating":{"Name":"t"}}"#]);
            let templates = DriverOptions { allow_template_drivers: true, ..DriverOptions::default() };
            Table::new(subject, |body| inspect(body, &templates, &mut Reader::new()))
                .passes([r#"{"Templating":{"Name":"golang"}}"#])
                .denies(r#"driver "s3" is not allowed"#, [r#"{"Driver":"s3","TemplateDriver":"x"}"#]);
        }
    }
}
