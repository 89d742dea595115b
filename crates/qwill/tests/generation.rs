//! Generating: repeatable, stoppable, and the same whether the cache was warm or not.

use std::path::Path;
use std::sync::Arc;

use pollster::block_on;
use qwill::weights::MemorySource;
use qwill::{
    ChatEvent, ChatReply, ChatRequest, Control, FinishReason, KvType, LoadOptions, Message, Model,
    ModelFiles, SamplingOptions, Speculation,
};
use qwill_testkit::scripted::{PromptEnd, Script, TagKind, scripted_gguf};

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
        max_tokens: Some(60),
        sampling: sampled(3),
        ..ChatRequest::new([Message::system("Be brief."), Message::user("你好 🙂")])
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

/// Texts of random weights that choose between two tokens, often others than were guessed.
#[test]
fn wrong_guesses_change_nothing() {
    let prompt = "one two three four, one two three four, one two three four, one two";
    let unlikely = SamplingOptions { temperature: Some(0.2), ..sampled(5) };
    for (name, mask) in [("qwen3-tied", ""), ("qwen2-untied", "no-software"), ("qwen2moe-mix", "")] {
        let model = model_with_cache(name, mask, KvType::F32);
        let mut n_guessed = 0;
        for sampling in [SamplingOptions::greedy(), unlikely.clone(), sampled(3)] {
            let two = Some([(65, 100.0), (66, 100.0)].into());
            let plain = ChatRequest { logprobs: Some(true), logit_bias: two, ..raw(prompt, 100, sampling) };
            let guessing = ChatRequest { speculation: Some(Speculation::Ngram), ..plain.clone() };
            let (plain, reply) = (chat(&model, &plain), chat(&model, &guessing));
            assert_eq!(reply.ids, plain.ids, "{name} [{mask}]");
            assert_eq!((&reply.text, reply.finish_reason), (&plain.text, plain.finish_reason));
            assert_eq!(reply.logprobs.unwrap().content.len(), plain.logprobs.unwrap().content.len());
            assert_eq!(plain.timings.draft_n, None);
            n_guessed += reply.timings.draft_n.unwrap_or(0);
        }
        assert!(n_guessed > 0, "{name} [{mask}]");
    }
}

/// A model that says what it was told, as one does that edits a file.
#[test]
fn right_guesses_are_taken() {
    let said = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    let script = Script { reply: said, piece: 1, tags: TagKind::Spelled, prompt_end: PromptEnd::Reply };
    let file = MemorySource::new("s.gguf", scripted_gguf(&script));
    let files = ModelFiles::from_sources("scripted", vec![Arc::new(file)]);
    let model = block_on(Model::load(files, &LoadOptions::default(), &mut |_| Control::Continue)).unwrap();
    for sampling in [SamplingOptions::greedy(), SamplingOptions { temperature: Some(0.1), ..sampled(1) }] {
        let plain = ChatRequest { sampling, ..ChatRequest::user(said) };
        let guessing = ChatRequest { speculation: Some(Speculation::Ngram), ..plain.clone() };
        let (plain, reply) = (chat(&model, &plain), chat(&model, &guessing));
        assert_eq!((reply.text.as_str(), reply.finish_reason), (said, FinishReason::Stop));
        assert_eq!(reply.ids, plain.ids);
        let (n_guessed, n_right) = (reply.timings.draft_n.unwrap(), reply.timings.draft_n_accepted.unwrap());
        assert!(n_right > said.len() / 2 && n_right <= n_guessed, "{n_right} of {n_guessed}");
    }
}

#[test]
fn nothing_is_guessed_where_each_token_changes_what_may_follow() {
    let model = model("qwen3-tied", "");
    let penalty = SamplingOptions { presence_penalty: Some(0.1), ..SamplingOptions::greedy() };
    let guessing = |request: ChatRequest| ChatRequest { speculation: Some(Speculation::Ngram), ..request };
    let limited =
        ChatRequest { regex: Some("(ab)*".into()), ..raw("ababababab", 20, SamplingOptions::greedy()) };
    for request in [raw("ababababab", 20, penalty), limited] {
        assert_eq!(chat(&model, &guessing(request.clone())).ids, chat(&model, &request).ids);
        assert_eq!(chat(&model, &guessing(request)).timings.draft_n, None);
    }
    // a text that ends in the middle of a guess
    let stopped = |n| ChatRequest {
        stop: vec!["\u{1}\u{2}".into()],
        ..raw("aaaaaaaaaaaaaaa", n, SamplingOptions::greedy())
    };
    for n in 1..9 {
        let reply = chat(&model, &guessing(stopped(n)));
        assert_eq!((reply.ids.len(), reply.finish_reason), (n, FinishReason::Length));
    }
}
