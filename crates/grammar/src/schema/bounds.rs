//! Numbers in schemas: llguidance holds them in 64-bit floats.

use serde_json::{Map, Number, Value};

/// The largest number up to which every integer is a 64-bit float.
const EXACT: i64 = (1 << 53) - 1;
/// The largest number of which everyone who divides floats says whether it is a multiple of a fraction.
const LARGE: i64 = 1_000_000_000;

/// Steps that llguidance follows within milliseconds; it has a state for each remainder.
const FINEST: f64 = 1e-6;
const COARSEST: f64 = 10_000.0;

/// Brings bounds to what 64-bit floats hold, inwards.
///
/// # Errors
/// If a number would become another.
pub(super) fn limit(fields: &mut Map<String, Value>) -> Result<(), String> {
    for key in ["minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"] {
        let whole =
            fields.get(key).and_then(Value::as_f64).filter(|n| n.fract() == 0.0 && (0.0..1e15).contains(n));
        if let Some(whole) = whole {
            fields.insert(key.into(), (whole as u64).into());
        }
    }
    for (key, up) in
        [("minimum", true), ("exclusiveMinimum", true), ("maximum", false), ("exclusiveMaximum", false)]
    {
        if let Some(rounded) = fields.get(key).and_then(inexact).and_then(|n| round(n, up)) {
            fields.insert(key.into(), rounded.into());
        }
    }
    for key in ["const", "enum", "multipleOf"] {
        if let Some(number) = fields.get(key).and_then(any_inexact) {
            return Err(format!("{number} in \"{key}\" is not supported: a 64-bit float does not hold it"));
        }
    }
    if let Some(step) = fields.get("multipleOf") {
        if !step.as_f64().is_some_and(|step| FINEST <= step.abs() && step.abs() <= COARSEST) {
            return Err(format!(
                "\"multipleOf\" {step} is not supported: it may be from {FINEST} to {COARSEST}"
            ));
        }
        let most = if step.is_i64() { EXACT } else { LARGE };
        for (key, other, most) in
            [("minimum", "exclusiveMinimum", -most), ("maximum", "exclusiveMaximum", most)]
        {
            if !fields.contains_key(other) {
                fields.entry(key).or_insert(most.into());
            }
        }
    }
    Ok(())
}

/// An integer that a float does not hold.
fn inexact(value: &Value) -> Option<i128> {
    let number = value.as_i64().map(i128::from).or_else(|| value.as_u64().map(i128::from))?;
    (number as f64 as i128 != number).then_some(number)
}

fn any_inexact(value: &Value) -> Option<i128> {
    let mut open = vec![value];
    while let Some(value) = open.pop() {
        match value {
            Value::Array(items) => open.extend(items),
            Value::Object(fields) => open.extend(fields.values()),
            other => {
                if let Some(number) = inexact(other) {
                    return Some(number);
                }
            }
        }
    }
    None
}

/// The next number that a float holds.
fn round(number: i128, up: bool) -> Option<Number> {
    let near = number as f64;
    let rounded = match (up, (near as i128).cmp(&number)) {
        (true, std::cmp::Ordering::Less) => near.next_up(),
        (false, std::cmp::Ordering::Greater) => near.next_down(),
        _ => near,
    };
    let rounded = rounded as i128;
    i64::try_from(rounded)
        .map(Number::from)
        .or_else(|_| u64::try_from(rounded).map(Number::from))
        .ok()
        .or_else(|| Number::from_f64(rounded as f64))
}
