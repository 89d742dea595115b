//! JSON Schema's published tests: what is written under a schema of theirs is what the schema describes, as another library
//! judges it; instances that they call valid can be written, invalid ones cannot.

mod walk;

use std::collections::BTreeMap;

use qwill_grammar::{Grammar, Grammars, Matcher};
use serde_json::{Map, Value, json};

use walk::Rng;

/// Texts that are written under each schema.
const N_TEXTS: usize = 20;
/// Orders of an instance's keys that are tried, at most.
const MOST_ORDERS: usize = 120;

/// Whether a text can be written, all of it.
fn is_writable(matcher: &Matcher, text: &str) -> bool {
    let mut matcher = matcher.clone();
    text.bytes().all(|byte| matcher.take(byte.into()).is_ok()) && matcher.may_end().unwrap_or(false)
}

/// The same values with their keys in all orders, as far as there are not too many: a grammar wants the schema's.
fn orders(value: &Value) -> Vec<Value> {
    let product = |parts: Vec<Vec<Value>>| {
        parts.into_iter().fold(vec![Vec::new()], |all: Vec<Vec<Value>>, options| {
            let more = all.iter().flat_map(|head| {
                options.iter().map(move |option| [head.clone(), vec![option.clone()]].concat())
            });
            more.take(MOST_ORDERS).collect()
        })
    };
    match value {
        Value::Array(items) => {
            product(items.iter().map(orders).collect()).into_iter().map(Value::Array).collect()
        }
        Value::Object(fields) => {
            let values = product(fields.values().map(orders).collect());
            let mut all = Vec::new();
            for keys in permutations(&fields.keys().collect::<Vec<_>>()) {
                for values in &values {
                    let pairs = fields.keys().zip(values).collect::<BTreeMap<_, _>>();
                    let one: Map<String, Value> =
                        keys.iter().map(|key| ((*key).clone(), (*pairs[key]).clone())).collect();
                    all.push(Value::Object(one));
                }
            }
            all.truncate(MOST_ORDERS);
            all
        }
        other => vec![other.clone()],
    }
}

fn permutations<'k>(keys: &[&'k String]) -> Vec<Vec<&'k String>> {
    if keys.is_empty() {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for (index, first) in keys.iter().enumerate() {
        let rest = [&keys[..index], &keys[index + 1..]].concat();
        all.extend(permutations(&rest).into_iter().map(|rest| [vec![*first], rest].concat()));
        all.truncate(MOST_ORDERS);
    }
    all
}

#[derive(Default)]
struct Tally {
    n_schemas: usize,
    n_accepted: usize,
    n_texts: usize,
    /// Texts with a number that is larger than a 64-bit float.
    n_large: usize,
    n_valid: usize,
    n_writable: usize,
    n_invalid: usize,
    /// How many schemas were refused for what.
    refused: BTreeMap<String, usize>,
    faults: Vec<String>,
}

/// What a refusal names: a keyword, or else its first words.
fn cause(refusal: &str) -> String {
    let said = refusal.split("cannot be followed: ").last().unwrap_or(refusal);
    match said.split('"').nth(1) {
        Some("format") | None => said.split_whitespace().take(4).collect::<Vec<_>>().join(" "),
        Some(keyword) => keyword.to_owned(),
    }
}

impl Tally {
    fn add(&mut self, grammars: &Grammars, rng: &mut Rng, place: &str, group: &Value, draft: &str) {
        let mut schema = group["schema"].clone();
        if let Some(fields) = schema.as_object_mut() {
            fields.entry("$schema").or_insert_with(|| draft.into());
        }
        self.n_schemas += 1;
        let matcher = match grammars.compile(&Grammar::JsonSchema(schema.clone())) {
            Ok(matcher) => matcher,
            Err(error) => {
                *self.refused.entry(cause(&error.to_string())).or_default() += 1;
                return;
            }
        };
        self.n_accepted += 1;
        let validator = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
        for _ in 0..N_TEXTS {
            let Some(text) = walk::write(&mut matcher.clone(), rng, 250) else { continue };
            self.n_texts += 1;
            match serde_json::from_str::<Value>(&text) {
                Err(error) if error.to_string().starts_with("number out of range") => self.n_large += 1,
                Err(error) => self.faults.push(format!("{place}: {text}: {error}")),
                Ok(value) => {
                    if let Err(error) = validator.validate(&value) {
                        self.faults.push(format!("{place}: {schema} lets {text} through: {error}"));
                    }
                }
            }
        }
        let is_written =
            |value: &Value| orders(value).iter().any(|value| is_writable(&matcher, &value.to_string()));
        for valid in group["valid"].as_array().unwrap() {
            self.n_valid += 1;
            self.n_writable += usize::from(is_written(valid));
        }
        for invalid in group["invalid"].as_array().unwrap() {
            self.n_invalid += 1;
            if is_written(invalid) {
                self.faults.push(format!("{place}: {schema} lets {invalid} through"));
            }
        }
    }
}

#[test]
fn published_schemas_are_followed_or_refused() {
    let (grammars, mut rng, mut tally) = (walk::grammars(), Rng(11), Tally::default());
    for (text, draft) in [
        (include_str!("suite/draft2020-12.json"), "https://json-schema.org/draft/2020-12/schema"),
        (include_str!("suite/draft7.json"), "http://json-schema.org/draft-07/schema#"),
    ] {
        let suite: Value = serde_json::from_str(text).unwrap();
        for (file, groups) in suite.as_object().unwrap() {
            for group in groups.as_array().unwrap() {
                let place = format!("{file}, {}", group["description"].as_str().unwrap());
                tally.add(&grammars, &mut rng, &place, group, draft);
            }
        }
    }
    let Tally { n_schemas, n_accepted, n_texts, n_large, n_valid, n_writable, n_invalid, refused, faults } =
        tally;
    println!(
        "{n_accepted} of {n_schemas} schemas accepted; {n_texts} texts, {n_large} with a number beyond 64-bit floats; {n_writable} of \
         {n_valid} valid instances can be written, 0 of {n_invalid} invalid ones; refused: {}",
        json!(refused)
    );
    // jsonschema knows only some of ECMAScript's spaces
    let faults: Vec<_> =
        faults.iter().filter(|fault| !fault.contains(r"ECMA 262 \s matches whitespace")).collect();
    assert!(faults.is_empty(), "{} faults: {faults:#?}", faults.len());
    assert!(n_accepted >= 430 && n_writable >= 1100 && n_large * 20 < n_texts, "{refused:#?}");
}
