//! Where in a schema something is wrong that llguidance only names.

use serde_json::{Map, Value};

use crate::schema::{children, name};

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
    while let Some(Value::Object(fields)) = root.pointer(&place) {
        let parts = children(fields).map(|child| format!("{place}{child}"));
        let has_it = |pointer: &String| match root.pointer(pointer) {
            Some(Value::Object(part)) => fails(&alone(root, part)).as_ref() == Some(&reason),
            _ => false,
        };
        let parts: Vec<String> = parts.take(MOST - n_tried).collect();
        n_tried += parts.len();
        match parts.into_iter().find(has_it) {
            Some(part) => place = part,
            None => break,
        }
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
