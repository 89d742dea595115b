//! Whatever is written under a schema is what the schema describes, as another library judges it.

use qwill_grammar::{Grammar, Grammars, Matcher, Vocabulary};
use serde_json::{Map, Value, json};

/// Random numbers that are the same every time.
struct Rng(u64);

impl Rng {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % n
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }
}

const END: u32 = 256;
/// Pieces that cross the borders of JSON's parts.
const PIECES: [&str; 17] = [
    "\": ", "\", \"", "{\"", "\"}", "},", "[]", "]}", "true", "null", " 0", "12", "-1", ".5", "e3", "the",
    "\\n", "\\u00",
];

/// Every byte, what ends a text, and the pieces.
fn grammars() -> Grammars {
    let mut tokens: Vec<Vec<u8>> = (0..=255).map(|byte| vec![byte]).collect();
    tokens.push(Vocabulary::special("<|im_end|>"));
    tokens.extend(PIECES.map(|piece| piece.as_bytes().to_vec()));
    let encode = |text: &[u8]| text.iter().map(|&byte| byte.into()).collect();
    Grammars::new(Vocabulary { tokens, ends: vec![END], encode: Box::new(encode) }).unwrap()
}

const WORDS: [&str; 12] =
    ["id", "name", "city", "date", "total", "items", "unit price", "straße", "is_ok", "a/b", "kind", "note"];

/// A schema as APIs have them, not deeper than `depth`.
fn schema(rng: &mut Rng, depth: usize) -> Value {
    let kind = if depth == 0 { rng.below(8) } else { rng.below(13) };
    match kind {
        0 => json!({"type": "boolean"}),
        1 => {
            json!({"type": "integer", "minimum": rng.below(50) as i64 - 25, "maximum": 30 + rng.below(5000)})
        }
        2 => json!({"type": "number", "exclusiveMinimum": -(rng.below(9) as f64) - 0.5, "maximum": 100.25}),
        3 => json!({"type": "string", "minLength": rng.below(3), "maxLength": 3 + rng.below(20)}),
        4 => json!({"enum": [*rng.pick(&WORDS), 7, null, "\"quoted\""]}),
        5 => {
            json!({"type": "string", "pattern": *rng.pick(&["^[A-Z]{2}-[0-9]{3}$", "^(a|b)+c?$", "^[^x]{1,5}$"])})
        }
        6 => {
            json!({"type": "string", "format": *rng.pick(&["date", "date-time", "uuid", "ipv4", "email", "time"])})
        }
        7 => json!({"type": ["integer", "null"]}),
        8 => {
            let least = rng.below(3);
            json!({"type": "array", "items": schema(rng, depth - 1), "minItems": least, "maxItems": least + rng.below(4)})
        }
        9 => json!({"anyOf": [schema(rng, depth - 1), schema(rng, depth - 1)]}),
        10 => json!({"$ref": "#/$defs/shared"}),
        11 => {
            json!({"type": "array", "prefixItems": [schema(rng, depth - 1), {"const": 3}], "items": false, "minItems": 2})
        }
        _ => object(rng, depth - 1),
    }
}

fn object(rng: &mut Rng, depth: usize) -> Value {
    let (mut properties, mut required) = (Map::new(), Vec::new());
    for _ in 0..1 + rng.below(4) {
        let name = *rng.pick(&WORDS);
        properties.insert(name.into(), schema(rng, depth));
        if !required.contains(&name) && !rng.one_in(3) {
            required.push(name);
        }
    }
    json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
}

/// A text at random; none if it does not end in time.
fn write(matcher: &mut Matcher, rng: &mut Rng) -> Option<String> {
    let mut text = Vec::new();
    for _ in 0..4000 {
        let mut bits = [0u32; 9];
        matcher.allow(&mut bits).unwrap();
        let allowed: Vec<u32> = (0..288).filter(|id| bits[*id as usize / 32] >> (id % 32) & 1 == 1).collect();
        assert!(!allowed.is_empty(), "nothing may follow {:?}", String::from_utf8_lossy(&text));
        // what closes something comes more often than at random, or texts would not end
        let closing =
            [END, b'"'.into(), b'}'.into(), b']'.into()].into_iter().find(|id| allowed.contains(id));
        let token = match closing {
            Some(closing) if rng.one_in(4) => closing,
            _ => *rng.pick(&allowed),
        };
        matcher.take(token).unwrap();
        match token {
            END => return Some(String::from_utf8(text).unwrap()),
            0..256 => text.push(token as u8),
            _ => text.extend_from_slice(PIECES[token as usize - 257].as_bytes()),
        }
        for forced in matcher.force().unwrap() {
            if forced < END {
                text.push(forced as u8);
            }
        }
        if matcher.is_over() {
            return Some(String::from_utf8(text).unwrap());
        }
    }
    None
}

#[test]
fn what_is_written_validates() {
    let (grammars, mut rng) = (grammars(), Rng(7));
    let (mut n_accepted, mut n_written, mut refused) = (0, 0, Vec::new());
    for _ in 0..500 {
        let mut schema = object(&mut rng, 3);
        schema["$defs"] = json!({"shared": object(&mut rng, 0)});
        let validator = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
        let matcher = match grammars.compile(&Grammar::JsonSchema(schema.clone())) {
            Ok(matcher) => matcher,
            Err(error) => {
                refused.push(error.to_string());
                continue;
            }
        };
        n_accepted += 1;
        for _ in 0..3 {
            let Some(text) = write(&mut matcher.clone(), &mut rng) else { continue };
            n_written += 1;
            let value: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
            if let Err(error) = validator.validate(&value) {
                panic!("{text} is not what {schema} describes: {error}");
            }
        }
    }
    println!("{n_accepted} of 500 schemas accepted, {n_written} texts; refused: {:?}", refused.first());
    assert!(n_accepted >= 475 && n_written > 1200, "{n_accepted} accepted, {n_written} written, {refused:?}");
}
