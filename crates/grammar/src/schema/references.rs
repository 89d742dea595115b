//! The keyword `$ref`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Draft, place};

/// Targets that are copied, at most.
const MOST: usize = 50;

/// References that llguidance cannot read, because it takes pointers as they are written.
#[derive(Default)]
pub(super) struct References {
    /// The names under which their targets are found, by pointers.
    names: BTreeMap<String, String>,
}

impl References {
    /// Where a schema's reference leads, if it has one.
    ///
    /// # Errors
    /// If it leads out of the document, or nowhere.
    pub(super) fn of(
        &mut self,
        root: &mut Value,
        from: &str,
        draft: Draft,
    ) -> Result<Option<String>, String> {
        let fail = |reason: String| Err(reason + &place::name(from));
        let Some(Value::String(reference)) = root.pointer(from).and_then(|schema| schema.get("$ref")) else {
            return Ok(None);
        };
        let reference = reference.clone();
        let Some(pointer) =
            reference.strip_prefix('#').filter(|rest| rest.is_empty() || rest.starts_with('/'))
        else {
            return fail(format!(
                "\"$ref\" to \"{reference}\" is not supported: it may name a place in the same schema, such as \"#/$defs/item\""
            ));
        };
        if has_own_base(root, from, draft) {
            return fail("\"$ref\" within a schema that has an \"$id\" of its own is not supported".into());
        }
        let pointer = if pointer == "/" { String::new() } else { decode(pointer) };
        if root.pointer(&pointer).is_none() {
            return fail(format!("\"$ref\" leads to \"{reference}\", where there is nothing"));
        }
        if reference.contains(['%', '~']) {
            let n_names = self.names.len();
            if n_names == MOST {
                return fail(format!("more than {MOST} references with \"~\" or \"%\" are not supported"));
            }
            let name = self.names.entry(pointer.clone()).or_insert_with(|| format!("target {n_names}"));
            if let Some(schema) = root.pointer_mut(from) {
                schema["$ref"] = format!("#/$defs/{name}").into();
            }
        }
        Ok(Some(pointer))
    }

    /// Puts copies of targets where llguidance finds them.
    pub(super) fn shorten(&self, root: &mut Value) {
        for (pointer, name) in &self.names {
            let target = root.pointer(pointer).cloned();
            if let (Some(target), Some(fields)) = (target, root.as_object_mut())
                && let Some(definitions) = fields.entry("$defs").or_insert_with(|| json!({})).as_object_mut()
            {
                definitions.insert(name.clone(), target);
            }
        }
    }
}

/// Whether references from there mean another document.
fn has_own_base(root: &Value, from: &str, draft: Draft) -> bool {
    let key = if draft == Draft::Four { "id" } else { "$id" };
    let ends = from.match_indices('/').map(|(index, _)| index).skip(1).chain([from.len()]);
    ends.filter(|end| *end > 0).any(|end| {
        let id = root.pointer(&from[..end]).and_then(|schema| schema.get(key));
        id.and_then(Value::as_str).is_some_and(|id| !id.starts_with('#'))
    })
}

/// What is written in percents.
fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let code = bytes.get(at + 1..at + 3).and_then(|digits| std::str::from_utf8(digits).ok());
        match (bytes[at], code.and_then(|digits| u8::from_str_radix(digits, 16).ok())) {
            (b'%', Some(byte)) => {
                out.push(byte);
                at += 3;
            }
            (byte, _) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
