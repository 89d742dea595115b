//! Generating: repeatable, stoppable, and the same whether the cache was warm or not.

use std::path::Path;

use pollster::block_on;
use qwill::{
    ChatEvent, ChatReply, ChatRequest, Control, FinishReason, KvType, LoadOptions, Model, ModelFiles,
    SamplingOptions,
};
use serde_json::json;

fn model(name: &str, mask: &str) -> Model {
    model_with_cache(name, mask, KvType::F16)
}

fn model_with_cache(name: &str, mask: &str, kv: KvType) -> Model {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden").join(name);
    let options = LoadOptions {
        caps_mask: mask.into(),
        context_length: Some(512),
        kv_type: Some(kv),
        ..LoadOptions::default()
    };
    block_on(Model::load(ModelFiles::from_path(path).unwrap(), &options, &mut |_| Control::Continue)).unwrap()
}

fn chat(model: &Model, request: &ChatRequest) -> ChatReply {
    block_on(model.chat_with(request, &mut |_| Control::Continue)).unwrap()
}

/// No end of text, so that lengths are known.
fn raw(prompt: &str, max_tokens: usize, sampling: SamplingOptions) -> ChatRequest {
    ChatRequest {
        prompt: Some(prompt.into()),
        max_tokens: Some(max_tokens),
        sampling,
        ..ChatRequest::default()
    }
}

fn sampled(seed: u64) -> SamplingOptions {
    SamplingOptions {
        temperature: Some(1.5),
        top_k: Some(40),
        top_p: Some(0.95),
        seed: Some(seed),
        ..SamplingOptions::default()
    }
}

#[test]
fn a_seed_repeats_its_text_and_another_gives_another() {
    for mask in ["", "no-software", "no-software,no-subgroups"] {
        let model = model("qwen2-tied", mask);
        let first = chat(&model, &raw("Hello", 32, sampled(7)));
        let other = chat(&model, &raw("Hello", 32, sampled(8)));
        let again = chat(&model, &raw("Hello", 32, sampled(7)));
        assert_eq!(first.ids, again.ids, "[{mask}]");
        assert_ne!(first.ids, other.ids, "[{mask}]");
    }
}

#[test]
fn every_sampling_setting_runs() {
    let model = model("qwen3-tied", "");
    let n_tokens = model.tokenizer().unwrap().n_tokens() as u32;
    let settings = [
        SamplingOptions { temperature: Some(3.0), top_k: Some(0), ..sampled(1) },
        SamplingOptions { temperature: Some(3.0), top_k: Some(0), top_p: Some(1.0), ..sampled(2) },
        SamplingOptions { top_k: Some(100), ..sampled(3) },
        SamplingOptions { min_p: Some(0.2), ..sampled(4) },
        SamplingOptions { top_k: Some(1), ..sampled(5) },
        SamplingOptions { repetition_penalty: Some(1.3), presence_penalty: Some(0.5), ..sampled(6) },
    ];
    for sampling in settings {
        let reply = chat(&model, &raw("Hello", 24, sampling.clone()));
        // padding rows of the embedding are never sampled
        assert!(reply.ids.iter().all(|&id| id < n_tokens), "{sampling:?}: {:?}", reply.ids);
    }
}

#[test]
fn penalties_end_repetition() {
    let model = model("qwen2-tied", "");
    let penalised = SamplingOptions {
        temperature: Some(0.0),
        presence_penalty: Some(1000.0),
        repetition_penalty: Some(1.0),
        ..SamplingOptions::default()
    };
    let ids = chat(&model, &raw("Hello", 100, penalised)).ids;
    let mut distinct = ids.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), ids.len(), "a token came twice: {ids:?}");
}

#[test]
fn a_warm_cache_changes_nothing() {
    for kv in [KvType::F16, KvType::Q8] {
        compare_warm_with_cold(kv);
    }
}

fn compare_warm_with_cold(kv: KvType) {
    let warm = model_with_cache("qwen3-tied", "", kv);
    let cold = model_with_cache("qwen3-tied", "", kv);
    let mut text = String::from("one two three four five six seven");
    for turn in 0..4 {
        let request = raw(&text, 20, SamplingOptions::greedy());
        let reply = chat(&warm, &request);
        block_on(cold.reset()).unwrap();
        let fresh = chat(&cold, &request);
        assert_eq!(reply.ids, fresh.ids, "turn {turn}");
        assert_eq!(fresh.usage.cached_tokens, 0);
        assert_eq!(reply.usage.cached_tokens > 0, turn > 0, "turn {turn}: {:?}", reply.usage);
        text.push_str(" and then some more");
    }
    // an edited beginning shares less, and is right all the same
    let request = raw("one two tree", 20, SamplingOptions::greedy());
    block_on(cold.reset()).unwrap();
    assert_eq!(chat(&warm, &request).ids, chat(&cold, &request).ids);
}

#[test]
fn replies_stop_where_they_should() {
    let model = model("qwen2-tied", "");
    let whole = chat(&model, &raw("Hello", 40, SamplingOptions::greedy()));
    assert_eq!(whole.finish_reason, FinishReason::Length);
    assert_eq!((whole.ids.len(), whole.usage.completion_tokens), (40, 40));

    // a stop string from the middle of the text
    let middle: String = whole.text.chars().skip(whole.text.chars().count() / 2).take(3).collect();
    let stopped = chat(
        &model,
        &ChatRequest { stop: vec![middle.clone()], ..raw("Hello", 40, SamplingOptions::greedy()) },
    );
    assert_eq!(stopped.finish_reason, FinishReason::Stop);
    assert_eq!(stopped.text, whole.text.split(&middle).next().unwrap());

    // the caller, after the fifth token
    let mut tokens = 0;
    let request = raw("Hello", 40, SamplingOptions::greedy());
    let aborted = block_on(model.chat_with(&request, &mut |event| {
        tokens += usize::from(matches!(event, ChatEvent::Token { .. }));
        if tokens == 5 { Control::Stop } else { Control::Continue }
    }))
    .unwrap();
    assert_eq!(aborted.finish_reason, FinishReason::Aborted);
    assert_eq!(aborted.ids, whole.ids[..5]);
    // what ran ahead of the stop is forgotten
    assert_eq!(chat(&model, &request).ids, whole.ids);

    // the end of the context
    let full = chat(&model, &raw(&"Hello ".repeat(70), 10_000, SamplingOptions::greedy()));
    assert_eq!(full.finish_reason, FinishReason::Length);
    assert_eq!(full.usage.prompt_tokens + full.ids.len(), 512 + 1);
}

#[test]
fn events_add_up_to_the_reply() {
    let model = model("qwen3-tied", "");
    let request = ChatRequest {
        messages: vec![
            json!({"role": "system", "content": "Be brief."}),
            json!({"role": "user", "content": "你好 🙂"}),
        ],
        max_tokens: Some(60),
        sampling: sampled(3),
        ..ChatRequest::default()
    };
    let (mut text, mut reasoning) = (String::new(), String::new());
    let reply = block_on(model.chat_with(&request, &mut |event| {
        match &event {
            ChatEvent::Content { text: part } => text.push_str(part),
            ChatEvent::Reasoning { text: part } => reasoning.push_str(part),
            _ => {}
        }
        Control::Continue
    }))
    .unwrap();
    assert_eq!((text, reasoning), (reply.text.clone(), reply.reasoning.clone()));
    assert!(reply.usage.prompt_tokens > 5 && reply.timings.decode_tps > 0.0);
}
