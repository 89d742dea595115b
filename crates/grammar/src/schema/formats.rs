//! The keyword `format`.

use serde_json::{Map, Value};

use super::patterns;

/// Addresses are as long as somebody writes them, which llguidance does not limit.
const LONGEST: u64 = 60;
/// A second 60 there is in some minutes only.
const NO_LEAP_SECOND: &str = r"^[^:]*[0-9]{2}:[0-9]{2}:[0-5][0-9].*$";
/// 29 February there is in some years only.
const LEAP_DAY: &str = r"^([0-9]{4}-(0[13-9]|1[0-2])-[0-9]{2}|[0-9]{4}-02-([01][0-9]|2[0-8])|([0-9]{2}(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)-02-29)";
/// Names in which two hyphens follow each other may be encoded ones, which are not any text.
const NAME: &str = r"[A-Za-z0-9]+(-[A-Za-z0-9]+)*(\.[A-Za-z0-9]+(-[A-Za-z0-9]+)*)*";
const MAILBOX: &str = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*";

/// Narrows formats that llguidance takes too loosely.
///
/// # Errors
/// If the specification has a format that llguidance does not know. Formats that nobody but the schema's author knows say
/// nothing, and are removed.
pub(super) fn limit(fields: &mut Map<String, Value>) -> Result<(), String> {
    let Some(Value::String(format)) = fields.get("format") else { return Ok(()) };
    match &**format {
        "date" => patterns::require(fields, &format!("{LEAP_DAY}$")),
        "date-time" => {
            patterns::require(fields, &format!("{LEAP_DAY}[tT][0-9]{{2}}:[0-9]{{2}}:[0-5][0-9].*$"));
        }
        "time" => patterns::require(fields, NO_LEAP_SECOND),
        "email" => replace(fields, &format!("^{MAILBOX}@{NAME}$")),
        "hostname" => replace(fields, &format!("^{NAME}$")),
        "duration" | "ipv4" | "ipv6" | "uri" | "uuid" => {}
        "idn-email"
        | "idn-hostname"
        | "iri"
        | "iri-reference"
        | "json-pointer"
        | "regex"
        | "relative-json-pointer"
        | "uri-reference"
        | "uri-template" => return Err(format!("the \"format\" \"{format}\" is not supported")),
        _ => drop(fields.shift_remove("format")),
    }
    Ok(())
}

/// With a pattern of our own: both together are more than llguidance looks through.
fn replace(fields: &mut Map<String, Value>, pattern: &str) {
    let given = fields.get("maxLength").and_then(Value::as_u64).unwrap_or(LONGEST);
    fields.insert("maxLength".into(), given.min(LONGEST).into());
    fields.shift_remove("format");
    patterns::require(fields, pattern);
}
