//! Grammars that ask too much: each is refused in words or followed, soon, and none ends the process.

mod walk;

use std::time::{Duration, Instant};

use qwill_grammar::{Error, Grammar};
use serde_json::{Map, Value, json};

use walk::Rng;

/// Ten times what any of them takes on a quiet machine; on one that does much besides, time says little.
const SOON: Duration = Duration::from_secs(20);

/// Compiles a grammar and writes a text under it, both soon; says why it was refused, if it was.
fn outcome(grammar: &Grammar) -> Result<(), String> {
    let grammars = walk::grammars();
    let started = Instant::now();
    let compiled = grammars.compile(grammar);
    assert!(started.elapsed() < SOON, "compiled in {:?}", started.elapsed());
    let mut matcher = compiled.map_err(|error| match error {
        Error::Grammar { reason, .. } => reason,
        other => panic!("{other}"),
    })?;
    let started = Instant::now();
    walk::write(&mut matcher, &mut Rng(3), 100);
    assert!(started.elapsed() < SOON, "written in {:?}", started.elapsed());
    Ok(())
}

fn is_followed(name: &str, grammar: Grammar) {
    assert_eq!(outcome(&grammar), Ok(()), "{name}");
}

fn is_refused(name: &str, grammar: Grammar, words: &str) {
    match outcome(&grammar) {
        Ok(()) => panic!("{name} is followed"),
        Err(reason) => assert!(reason.contains(words) && reason.len() < 2500, "{name}: {reason}"),
    }
}

fn nested(n: usize, wrap: impl Fn(Value) -> Value) -> Grammar {
    let mut schema = json!({"type": "string"});
    for _ in 0..n {
        schema = wrap(schema);
    }
    Grammar::JsonSchema(schema)
}

#[test]
fn schemas_in_schemas() {
    is_followed("objects", nested(60, |inner| json!({"type": "object", "properties": {"a": inner}})));
    for n in [130, 500] {
        is_refused("objects", nested(n, |inner| json!({"properties": {"a": inner}})), "nested more than 128");
        is_refused(
            "arrays",
            nested(n, |inner| json!({"type": "array", "items": inner})),
            "nested more than 128",
        );
        is_refused("allOf", nested(n, |inner| json!({"allOf": [inner]})), "nested more than 128");
    }
    let mut definitions = Map::new();
    for i in 0..30 {
        let next = json!({"$ref": format!("#/$defs/d{}", i + 1)});
        let both = json!({"allOf": [{"anyOf": [next, {"type": "object", "properties": {"x": next}}]},
                                    {"anyOf": [next, {"type": "array", "items": next}]}]});
        definitions.insert(format!("d{i}"), both);
    }
    definitions.insert("d30".into(), json!({"type": "string"}));
    let laughs = json!({"$ref": "#/$defs/d0", "$defs": definitions});
    is_followed("two uses of each definition", Grammar::JsonSchema(laughs));
}

#[test]
fn schemas_that_are_wide() {
    let texts = |n: usize| (0..n).map(|i| Value::from(format!("value {i}"))).collect::<Vec<_>>();
    is_followed("an enum", Grammar::JsonSchema(json!({"enum": texts(10_000)})));
    is_refused("an enum", Grammar::JsonSchema(json!({"enum": texts(100_000)})), "too big");
    let properties = |n: usize| {
        let named = (0..n).map(|i| (format!("key {i}"), json!({"type": "string"})));
        json!({"type": "object", "properties": named.collect::<Map<_, _>>()})
    };
    is_followed("properties", Grammar::JsonSchema(properties(400)));
    is_refused("properties", Grammar::JsonSchema(properties(401)), "401 \"properties\" are too many");
    is_refused("properties", Grammar::JsonSchema(properties(10_000)), "are too many");
    let mut required = properties(1000);
    required["required"] = (0..1000).map(|i| format!("key {i}")).collect();
    is_followed("required properties", Grammar::JsonSchema(required));
    let patterns = |n: usize| {
        let named = (0..n).map(|i| (format!("^x{i}_"), json!({"type": "string"})));
        json!({"type": "object", "patternProperties": named.collect::<Map<_, _>>()})
    };
    is_followed("patterns", Grammar::JsonSchema(patterns(40)));
    is_refused("patterns", Grammar::JsonSchema(patterns(500)), "\"patternProperties\" are too many");
    let many: Vec<Value> = (0..20_000).map(|i| json!({"properties": {"k": {"const": i}}})).collect();
    is_refused("options", Grammar::JsonSchema(json!({"anyOf": many})), "too large");
}

#[test]
fn schemas_in_circles() {
    is_refused("itself", Grammar::JsonSchema(json!({"$ref": "#"})), "describes no text");
    let two = json!({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}});
    is_refused("two", Grammar::JsonSchema(two), "describes no text");
    is_refused("allOf", Grammar::JsonSchema(json!({"allOf": [{"$ref": "#"}]})), "describes no text");
    is_followed("anyOf", Grammar::JsonSchema(json!({"anyOf": [{"$ref": "#"}, {"type": "null"}]})));
    let list =
        json!({"type": "object", "properties": {"next": {"$ref": "#"}}, "additionalProperties": false});
    is_followed("a list", Grammar::JsonSchema(list));
    // nothing says that this has no end; a limit of tokens does
    is_followed(
        "without end",
        Grammar::JsonSchema(json!({"type": "array", "items": {"$ref": "#"}, "minItems": 1})),
    );
}

#[test]
fn numbers_that_are_large() {
    for n in [100_000, 10_000_000, u64::from(u32::MAX)] {
        is_followed(
            "lengths",
            Grammar::JsonSchema(json!({"type": "string", "minLength": n, "maxLength": n})),
        );
        let items = json!({"type": "array", "items": {"type": "null"}, "minItems": n, "maxItems": n});
        is_followed("items", Grammar::JsonSchema(items));
    }
    is_refused("lengths", Grammar::JsonSchema(json!({"type": "string", "minLength": u64::MAX})), "invalid");
    for n in [1_000_000, 1_000_000_000] {
        is_followed(
            "repetitions",
            Grammar::Lark(format!("start: (x{{0,{n}}}){{0,{n}}}\nx: \"a\" | \"b\" x")),
        );
    }
    is_followed("multiples", Grammar::JsonSchema(json!({"type": "integer", "multipleOf": 1000})));
    is_refused(
        "multiples",
        Grammar::JsonSchema(json!({"multipleOf": 99_999})),
        "\"multipleOf\" 99999 is not supported",
    );
    is_refused("multiples", Grammar::JsonSchema(json!({"multipleOf": 1e-300})), "is not supported");
}

#[test]
fn regular_expressions() {
    for regex in ["(a|aa)+", "(.*a.*){50}", "(?s:.*)a.{30}", "[a-z]{0,100000}", "(x+x+)+y", r"\p{L}{0,1000}b"]
    {
        is_followed(regex, Grammar::Regex(regex.into()));
    }
    for regex in ["(a{1000}){1000}", "((a{100}){100}){100}", "(a?){5000}a{5000}"] {
        is_refused(regex, Grammar::Regex(regex.into()), "too many expressions");
    }
    for n in [1000, 100_000] {
        let deep = format!("{}a{}", "(".repeat(n), ")".repeat(n));
        is_refused("groups", Grammar::Regex(deep), "invalid regex");
    }
    is_refused("a long one", Grammar::Regex("a".repeat(1_000_000)), "1000000 bytes");
    let slow = json!({"type": "string", "pattern": "^(([a-z])+.)+[A-Z]([a-z])+$", "minLength": 3000, "maxLength": 5000});
    let _ = outcome(&Grammar::JsonSchema(slow));
}

#[test]
fn rules_that_lead_to_rules() {
    let chain = |n: usize, rule: &dyn Fn(usize) -> String, last: &str| {
        (0..n).map(rule).chain([last.to_owned()]).collect::<Vec<_>>().join("\n")
    };
    let lark = chain(3900, &|i| format!("r{i}: \"a\" r{}", i + 1), "r3900: \"a\"");
    is_followed("Lark's rules", Grammar::Lark(format!("start: r0\n{lark}")));
    let lark = chain(3900, &|i| format!("R{i}: \"a\" R{}", i + 1), "R3900: \"a\"");
    let _ = outcome(&Grammar::Lark(format!("start: R0\n{lark}")));
    let gbnf = chain(3900, &|i| format!("r{i} ::= \"a\" r{}", i + 1), "r3900 ::= \"a\"");
    let _ = outcome(&Grammar::Gbnf(format!("root ::= r0\n{gbnf}")));
    let lark = chain(5000, &|i| format!("r{i}: r{}", i + 1), "r5000: \"a\"");
    is_refused("Lark's rules", Grammar::Lark(format!("start: r0\n{lark}")), "5002 lines");
    for doubled in ["R", "r"] {
        let lark = chain(40, &|i| format!("{doubled}{i}: {doubled}{j} {doubled}{j}", j = i + 1), "");
        let lark = format!("start: {doubled}0\n{lark}{doubled}40: \"a\"");
        is_refused("doubled rules", Grammar::Lark(lark), "oo");
    }
    let gbnf = chain(40, &|i| format!("r{i} ::= r{j} r{j}", j = i + 1), "r40 ::= \"a\"");
    is_refused("doubled rules", Grammar::Gbnf(format!("root ::= r0\n{gbnf}")), "too big");
}

#[test]
fn rules_without_an_end() {
    is_refused("left", Grammar::Lark("start: start \"a\"".into()), "describes no text");
    is_refused("right", Grammar::Lark("start: \"a\" start".into()), "Too many items");
    is_refused("GBNF", Grammar::Gbnf("root ::= \"a\" root".into()), "Too many items");
    is_refused("terminals", Grammar::Lark("start: A\nA: \"x\" B\nB: A".into()), "circular");
    is_followed("ambiguous", Grammar::Lark("start: start start | \"a\" | \"\"".into()));
    for n in [1000, 100_000] {
        let deep = format!("start: {}\"a\"{}", "(".repeat(n), ")".repeat(n));
        is_refused("groups", Grammar::Lark(deep), "too deeply nested");
        let deep = format!("start: %json {}true{}", "{\"items\":".repeat(n), "}".repeat(n));
        let _ = outcome(&Grammar::Lark(deep)).unwrap_err();
    }
}
