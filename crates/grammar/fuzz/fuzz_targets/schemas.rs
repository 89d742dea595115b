//! Any combination of a schema's keywords, with values that fit and values that do not: refused or followed, in bounded time and
//! space.
//!
//! Run by `cargo xtask test fuzz`.

#![no_main]

mod walk;

use libfuzzer_sys::fuzz_target;
use qwill_grammar::Grammar;
use serde_json::{Map, Value, json};

const KEYWORDS: [&str; 40] = [
    "type", "properties", "required", "additionalProperties", "patternProperties", "items", "prefixItems", "minItems",
    "maxItems", "minLength", "maxLength", "pattern", "format", "minimum", "maximum", "exclusiveMinimum",
    "exclusiveMaximum", "multipleOf", "enum", "const", "anyOf", "oneOf", "allOf", "$ref", "$defs", "minProperties",
    "maxProperties", "additionalItems", "not", "if", "uniqueItems", "unevaluatedProperties", "$schema", "$id",
    "x-guidance", "definitions", "contentEncoding", "propertyNames", "dependencies", "contains",
];
const TEXTS: [&str; 24] = [
    "string", "integer", "number", "object", "array", "null", "boolean", "a", "b", "#", "#/$defs/a", "#/$defs/b",
    "#/properties/a", "#/anyOf/0", "#/$defs/a~1b", "date", "email", "date-time", "^a+$", "[^\\s-]{2,4}", "(a|b)*c",
    "http://json-schema.org/draft-07/schema#", "\u{e9}\"\\", "base64",
];

/// Values made of bytes; each byte is used once, so that they are no larger than what they are made of.
struct Bytes<'d>(&'d [u8]);

impl Bytes<'_> {
    fn next(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn text(&mut self) -> &'static str {
        TEXTS[usize::from(self.next()) % TEXTS.len()]
    }

    fn number(&mut self) -> Value {
        let small = i64::from(self.next() as i8);
        match self.next() % 6 {
            0..3 => small.into(),
            3 => (small as f64 / 8.0).into(),
            4 => (i64::MAX - small.abs()).into(),
            _ => (small as f64 * 1e300).into(),
        }
    }

    fn list(&mut self, mut item: impl FnMut(&mut Self) -> Value) -> Value {
        (0..self.next() % 4).map(|_| item(self)).collect()
    }

    fn named(&mut self) -> Value {
        let n = self.next() % 4;
        (0..n).map(|_| (self.text().to_owned(), self.schema())).collect::<Map<_, _>>().into()
    }

    fn any(&mut self) -> Value {
        if self.0.is_empty() {
            return Value::Null;
        }
        match self.next() % 7 {
            0 => Value::Null,
            1 => true.into(),
            2 => self.number(),
            3 => self.text().into(),
            4 => self.list(Self::any),
            5 => self.named(),
            _ => json!({ self.text(): self.any() }),
        }
    }

    fn value(&mut self, keyword: &str) -> Value {
        if self.next() % 16 == 0 {
            return self.any();
        }
        match keyword {
            "properties" | "patternProperties" | "$defs" | "definitions" | "dependencies" => self.named(),
            "allOf" | "anyOf" | "oneOf" | "prefixItems" => self.list(Self::schema),
            "items" | "additionalItems" | "additionalProperties" | "not" | "if" | "contains" | "propertyNames"
            | "unevaluatedProperties" => self.schema(),
            "enum" => self.list(Self::any),
            "required" => self.list(|bytes| bytes.text().into()),
            "const" => self.any(),
            "uniqueItems" => (self.next() % 2 == 0).into(),
            "x-guidance" => json!({"whitespace_pattern": self.text(), "lenient": self.next() % 2 == 0}),
            "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" | "multipleOf" => self.number(),
            keyword if keyword.starts_with("min") || keyword.starts_with("max") => self.next().into(),
            _ => self.text().into(),
        }
    }

    fn schema(&mut self) -> Value {
        if self.0.is_empty() {
            return true.into();
        }
        let n = self.next() % 5;
        let mut fields = Map::new();
        for _ in 0..n {
            let keyword = KEYWORDS[usize::from(self.next()) % KEYWORDS.len()];
            fields.insert(keyword.into(), self.value(keyword));
        }
        fields.into()
    }
}

fuzz_target!(|data: &[u8]| {
    let schema = Bytes(data).schema();
    walk::walk(&Grammar::JsonSchema(schema), data);
});
