//! Where in a schema something is.

use serde_json::{Map, Value};

use super::children;

/// Words for a pointer, behind what is wrong there.
pub(super) fn name(pointer: &str) -> String {
    if pointer.is_empty() { String::new() } else { format!(" (at {pointer})") }
}

/// A key as pointers have it.
pub(super) fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// What is wrong with a schema, with the place of its smallest part that has it. `fails` says what is wrong with a schema.
pub(crate) fn locate(root: &Value, reason: String, fails: impl Fn(&Value) -> Option<String>) -> String {
    /// Parts that are tried.
    const MOST: usize = 200;
    if reason.contains(" too ") {
        // of all of it, and trying its parts would take long as well
        return reason;
    }
    let mut n_tried = 0;
    let mut place = String::new();
    'deeper: while let Some(Value::Object(fields)) = root.pointer(&place) {
        for child in children(fields) {
            let pointer = format!("{place}{child}");
            n_tried += 1;
            if n_tried > MOST {
                break 'deeper;
            }
            let Some(Value::Object(part)) = root.pointer(&pointer) else { continue };
            if fails(&alone(root, part)).as_ref() == Some(&reason) {
                place = pointer;
                continue 'deeper;
            }
        }
        break;
    }
    reason + &name(&place)
}

/// A part with what it may refer to.
fn alone(root: &Value, part: &Map<String, Value>) -> Value {
    let mut part = part.clone();
    for key in ["$defs", "definitions", "$schema", "x-guidance"] {
        if let Some(value) = root.get(key) {
            part.insert(key.into(), value.clone());
        }
    }
    part.into()
}
