//! Which keywords there are, what they hold, and which of them can be followed.

use serde_json::{Map, Value, json};

use super::draft::Draft;

/// What is behind a keyword.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    /// A schema; in `items` also a list of them.
    Schema,
    /// Schemas by names, or a list of them.
    Schemas,
    /// Something else, or schemas that are reached by references only.
    Other,
}

/// What is behind a keyword that llguidance knows.
pub(super) fn holds(keyword: &str) -> Holds {
    match keyword {
        "additionalProperties" | "items" | "additionalItems" => Holds::Schema,
        "properties" | "patternProperties" | "allOf" | "anyOf" | "oneOf" | "prefixItems" => Holds::Schemas,
        _ => Holds::Other,
    }
}

/// Keywords that say something that llguidance cannot follow, and the draft that brought them.
const REFUSED: [(&str, Draft); 15] = [
    ("not", Draft::Four),
    ("dependencies", Draft::Four),
    ("uniqueItems", Draft::Four),
    ("contains", Draft::Six),
    ("propertyNames", Draft::Six),
    ("if", Draft::Seven),
    ("minContains", Draft::Of2019),
    ("maxContains", Draft::Of2019),
    ("dependentRequired", Draft::Of2019),
    ("dependentSchemas", Draft::Of2019),
    ("unevaluatedItems", Draft::Of2019),
    ("unevaluatedProperties", Draft::Of2019),
    ("$recursiveRef", Draft::Of2019),
    ("$dynamicRef", Draft::Of2020),
    ("contentMediaType", Draft::Six),
];

/// Takes out what says nothing.
///
/// # Errors
/// If something says what cannot be followed.
pub(super) fn reduce(fields: &mut Map<String, Value>, draft: Draft) -> Result<(), String> {
    drop_idle(fields, draft);
    evaluate(fields, "unevaluatedProperties", "additionalProperties");
    evaluate(fields, "unevaluatedItems", "items");
    if fields.get("contentEncoding") == Some(&json!("base64")) && draft <= Draft::Seven {
        super::patterns::require(fields, "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$");
    }
    match REFUSED.iter().find(|(keyword, since)| draft >= *since && fields.contains_key(*keyword)) {
        Some((keyword, _)) => Err(format!("\"{keyword}\" is not supported")),
        None => Ok(()),
    }
}

/// Removes keywords that have no effect where they are.
fn drop_idle(fields: &mut Map<String, Value>, draft: Draft) {
    let is_true =
        |value: &Value| *value == json!(true) || *value == json!({}) || *value == json!({"type": "string"});
    let has = |key: &str| fields.contains_key(key);
    let mut idle: Vec<&str> = Vec::new();
    if fields.get("uniqueItems") == Some(&json!(false)) {
        idle.push("uniqueItems");
    }
    if fields.get("propertyNames").is_some_and(is_true) {
        idle.push("propertyNames");
    }
    if !has("contains") {
        idle.extend(["minContains", "maxContains"]);
    }
    if !has("if") {
        idle.extend(["then", "else"]);
    } else if !has("then") && !has("else") {
        idle.push("if");
    }
    for key in ["dependencies", "dependentRequired", "dependentSchemas"] {
        if fields.get(key) == Some(&json!({})) {
            idle.push(key);
        }
    }
    match draft {
        // an annotation since then
        Draft::Of2019 => idle.push("contentMediaType"),
        // where it is an ordinary unknown keyword, but llguidance would take the schema for an older one
        Draft::Of2020 => idle.extend(["contentMediaType", "additionalItems"]),
        _ => {}
    }
    // anchors that only dynamic references use
    idle.extend(["$dynamicAnchor", "$recursiveAnchor"]);
    for key in idle {
        fields.shift_remove(key);
    }
}

/// Where no other schema says what is evaluated, what is not evaluated is what is additional.
fn evaluate(fields: &mut Map<String, Value>, unevaluated: &str, additional: &str) {
    let applies_others =
        ["allOf", "anyOf", "oneOf", "$ref", "$dynamicRef", "if", "contains", "dependentSchemas"];
    if applies_others.iter().any(|key| fields.contains_key(*key)) {
        return;
    }
    if let Some(schema) = fields.shift_remove(unevaluated) {
        fields.entry(additional).or_insert(schema);
    }
}
