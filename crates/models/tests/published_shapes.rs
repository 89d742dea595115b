//! The table of published shapes against `tests/golden/param_counts.json`, which
//! `tests/golden/scripts/count_params.py` makes with the classes of transformers.

use std::collections::BTreeMap;
use std::path::Path;

use qwill_models::{Config, plan, published_shape, published_shapes};
use serde_json::Value;

/// `{name: {"config": .., "params": ..}}`
fn counted() -> BTreeMap<String, Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/param_counts.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn the_table_holds_every_published_name_once() {
    let mut names: Vec<_> = published_shapes().iter().map(|shape| shape.name.to_owned()).collect();
    names.sort_unstable();
    assert_eq!(names, counted().into_keys().collect::<Vec<_>>());
}

#[test]
fn configurations_are_those_that_were_counted() {
    for (name, entry) in counted() {
        let shape = published_shape(&name).unwrap();
        assert_eq!(shape.config, Config::new(entry["config"].clone()), "{name}");
    }
}

#[test]
fn plans_have_the_parameters_of_the_reference() {
    let mut wrong = Vec::new();
    for (name, entry) in counted() {
        let n_params = plan(&published_shape(&name).unwrap().config).map(|plan| plan.n_params());
        if n_params.as_ref().ok() != entry["params"].as_u64().as_ref() {
            wrong.push(format!("{name}: {n_params:?}, but the reference has {}", entry["params"]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn names_are_found_in_any_case_and_with_the_suffixes_of_chat_releases() {
    let name_of = |text: &str| published_shape(text).map(|shape| shape.name);
    assert_eq!(name_of("Qwen3-0.6B"), Some("qwen3-0.6b"));
    assert_eq!(name_of("Qwen2.5-Coder-32B-Instruct"), Some("qwen2.5-coder-32b"));
    assert_eq!(name_of("Qwen-7B-Chat"), Some("qwen-7b"));
    assert_eq!(name_of("qwen2.5-7b-instruct"), Some("qwen2.5-7b-instruct"));
    for unknown in ["", "-chat", "qwen", "qwen3-0.6b-", "qwen3-0.6b-chat-chat", "qwen3-0.6"] {
        assert_eq!(name_of(unknown), None, "{unknown:?}");
    }
}
