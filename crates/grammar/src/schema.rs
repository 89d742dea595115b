//! What is made of a JSON schema before llguidance reads it.
//!
//! What is not supported is refused by its name and place, what llguidance takes more loosely than the specification is narrowed,
//! and what says nothing is left out. A definition that nothing refers to is not looked at.

mod bounds;
mod draft;
mod formats;
mod keywords;
mod patterns;
mod place;
mod references;
mod unions;

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use draft::Draft;
use keywords::Holds;
pub use patterns::whole_text;
#[cfg(feature = "engine")]
pub(crate) use place::name;
use references::References;

/// White space in JSON: none, one space, or a line break with its indentation. Without a limit a model may go on with white
/// space for ever.
const WHITE_SPACE: &str = r"(\x20|\n\x20{0,40})?";
/// Values in values, as deep as serde_json reads them; llguidance goes down with its stack.
const DEEPEST: usize = 128;
/// llguidance compares every pattern of a schema's keys with every other.
const MOST_PATTERNS: usize = 40;
/// What a step may have to choose from is limited, and llguidance goes down with its stack here too.
const MOST_OPTIONAL: usize = 400;
const MOST_PROPERTIES: usize = 1000;
/// Escapes in texts: all but `\u`, by which a key that the schema names could be written as if it were another.
const PLAIN_ESCAPES: &str = "nrbtf\\\"";

/// A schema as llguidance is to read it, for `%json` in Lark too.
///
/// # Errors
/// In words, with the place: what is not supported, or makes no sense.
pub(crate) fn prepare(schema: &Value) -> Result<Value, String> {
    if is_deeper(schema, DEEPEST) {
        return Err(format!("it is nested more than {DEEPEST} deep"));
    }
    let mut schema = match schema {
        Value::Bool(true) => json!({}),
        other => other.clone(),
    };
    let mut preparation = Preparation { draft: Draft::of(&mut schema)?, ..Preparation::default() };
    preparation.run(&mut schema)?;
    unions::open(&mut schema, preparation.seen.iter().map(String::as_str));
    preparation.references.shorten(&mut schema);
    if let Some(fields) = schema.as_object_mut() {
        let options =
            fields.entry("x-guidance").or_insert_with(|| json!({ "whitespace_pattern": WHITE_SPACE }));
        if let (true, Some(options)) = (preparation.has_free_keys, options.as_object_mut()) {
            options.insert("json_allowed_escapes".into(), PLAIN_ESCAPES.into());
        }
    }
    Ok(schema)
}

/// Without recursion, which would not survive what is looked for.
fn is_deeper(value: &Value, most: usize) -> bool {
    let mut open = vec![(value, 0)];
    while let Some((value, depth)) = open.pop() {
        if depth > most {
            return true;
        }
        match value {
            Value::Array(items) => open.extend(items.iter().map(|item| (item, depth + 1))),
            Value::Object(fields) => open.extend(fields.values().map(|field| (field, depth + 1))),
            _ => {}
        }
    }
    false
}

/// A schema's way through all its parts.
#[derive(Default)]
struct Preparation {
    draft: Draft,
    references: References,
    /// The pointers of the schemas that were looked at.
    seen: BTreeSet<String>,
    n_patterns: usize,
    /// Whether an object has keys that the schema names beside others.
    has_free_keys: bool,
}

impl Preparation {
    fn run(&mut self, root: &mut Value) -> Result<(), String> {
        let mut open = vec![String::new()];
        while let Some(place) = open.pop() {
            if !self.seen.insert(place.clone()) {
                continue;
            }
            open.extend(self.references.of(root, &place, self.draft)?);
            match root.pointer_mut(&place) {
                Some(Value::Object(fields)) => {
                    self.schema(fields, &place)?;
                    open.extend(children(fields).map(|child| format!("{place}{child}")));
                }
                Some(Value::Bool(_)) => {}
                _ => return Err(format!("a schema is an object, true or false{}", place::name(&place))),
            }
        }
        Ok(())
    }

    fn schema(&mut self, fields: &mut Map<String, Value>, place: &str) -> Result<(), String> {
        let at = |reason: String| reason + &place::name(place);
        keywords::reduce(fields, self.draft).map_err(at)?;
        bounds::limit(fields).map_err(at)?;
        patterns::translate(fields);
        formats::limit(fields).map_err(at)?;
        self.object(fields).map_err(at)
    }

    fn object(&mut self, fields: &Map<String, Value>) -> Result<(), String> {
        let count = |key: &str| match fields.get(key) {
            Some(Value::Object(fields)) => fields.len(),
            Some(Value::Array(items)) => items.len(),
            _ => 0,
        };
        let (n_named, n_required) = (count("properties"), count("required"));
        if n_named.saturating_sub(n_required) > MOST_OPTIONAL || n_named.max(n_required) > MOST_PROPERTIES {
            return Err(format!(
                "{n_named} \"properties\" are too many: an object may have {MOST_OPTIONAL} that are not required, and \
                 {MOST_PROPERTIES} in all"
            ));
        }
        self.n_patterns += count("patternProperties");
        if self.n_patterns > MOST_PATTERNS {
            return Err(format!("more than {MOST_PATTERNS} \"patternProperties\" are too many"));
        }
        let is_closed = fields.get("additionalProperties") == Some(&Value::Bool(false));
        let least = fields.get("minProperties").and_then(Value::as_u64).unwrap_or(0);
        if !(is_closed && count("patternProperties") == 0) && least > n_required as u64 + 1 {
            return Err(format!(
                "\"minProperties\" {least} is not supported: a key that the schema does not name may be written twice, and then \
                 counts once"
            ));
        }
        let is_naming = n_named + n_required + count("patternProperties") > 0;
        self.has_free_keys |= is_naming && !is_closed;
        Ok(())
    }
}

/// The pointers from a schema to those within it that llguidance reads.
pub(crate) fn children(fields: &Map<String, Value>) -> impl Iterator<Item = String> {
    fields.iter().flat_map(|(key, value)| {
        let places: Vec<String> = match (keywords::holds(key), value) {
            (Holds::Schemas, Value::Object(fields)) => {
                fields.keys().map(|name| format!("/{key}/{}", place::escape(name))).collect()
            }
            (Holds::Schemas, Value::Array(items)) => {
                (0..items.len()).map(|i| format!("/{key}/{i}")).collect()
            }
            (Holds::Schema, Value::Array(items)) => (0..items.len()).map(|i| format!("/{key}/{i}")).collect(),
            (Holds::Schema, _) => vec![format!("/{key}")],
            _ => Vec::new(),
        };
        places
    })
}
