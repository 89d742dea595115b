//! The model that ships: prompts, ids and greedy replies as its training code (torch, float32) gives them.

use std::path::Path;

use pollster::block_on;
use qwill::text::{Specials, SpecialsOut};
use qwill::{ChatRequest, Control, KvType, LoadOptions, Model, ModelFiles, SamplingOptions};
use serde_json::Value;

fn golden() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../demo-model/golden.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn ids(value: &Value) -> Vec<u32> {
    serde_json::from_value(value.clone()).unwrap()
}

#[test]
fn replies_are_those_of_the_training_code() {
    let golden = golden();
    let stop_ids = ids(&golden["stop_ids"]);
    let without_stop = |mut ids: Vec<u32>| {
        ids.pop_if(|id| stop_ids.contains(id));
        ids
    };
    let options = LoadOptions { kv_type: Some(KvType::F32), ..LoadOptions::default() };
    let model = block_on(Model::load(ModelFiles::demo(), &options, &mut |_| Control::Continue)).unwrap();
    for case in golden["cases"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let request = ChatRequest {
            messages: serde_json::from_value(case["messages"].clone()).unwrap(),
            tools: case["tools"].as_array().cloned(),
            enable_thinking: case["enable_thinking"].as_bool(),
            max_tokens: golden["max_tokens"].as_u64().map(|n| n as usize),
            sampling: SamplingOptions::greedy(),
            ..ChatRequest::default()
        };
        let prompt = model.render(&request).unwrap();
        assert_eq!(prompt, case["prompt"].as_str().unwrap(), "{name}");
        assert_eq!(model.tokenize(&prompt, Specials::Parse).unwrap(), ids(&case["prompt_ids"]), "{name}");
        let reply = block_on(model.chat_with(&request, &mut |_| Control::Continue)).unwrap();
        let made = without_stop(reply.ids);
        let wanted = without_stop(ids(&case["greedy_ids"]));
        // Where two logits nearly tie, rounding may choose the other one.
        if case["smallest_margin"].as_f64().unwrap() > 1e-3 {
            let text = model.tokenizer().unwrap().decode(&made, SpecialsOut::Keep);
            assert_eq!(made, wanted, "{name}: {text}");
        }
    }
}
