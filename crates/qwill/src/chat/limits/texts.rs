//! Texts that stand without quotes, as parameters of calls by tags do: what their schema says of them, as regular expressions.

use qwill_grammar::whole_text;
use serde_json::Value;

/// Schemas in schemas that are looked through.
const DEEPEST: usize = 16;

/// What a parameter may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Texts {
    /// No text: its value is JSON.
    None,
    /// Any text.
    Any,
    /// A text that matches all expressions of one of these sets, as a whole.
    Some(Vec<Vec<String>>),
}

impl Texts {
    /// What a parameter's schema admits; `root` is what its references lead into.
    ///
    /// # Errors
    /// If what it says of texts cannot be followed here, by name.
    pub(super) fn of(schema: &Value, root: &Value) -> Result<Self, String> {
        Self::within(schema, root, 0)
    }

    fn within(schema: &Value, root: &Value, depth: usize) -> Result<Self, String> {
        if depth == DEEPEST {
            return Err("its references lead in circles".into());
        }
        if let Some(pointer) = schema["$ref"].as_str() {
            let target = pointer.strip_prefix('#').and_then(|pointer| root.pointer(pointer));
            let target = target.ok_or_else(|| format!("\"$ref\" to \"{pointer}\" leads nowhere"))?;
            return Self::within(target, root, depth + 1);
        }
        if let Some(value) = schema.get("const") {
            return Ok(Self::among(std::slice::from_ref(value)));
        }
        if let Some(values) = schema["enum"].as_array() {
            return Ok(Self::among(values));
        }
        for key in ["anyOf", "oneOf"] {
            if let Some(options) = schema[key].as_array() {
                return Self::either(options, root, depth);
            }
        }
        let admits = |kind: &str| match &schema["type"] {
            Value::String(own) => own == kind,
            Value::Array(kinds) => kinds.iter().any(|own| own == kind),
            _ => schema["properties"].is_null() && schema["items"].is_null(),
        };
        if !admits("string") {
            return Ok(Self::None);
        }
        let mut conditions = Vec::new();
        if let Some(pattern) = schema["pattern"].as_str() {
            let whole = whole_text(pattern);
            conditions.push(whole.ok_or_else(|| format!("the pattern \"{pattern}\" is not supported here"))?);
        }
        let (least, most) = (schema["minLength"].as_u64(), schema["maxLength"].as_u64());
        if least.is_some() || most.is_some() {
            let most = most.map_or(String::new(), |most| most.to_string());
            conditions.push(format!("(?s:.{{{},{most}}})", least.unwrap_or(0)));
        }
        if let Some(key) = ["allOf", "not", "if"].into_iter().find(|key| schema.get(*key).is_some()) {
            return Err(format!("\"{key}\" of texts is not supported here"));
        }
        Ok(match conditions.is_empty() {
            true => Self::Any,
            false if admits("null") => Self::Some(vec![conditions, vec!["null".into()]]),
            false => Self::Some(vec![conditions]),
        })
    }

    /// The texts among values. Where there are some, whatever stands there is read as a text, so that the others cannot be meant.
    fn among(values: &[Value]) -> Self {
        let escaped = |text: &str| text.chars().map(escape).collect::<String>();
        let mut texts: Vec<Vec<String>> =
            values.iter().filter_map(Value::as_str).map(|text| vec![escaped(text)]).collect();
        if texts.is_empty() {
            return Self::None;
        }
        if values.contains(&Value::Null) {
            texts.push(vec!["null".into()]);
        }
        Self::Some(texts)
    }

    fn either(options: &[Value], root: &Value, depth: usize) -> Result<Self, String> {
        let mut all = Vec::new();
        let mut names_null = false;
        for option in options {
            match Self::within(option, root, depth + 1)? {
                Self::Any => return Ok(Self::Any),
                Self::Some(texts) => all.extend(texts),
                Self::None => names_null |= option["type"] == "null",
            }
        }
        if all.is_empty() {
            return Ok(Self::None);
        }
        if names_null {
            all.push(vec!["null".into()]);
        }
        Ok(Self::Some(all))
    }
}

fn escape(c: char) -> String {
    match c {
        c if c.is_ascii_alphanumeric() || c == ' ' || !c.is_ascii() => c.to_string(),
        c => format!("\\x{:02x}", c as u32),
    }
}

/// A rule of a grammar in Lark: one of the sets, each as a text before `end`, which the text does not hold.
pub(super) fn rule(name: &str, sets: &[Vec<String>], end: &str) -> String {
    let literal = |expression: &String| format!("/{}/", expression.replace('/', "\\/").replace('\n', "\\n"));
    let mut rules = String::new();
    let mut names = Vec::new();
    for (index, set) in sets.iter().enumerate() {
        let expressions: Vec<String> = set.iter().map(literal).collect();
        rules += &format!("{name}_{index}[suffix={end}]: {}\n", expressions.join(" & "));
        names.push(format!("{name}_{index}"));
    }
    format!("{name}: {}\n{rules}", names.join(" | "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_said_of_texts_is_kept() {
        let root = json!({"$defs": {"unit": {"enum": ["C", "°F", null]}}});
        let of = |schema: Value| Texts::of(&schema, &root);
        let some = |sets: &[&[&str]]| {
            Ok(Texts::Some(
                sets.iter().map(|set| set.iter().map(|&text| text.to_owned()).collect()).collect(),
            ))
        };
        for (schema, wanted) in [
            (json!({"type": "string"}), Ok(Texts::Any)),
            (json!({}), Ok(Texts::Any)),
            (json!({"type": "integer"}), Ok(Texts::None)),
            (json!({"type": ["string", "null"]}), Ok(Texts::Any)),
            (json!({"properties": {}}), Ok(Texts::None)),
            (json!({"enum": [1, 2]}), Ok(Texts::None)),
            (json!({"const": "a.b"}), some(&[&["a\\x2eb"]])),
            (json!({"$ref": "#/$defs/unit"}), some(&[&["C"], &["°F"], &["null"]])),
            (json!({"type": "string", "maxLength": 3}), some(&[&["(?s:.{0,3})"]])),
            (
                json!({"type": ["string", "null"], "minLength": 2, "pattern": "^a+$"}),
                some(&[&["(?:a+)", "(?s:.{2,})"], &["null"]]),
            ),
            (json!({"type": "string", "pattern": "x|y"}), some(&[&["(?s:.*)(?:x|y)(?s:.*)"]])),
            (json!({"anyOf": [{"type": "integer"}, {"const": "all"}]}), some(&[&["all"]])),
            (json!({"oneOf": [{"enum": ["a"]}, {"type": "null"}]}), some(&[&["a"], &["null"]])),
            (json!({"anyOf": [{"type": "string"}, {"const": "all"}]}), Ok(Texts::Any)),
        ] {
            assert_eq!(of(schema.clone()), wanted, "{schema}");
        }
        for (schema, words) in [
            (json!({"type": "string", "pattern": "^a|b$"}), "\"^a|b$\" is not supported"),
            (json!({"$ref": "#/$defs/none"}), "leads nowhere"),
            (json!({"type": "string", "not": {}}), "\"not\" of texts"),
        ] {
            assert!(of(schema.clone()).unwrap_err().contains(words), "{schema}");
        }
    }
}
