//! Which types of values a JSON schema admits: calls in XML do not say whether `5` is a number or a text.

use serde_json::Value;

use super::mender::mend;

/// References to references end somewhere, and schemas that contain themselves do not.
const MAX_DEPTH: usize = 16;

/// Types of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Admitted(u8);

const TEXT: u8 = 1;
const INTEGER: u8 = 2;
/// Numbers that are not integers.
const FRACTION: u8 = 4;
const BOOLEAN: u8 = 8;
const NULL: u8 = 16;
const OBJECT: u8 = 32;
const LIST: u8 = 64;

impl Admitted {
    /// Everything, text too: a schema without any word about types.
    pub(super) const ALL: Self = Self(127);
    /// Nothing is known: what reads as JSON is taken as such.
    pub(super) const UNKNOWN: Self = Self(127 - TEXT);

    /// Of a parameter, by the schema of all parameters.
    pub(super) fn by_parameter(parameters: &Value, key: &str) -> Self {
        let found =
            property(parameters, parameters, key, MAX_DEPTH).map(|schema| of(schema, parameters, MAX_DEPTH));
        Self(found.unwrap_or(Self::ALL.0))
    }

    /// Whether a schema of parameters has this one; nothing where it lists none.
    pub(super) fn declares(parameters: &Value, key: &str) -> Option<bool> {
        let lists = parameters.get("properties").is_some_and(Value::is_object);
        let found = property(parameters, parameters, key, MAX_DEPTH).is_some();
        (lists || found).then_some(found)
    }

    /// Whether text is among them, so that a value is text whatever it looks like.
    pub(super) fn is_text(self) -> bool {
        self.0 & TEXT != 0
    }

    /// Whether null is named as a value.
    pub(super) fn names_null(self) -> bool {
        self != Self::ALL && self.0 & NULL != 0
    }

    /// A value as JSON: of an admitted type if it can be, else text, for a wrong guess must not lose what the model wrote.
    pub(super) fn json_of(self, raw: &str) -> String {
        self.typed(raw.trim()).unwrap_or_else(|| Value::from(raw).to_string())
    }

    fn typed(self, raw: &str) -> Option<String> {
        let has = |kind: u8| self.0 & kind != 0;
        match raw {
            "null" | "None" if self.names_null() => Some("null".to_owned()),
            _ if self.is_text() => None,
            "true" | "True" | "TRUE" if has(BOOLEAN) => Some("true".to_owned()),
            "false" | "False" | "FALSE" if has(BOOLEAN) => Some("false".to_owned()),
            _ if raw.starts_with('{') && has(OBJECT) || raw.starts_with('[') && has(LIST) => {
                mend(raw).map(|mender| mender.out().to_owned())
            }
            _ => self.number(raw),
        }
    }

    fn number(self, raw: &str) -> Option<String> {
        let number: serde_json::Number = serde_json::from_str(raw).ok()?;
        let digits = raw.strip_prefix('-').unwrap_or(raw);
        let is_integer = digits.bytes().all(|byte| byte.is_ascii_digit());
        if self.0 & FRACTION != 0 || is_integer && self.0 & INTEGER != 0 {
            return Some(raw.to_owned());
        }
        // `5.0` is an integer to JSON schemas.
        let whole =
            number.as_f64().filter(|x| self.0 & INTEGER != 0 && x.fract() == 0.0 && x.abs() < 9e15)?;
        Some(format!("{whole:.0}"))
    }
}

/// The schema of a property, wherever in a schema it is declared.
fn property<'s>(schema: &'s Value, root: &'s Value, key: &str, depth: usize) -> Option<&'s Value> {
    let depth = depth.checked_sub(1)?;
    if let Some(found) = schema.get("properties").and_then(|properties| properties.get(key)) {
        return Some(found);
    }
    let parts = ["allOf", "anyOf", "oneOf"].into_iter().filter_map(|name| schema[name].as_array()).flatten();
    let referred = schema["$ref"].as_str().and_then(|name| resolve(name, root));
    let mut below = referred.into_iter().chain(parts);
    let found = below.find_map(|part| property(part, root, key, depth));
    found.or_else(|| schema.get("additionalProperties").filter(|others| others.is_object()))
}

/// What a reference inside the same schema names.
fn resolve<'s>(name: &str, root: &'s Value) -> Option<&'s Value> {
    root.pointer(name.strip_prefix('#')?)
}

/// The types that a schema admits.
fn of(schema: &Value, root: &Value, depth: usize) -> u8 {
    let Some(depth) = depth.checked_sub(1) else { return Admitted::ALL.0 };
    let Some(fields) = schema.as_object() else { return Admitted::ALL.0 };
    let union = |parts: &Value| {
        parts.as_array().map(|parts| parts.iter().fold(0, |all, part| all | of(part, root, depth)))
    };
    let mut admitted = match (&schema["type"], implied(schema)) {
        (Value::String(name), _) => named(name),
        (Value::Array(names), _) => {
            names.iter().filter_map(Value::as_str).fold(0, |all, name| all | named(name))
        }
        (_, Some(kind)) => kind,
        _ => Admitted::ALL.0,
    };
    if let Some(name) = fields.get("$ref").and_then(Value::as_str) {
        // A type that is named elsewhere is nearly always made of parts.
        admitted &= resolve(name, root).map_or(OBJECT | LIST, |schema| of(schema, root, depth));
    }
    for part in fields.get("allOf").and_then(Value::as_array).into_iter().flatten() {
        admitted &= of(part, root, depth);
    }
    for name in ["anyOf", "oneOf"] {
        admitted &= union(&schema[name]).unwrap_or(Admitted::ALL.0);
    }
    if let Some(value) = fields.get("const") {
        admitted &= kind_of(value);
    }
    if let Some(values) = fields.get("enum").and_then(Value::as_array) {
        admitted &= values.iter().fold(0, |all, value| all | kind_of(value));
    }
    if schema["nullable"] == true { admitted | NULL } else { admitted }
}

/// Objects and lists that are described without being called so.
fn implied(schema: &Value) -> Option<u8> {
    let has = |names: &[&str]| names.iter().any(|name| schema.get(name).is_some());
    let object = has(&["properties", "additionalProperties", "required"]).then_some(OBJECT);
    object.or_else(|| has(&["items", "prefixItems"]).then_some(LIST))
}

fn named(name: &str) -> u8 {
    match name {
        "string" => TEXT,
        "integer" => INTEGER,
        "number" => INTEGER | FRACTION,
        "boolean" => BOOLEAN,
        "null" => NULL,
        "object" => OBJECT,
        "array" => LIST,
        // Python's and others' names.
        "str" | "text" => TEXT,
        "int" => INTEGER,
        "float" | "double" => INTEGER | FRACTION,
        "bool" => BOOLEAN,
        "dict" => OBJECT,
        "list" => LIST,
        _ => Admitted::ALL.0,
    }
}

fn kind_of(value: &Value) -> u8 {
    match value {
        Value::String(_) => TEXT,
        Value::Number(number) if number.is_f64() => FRACTION | INTEGER,
        Value::Number(_) => INTEGER,
        Value::Bool(_) => BOOLEAN,
        Value::Null => NULL,
        Value::Object(_) => OBJECT,
        Value::Array(_) => LIST,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(schema: Value, values: &[(&str, Value)]) {
        let parameters = json!({"type": "object", "properties": {"p": schema}, "$defs": {
            "Point": {"type": "object"}, "Size": {"type": "integer"}, "Name": {"type": "string"},
            "Loop": {"anyOf": [{"$ref": "#/$defs/Loop"}, {"type": "integer"}]}}});
        let admitted = Admitted::by_parameter(&parameters, "p");
        for (raw, wanted) in values {
            let found: Value = serde_json::from_str(&admitted.json_of(raw)).unwrap();
            assert_eq!(found, *wanted, "{raw:?} for {}", parameters["properties"]["p"]);
        }
    }

    #[test]
    fn text_stays_text_where_it_is_admitted() {
        let texts =
            ["4", "4.5", "true", "True", "{\"a\": 1}", "[1]", "1e3", " 5 "].map(|raw| (raw, json!(raw)));
        for schema in [
            json!({"type": "string"}),
            json!({"type": ["string", "null"]}),
            json!({"type": ["integer", "string"]}),
            json!({"anyOf": [{"type": "integer"}, {"type": "string"}]}),
            json!({"oneOf": [{"type": "string"}, {"type": "null"}]}),
            json!({"allOf": [{"type": "string"}, {"maxLength": 3}]}),
            json!({"allOf": [{"$ref": "#/$defs/Name"}], "description": "d"}),
            json!({"anyOf": [{"$ref": "#/$defs/Name"}, {"$ref": "#/$defs/Size"}]}),
            json!({"enum": ["1", "2"]}),
            json!({"enum": [1, "1"]}),
            json!({"const": "1"}),
            json!({"type": "string", "enum": ["1"]}),
            json!({"description": "anything"}),
            json!({}),
            json!(true),
            json!({"$ref": "#/$defs/Name"}),
            json!({"type": "string", "nullable": true}),
        ] {
            check(schema, &texts);
        }
    }

    #[test]
    fn other_types_are_read_where_text_is_not_admitted() {
        check(
            json!({"type": "integer"}),
            &[
                ("5", json!(5)),
                ("-5", json!(-5)),
                ("5.0", json!(5)),
                ("5.5", json!("5.5")),
                ("five", json!("five")),
            ],
        );
        check(
            json!({"type": "number"}),
            &[("5", json!(5)), ("5.0", json!(5.0)), ("1e3", json!(1e3)), ("True", json!("True"))],
        );
        check(
            json!({"type": "boolean"}),
            &[("True", json!(true)), ("false", json!(false)), ("1", json!("1"))],
        );
        check(json!({"enum": [1, 2]}), &[("1", json!(1)), ("x", json!("x"))]);
        check(json!({"const": 5}), &[("5", json!(5))]);
        check(json!({"enum": [true, null]}), &[("True", json!(true)), ("None", json!(null))]);
        check(
            json!({"anyOf": [{"type": "integer"}, {"type": "null"}]}),
            &[("5", json!(5)), ("null", json!(null))],
        );
        check(
            json!({"oneOf": [{"$ref": "#/$defs/Size"}, {"type": "boolean"}]}),
            &[("7", json!(7)), ("False", json!(false))],
        );
        check(
            json!({"allOf": [{"type": "number"}, {"type": "integer"}]}),
            &[("7", json!(7)), ("7.5", json!("7.5"))],
        );
        check(json!({"$ref": "#/$defs/Loop"}), &[("x", json!("x"))]);
        for schema in [
            json!({"type": "object"}),
            json!({"$ref": "#/$defs/Point"}),
            json!({"$ref": "#/elsewhere"}),
            json!({"properties": {}}),
        ] {
            check(
                schema,
                &[("{'a': True,}", json!({"a": true})), ("{\"a\"", json!("{\"a\"")), ("5", json!("5"))],
            );
        }
        check(json!({"items": {}}), &[("[1, None]", json!([1, null])), ("a", json!("a"))]);
    }

    #[test]
    fn null_is_null_where_it_is_named() {
        for schema in [
            json!({"type": ["string", "null"]}),
            json!({"type": "string", "nullable": true}),
            json!({"enum": ["a", null]}),
        ] {
            check(schema, &[("null", json!(null)), ("None", json!(null)), ("nullify", json!("nullify"))]);
        }
        check(json!({"type": "string"}), &[("null", json!("null"))]);
        check(json!({}), &[("null", json!("null"))]);
    }

    #[test]
    fn long_numbers_keep_their_digits() {
        assert_eq!(
            Admitted::UNKNOWN.json_of("123456789012345678901234567890"),
            "123456789012345678901234567890"
        );
    }

    #[test]
    fn properties_are_found_in_parts_of_the_schema() {
        let parameters = json!({"allOf": [{"$ref": "#/$defs/A"}], "$defs": {"A": {"properties": {"n": {"type": "integer"}}}}});
        assert_eq!(Admitted::by_parameter(&parameters, "n").json_of("5"), "5");
        assert_eq!(Admitted::by_parameter(&parameters, "m").json_of("5"), "\"5\"");
        assert_eq!(Admitted::declares(&parameters, "n"), Some(true));
        let others = json!({"type": "object", "additionalProperties": {"type": "integer"}});
        assert_eq!(Admitted::by_parameter(&others, "n").json_of("5"), "5");
        assert_eq!(Admitted::declares(&json!({}), "n"), None);
    }
}
