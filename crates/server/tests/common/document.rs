//! What tests send and get, held to the document about it.

use std::sync::LazyLock;

use serde_json::{Value, json};

static DOCUMENT: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../../src/native/openapi.json")).unwrap());

/// The route of a path, whose parameters are named.
fn route(path: &str) -> &'static Value {
    let path = path.split('?').next().unwrap();
    let named = if path.starts_with("/slots/") { "/slots/{id}" } else { path };
    let route = &DOCUMENT["paths"][named]["post"];
    assert!(!route.is_null(), "{path} is not in the document");
    route
}

#[track_caller]
fn check(what: &str, content: &Value, value: &Value) {
    let schema = &content["application/json"]["schema"];
    let schema = json!({"allOf": [schema], "components": DOCUMENT["components"]});
    let validator = jsonschema::validator_for(&schema).unwrap();
    let wrong: Vec<String> = validator.iter_errors(value).map(|error| error.to_string()).collect();
    assert!(wrong.is_empty(), "{what} is not as the document says: {wrong:?}\n{value}");
}

/// A request that is answered.
#[track_caller]
pub(crate) fn check_request(path: &str, body: &Value) {
    check(&format!("what {path} takes"), &route(path)["requestBody"]["content"], body);
}

/// A whole answer.
#[track_caller]
pub(crate) fn check_answer(path: &str, answer: &Value) {
    check(&format!("what {path} gives"), &route(path)["responses"]["200"]["content"], answer);
}
