//! What a schema says and cannot be followed is refused by its name and place; what looks like it and can be followed is not.

mod walk;

use qwill_grammar::{Grammar, Matcher};
use serde_json::{Value, json};

fn compile(schema: &Value) -> Result<Matcher, String> {
    walk::grammars().compile(&Grammar::JsonSchema(schema.clone())).map_err(|error| error.to_string())
}

/// Whether a text can be written under a schema, all of it.
fn accepts(schema: &Value, text: &str) -> bool {
    let mut matcher = compile(schema).unwrap();
    text.bytes().all(|byte| matcher.take(byte.into()).is_ok()) && matcher.may_end().unwrap()
}

#[test]
fn keywords_are_named_with_their_place() {
    let object = json!({"type": "object"});
    for (keyword, value) in [
        ("not", object.clone()),
        ("if", json!({"type": "object"})),
        ("contains", json!({"const": 1})),
        ("uniqueItems", json!(true)),
        ("propertyNames", json!({"maxLength": 3})),
        ("dependencies", json!({"a": ["b"]})),
        ("dependentRequired", json!({"a": ["b"]})),
        ("dependentSchemas", json!({"a": object})),
        ("$dynamicRef", json!("#node")),
    ] {
        let mut inner = json!({ keyword: value, "then": {"required": ["x"]} });
        for (place, schema) in [
            ("", inner.clone()),
            (" (at /properties/a~1b)", json!({"properties": {"a/b": inner.clone()}})),
            (
                " (at /$defs/x/items)",
                json!({"anyOf": [{"$ref": "#/$defs/x"}], "$defs": {"x": {"items": inner.clone()}}}),
            ),
        ] {
            let wanted = format!("the JSON schema cannot be followed: \"{keyword}\" is not supported{place}");
            assert_eq!(compile(&schema).unwrap_err(), wanted);
        }
        inner["type"] = "object".into();
        let unused = json!({"type": "null", "$defs": {"unused": inner}});
        assert!(accepts(&unused, "null"), "what nothing refers to does not matter");
    }
    for keyword in ["unevaluatedProperties", "unevaluatedItems"] {
        let error = compile(&json!({"allOf": [{"required": ["a"]}], keyword: false})).unwrap_err();
        assert!(error.ends_with(&format!("\"{keyword}\" is not supported")), "{error}");
    }
}

#[test]
fn other_refusals_are_sentences_with_a_place() {
    let within =
        |schema: Value| json!({"type": "object", "properties": {"a": {"type": "array", "items": schema}}});
    for (schema, words) in [
        (json!({"oneOf": [{"minimum": 3}, {"multipleOf": 5}]}), "\"oneOf\" is not supported where"),
        (json!({"type": "string", "format": "regex"}), "the \"format\" \"regex\" is not supported"),
        (
            json!({"$ref": "https://example.com/item.json"}),
            "\"$ref\" to \"https://example.com/item.json\" is not",
        ),
        (json!({"$ref": "#item"}), "\"$ref\" to \"#item\" is not supported"),
        (json!({"$ref": "#/$defs/item"}), "leads to \"#/$defs/item\", where there is nothing"),
        (json!({"$id": "item", "properties": {"b": {"$ref": "#"}}}), "\"$id\" of its own is not supported"),
        (json!({"const": 9_007_199_254_740_993_u64}), "9007199254740993 in \"const\" is not supported"),
        (json!({"type": "object", "minProperties": 2}), "\"minProperties\" 2 is not supported"),
        (json!({"type": "string", "pattern": "(?=a)b"}), "look-around"),
        (json!({"type": "text"}), "Invalid type: text"),
        (json!("text"), "a schema is an object, true or false"),
    ] {
        let mut required = within(schema.clone());
        required["properties"]["a"]["minItems"] = 1.into();
        required["required"] = json!(["a"]);
        let error = compile(&required).unwrap_err();
        assert!(error.contains(words) && error.contains(" (at /properties/a"), "{schema}: {error}");
    }
    let unknown = json!({"$schema": "http://json-schema.org/draft-03/schema#", "type": "any"});
    assert!(
        compile(&unknown).unwrap_err().contains("\"http://json-schema.org/draft-03/schema#\" is not known")
    );
}

#[test]
fn what_has_no_effect_is_not_refused() {
    for schema in [
        json!({"type": "array", "uniqueItems": false}),
        json!({"type": "array", "minContains": 2}),
        json!({"type": "array", "if": {"maxItems": 1}}),
        json!({"type": "array", "then": {"maxItems": 1}}),
        json!({"type": "array", "dependentRequired": {}}),
        json!({"type": "array", "prefixItems": [true], "additionalItems": false}),
        json!({"type": "array", "unevaluatedItems": true, "$dynamicAnchor": "a", "contentMediaType": "text/html"}),
    ] {
        assert!(accepts(&schema, "[1,1]"), "{schema}");
    }
    assert!(accepts(&json!({"type": "integer", "format": "int64"}), "7"));
    let closed = json!({"type": "object", "properties": {"a": true}, "unevaluatedProperties": false});
    assert!(accepts(&closed, r#"{"a":1}"#) && !accepts(&closed, r#"{"b":1}"#));
}

#[test]
fn loose_ends_are_narrowed() {
    // another spelling of a key is the key
    let mixed = json!({"type": "object", "properties": {"a": {"type": "integer"}}});
    assert!(accepts(&mixed, r#"{"a":1,"b":"x"}"#) && !accepts(&mixed, r#"{"\u0061":"x"}"#));
    assert!(accepts(&json!({"type": "object"}), r#"{"\u001b":"\u0000"}"#));
    for (schema, text, wanted) in [
        (json!({"format": "date"}), r#""2024-02-29""#, true),
        (json!({"format": "date"}), r#""2023-02-29""#, false),
        (json!({"format": "date-time"}), r#""1900-02-29T10:00:00Z""#, false),
        (json!({"format": "date-time"}), r#""2000-02-29T10:00:00.5+01:30""#, true),
        (json!({"format": "time"}), r#""23:59:60Z""#, false),
        (json!({"format": "hostname"}), r#""xn--x""#, false),
        (json!({"format": "email"}), r#""a.b@ex-ample.org""#, true),
        (json!({"maximum": u64::MAX, "type": "integer"}), "18446744073709551615", false),
        (json!({"multipleOf": 3}), "9007199254740999", false),
        (json!({"pattern": "^.$"}), r#""\r""#, false),
        (json!({"pattern": r"^\s$"}), "\"\u{feff}\"", true),
        (json!({"pattern": r"^[[&]$"}), "\"[\"", true),
        (json!({"pattern": r"^[^\s-]+$"}), "\"a b\"", false),
        (json!({"maxLength": 2.0}), "\"abc\"", false),
    ] {
        assert_eq!(accepts(&schema, text), wanted, "{schema}: {text}");
    }
}

#[test]
fn references_are_read_as_pointers() {
    let schema = json!({
        "type": "array",
        "prefixItems": [{"$ref": "#/$defs/a~1b"}, {"$ref": "#/%24defs/c%25d"}],
        "$defs": {"a/b": {"type": "integer"}, "c%d": {"type": "boolean"}},
    });
    assert!(accepts(&schema, "[1,true]") && !accepts(&schema, "[true,1]"));
}

#[test]
fn definitions_told_apart_by_a_key_are_one_of_several() {
    let schema = json!({
        "oneOf": [{"$ref": "#/$defs/Leaf"}, {"$ref": "#/$defs/Branch"}],
        "discriminator": {"propertyName": "kind"},
        "$defs": {
            "Leaf": {
                "type": "object",
                "properties": {"kind": {"const": "leaf"}, "size": {"type": "integer"}},
                "required": ["kind", "size"],
            },
            "Branch": {
                "type": "object",
                "properties": {"kind": {"const": "branch"}, "children": {"type": "array", "items": {"$ref": "#"}}},
                "required": ["kind", "children"],
            },
        },
    });
    assert!(accepts(&schema, r#"{"kind":"branch","children":[{"kind":"leaf","size":3}]}"#));
    assert!(!accepts(&schema, r#"{"kind":"leaf","children":[]}"#));
}
