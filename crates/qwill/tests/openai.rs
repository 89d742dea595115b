//! What OpenAI's API asks of tokens and choices: log probabilities, biases, several replies, echoes.

use std::collections::BTreeMap;
use std::path::Path;

use pollster::block_on;
use qwill::text::{Specials, SpecialsOut};
use qwill::{
    ChatEvent, ChatReply, ChatRequest, Control, EvalCase, FinishReason, KvType, LoadOptions, Model,
    ModelFiles, SamplingOptions, TokenLogprob, Usage, WantedLogits,
};
use serde_json::json;

/// What a log probability may be off.
const EXACT: f64 = 1e-4;
const PROMPT: &str = "one two three four five six seven, and then some more";

fn model(name: &str, mask: &str) -> Model {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden").join(name);
    let options = LoadOptions {
        caps_mask: mask.into(),
        context_length: Some(256),
        kv_type: Some(KvType::F32),
        ..LoadOptions::default()
    };
    block_on(Model::load(ModelFiles::from_path(path).unwrap(), &options, &mut |_| Control::Continue)).unwrap()
}

fn raw(max_tokens: usize, sampling: SamplingOptions) -> ChatRequest {
    ChatRequest {
        prompt: Some(PROMPT.into()),
        max_tokens: Some(max_tokens),
        sampling,
        ..ChatRequest::default()
    }
}

fn hot(seed: u64) -> SamplingOptions {
    SamplingOptions {
        temperature: Some(1.5),
        top_k: Some(0),
        top_p: Some(1.0),
        repetition_penalty: Some(1.2),
        frequency_penalty: Some(0.5),
        seed: Some(seed),
        ..SamplingOptions::default()
    }
}

fn chat(model: &Model, request: &ChatRequest) -> ChatReply {
    block_on(model.chat(request).unwrap().reply()).unwrap()
}

/// The tokens of a reply without one that ends the text, of which nothing is told.
fn shown(reply: &ChatReply) -> &[u32] {
    &reply.ids[..reply.ids.len() - usize::from(reply.finish_reason == FinishReason::Stop)]
}

fn content(reply: &ChatReply) -> &[TokenLogprob] {
    &reply.logprobs.as_ref().unwrap().content
}

/// Log probabilities of all tokens after each of `ids`, from the logits that the goldens hold to the reference.
fn log_softmax(model: &Model, ids: &[u32]) -> Vec<Vec<f64>> {
    let case = EvalCase { ids: ids.to_vec(), logits: WantedLogits::All, ..EvalCase::default() };
    let logits = block_on(model.eval(&case)).unwrap().logits;
    let row = |row: &[f32]| {
        let mass: f64 = row.iter().map(|&x| f64::from(x).exp()).sum();
        row.iter().map(|&x| f64::from(x) - mass.ln()).collect()
    };
    logits.chunks(model.info().vocab_size).map(row).collect()
}

/// Compares what was told of tokens with the log probabilities in their places.
fn check(told: &[TokenLogprob], rows: &[Vec<f64>], n_top: usize) {
    for (at, (token, row)) in told.iter().zip(rows).enumerate() {
        let logprob = f64::from(token.logprob.unwrap());
        let wanted = row[token.id as usize];
        assert!((logprob - wanted).abs() < EXACT, "token {at}: {logprob} instead of {wanted}");
        assert_eq!(token.top_logprobs.len(), n_top);
        let mut falling = row.clone();
        falling.sort_by(|a, b| b.total_cmp(a));
        for (rank, top) in token.top_logprobs.iter().enumerate() {
            for wanted in [falling[rank], row[top.id as usize]] {
                let logprob = f64::from(top.logprob);
                assert!((logprob - wanted).abs() < EXACT, "{rank} at {at}: {logprob} instead of {wanted}");
            }
        }
    }
}

#[test]
fn logprobs_are_those_of_the_raw_logits() {
    for (name, mask) in [
        ("qwen2-tied", ""),
        ("qwen3-tied", "no-software"),
        ("qwen2moe-mix", "no-software,no-subgroups"),
        ("q-qwen2-gptq8", ""),
    ] {
        let model = model(name, mask);
        let prompt = model.tokenize(PROMPT, Specials::Parse).unwrap();
        let forced = [(prompt[0], 5.0), (prompt[1], -5.0)].into();
        for (sampling, logit_bias, n_top) in
            [(SamplingOptions::greedy(), None, 20), (hot(3), None, 0), (hot(4), Some(forced), 5)]
        {
            let request = ChatRequest {
                logprobs: Some(true),
                top_logprobs: Some(n_top),
                logit_bias,
                ..raw(24, sampling)
            };
            let reply = chat(&model, &request);
            let told = content(&reply);
            let told_ids: Vec<u32> = told.iter().map(|token| token.id).collect();
            assert_eq!(told_ids, shown(&reply), "{name} [{mask}]");
            assert!(told_ids.len() > 3, "{name} [{mask}]: {told_ids:?}");
            let ids = [&prompt[..], &told_ids].concat();
            check(told, &log_softmax(&model, &ids)[prompt.len() - 1..], n_top);
            let bytes: Vec<u8> = told.iter().flat_map(|token| token.bytes.clone()).collect();
            let text = model.tokenizer().unwrap().decode(&told_ids, SpecialsOut::Keep);
            assert_eq!(String::from_utf8_lossy(&bytes), text);
            // asking changes nothing
            let plain = chat(&model, &ChatRequest { logprobs: None, top_logprobs: None, ..request });
            assert_eq!((plain.ids, plain.logprobs), (reply.ids, None));
        }
    }
}

#[test]
fn events_tell_the_logprobs_of_the_reply() {
    let model = model("qwen3-tied", "");
    let request = ChatRequest {
        logprobs: Some(true),
        top_logprobs: Some(2),
        max_tokens: Some(40),
        sampling: hot(5),
        ..ChatRequest::user("Hello")
    };
    let mut told = Vec::new();
    let reply = block_on(model.chat_with(&request, |event| {
        if let ChatEvent::Token { logprobs } = event {
            told.push(logprobs.unwrap());
        }
        Control::Continue
    }))
    .unwrap();
    assert!(told.len() > 5);
    assert_eq!(told, content(&reply));
    assert_eq!(told.len(), shown(&reply).len());
    let shape = json!(reply.logprobs);
    assert_eq!(shape["content"][0]["top_logprobs"][1]["bytes"], json!(told[0].top_logprobs[1].bytes));
    assert_eq!(json!(ChatEvent::Token { logprobs: None }), json!({"type": "token"}));
}

#[test]
fn echoed_prompts_have_logprobs() {
    for mask in ["", "no-software"] {
        let model = model("qwen2-tied", mask);
        let prompt = model.tokenize(PROMPT, Specials::Parse).unwrap();
        for max_tokens in [0, 6] {
            let request = ChatRequest {
                echo: Some(true),
                logprobs: Some(true),
                top_logprobs: Some(3),
                ..raw(max_tokens, SamplingOptions::greedy())
            };
            block_on(model.reset()).unwrap();
            let mut text = String::new();
            let reply = block_on(model.chat_with(&request, |event| {
                text.push_str(event.text());
                Control::Continue
            }))
            .unwrap();
            let told = content(&reply);
            let ids = [&prompt[..], &reply.ids].concat();
            assert_eq!(told.iter().map(|token| token.id).collect::<Vec<_>>(), ids);
            assert_eq!((told[0].logprob, told[0].top_logprobs.len()), (None, 0));
            check(&told[1..], &log_softmax(&model, &ids), 3);
            assert!(reply.text.starts_with(PROMPT) && reply.ids.len() == max_tokens);
            assert_eq!((&text, reply.usage.cached_tokens), (&reply.text, 0));
            let completion = reply.logprobs.as_ref().unwrap().completion();
            assert_eq!(
                (completion.tokens[..prompt.len()].concat(), completion.tokens.len()),
                (PROMPT.into(), ids.len())
            );
            // the same reply as without
            let plain = chat(&model, &raw(max_tokens, SamplingOptions::greedy()));
            assert_eq!((format!("{PROMPT}{}", plain.text), plain.ids), (reply.text, reply.ids));
        }
        let silent = ChatRequest { echo: Some(true), ..raw(3, SamplingOptions::greedy()) };
        let reply = chat(&model, &silent);
        assert!(reply.text.starts_with(PROMPT) && reply.logprobs.is_none() && reply.ids.len() == 3);
        // nothing comes before the only token of a prompt
        let request = ChatRequest { prompt: Some("a".into()), logprobs: Some(true), ..silent };
        let reply = chat(&model, &request);
        assert_eq!((content(&reply)[0].logprob, content(&reply).len()), (None, 4));
    }
}

#[test]
fn biases_forbid_and_force_and_shift() {
    for (name, mask) in [("qwen2-tied", ""), ("qwen3-tied", "no-software")] {
        let model = model(name, mask);
        let biased = |sampling: &SamplingOptions, biases: &[(u32, f32)]| {
            let logit_bias = Some(biases.iter().copied().collect::<BTreeMap<_, _>>());
            chat(&model, &ChatRequest { logit_bias, ..raw(32, sampling.clone()) }).ids
        };
        let greedy = SamplingOptions::greedy();
        let free = biased(&greedy, &[]);
        let few = SamplingOptions { top_k: Some(40), ..hot(1) };
        for sampling in [greedy.clone(), few, hot(2)] {
            // the first and the last id, with many others around it that are not of the reply
            for token in [0, 7, 411] {
                let mut biases: Vec<(u32, f32)> = (50..400).map(|id| (id, -1.0)).collect();
                biases.push((token, 100.0));
                assert_eq!(biased(&sampling, &biases), [token; 32], "{name} [{mask}]: {sampling:?}");
            }
            let unbiased = biased(&sampling, &[]);
            let forbidden: Vec<(u32, f32)> = unbiased.iter().map(|&id| (id, -100.0)).collect();
            let others = biased(&sampling, &forbidden);
            assert!(others.iter().all(|id| !unbiased.contains(id)), "{others:?} of {unbiased:?}");
            // and is there again for a text that has no bias
            assert_eq!(biased(&sampling, &[]), unbiased);
        }
        let two =
            biased(&SamplingOptions { repetition_penalty: Some(1.0), ..hot(3) }, &[(5, 100.0), (9, 100.0)]);
        assert!(two.contains(&5) && two.contains(&9) && two.iter().all(|id| [5, 9].contains(id)), "{two:?}");
        // exactly as much as it says
        let request = ChatRequest { logprobs: Some(true), top_logprobs: Some(2), ..raw(1, greedy.clone()) };
        let reply = chat(&model, &request);
        let [first, second] = &content(&reply)[0].top_logprobs[..] else { panic!("two were asked for") };
        let gap = first.logprob - second.logprob;
        assert_eq!(first.id, free[0]);
        assert_eq!(biased(&greedy, &[(second.id, gap - 1e-3)])[0], first.id);
        assert_eq!(biased(&greedy, &[(second.id, gap + 1e-3)])[0], second.id);
    }
}

#[test]
fn choices_are_what_their_seeds_give_alone() {
    for (name, mask) in [("qwen2-tied", ""), ("qwen3-tied", "no-software")] {
        let model = model(name, mask);
        let alone: Vec<ChatReply> = (7..11).map(|seed| chat(&model, &raw(30, hot(seed)))).collect();
        block_on(model.reset()).unwrap();
        let request = ChatRequest { n: Some(4), ..raw(30, hot(7)) };
        let mut texts = vec![String::new(); 4];
        let replies = model.choices(&request).unwrap().replies_with(|choice| {
            texts[choice.index].push_str(choice.event.text());
            Control::Continue
        });
        let replies = block_on(replies).unwrap();
        assert_eq!(replies.len(), 4);
        for ((reply, alone), text) in replies.iter().zip(&alone).zip(texts) {
            assert_eq!((&reply.ids, &reply.text), (&alone.ids, &text), "{name} [{mask}]");
        }
        assert_ne!(replies[0].ids, replies[1].ids);
        // the prompt is read once; each of the others reads its last token
        let n_prompt = replies[0].usage.prompt_tokens;
        let cached: Vec<usize> = replies.iter().map(|reply| reply.usage.cached_tokens).collect();
        assert_eq!(cached, [0, n_prompt - 1, n_prompt - 1, n_prompt - 1]);
        let completion_tokens = replies.iter().map(|reply| reply.ids.len()).sum();
        let usage =
            Usage { prompt_tokens: n_prompt, completion_tokens, cached_tokens: 0, reasoning_tokens: 0 };
        assert_eq!(Usage::of_choices(&replies), usage);
    }
}

#[test]
fn choices_can_be_stopped_and_a_single_one_is_a_reply() {
    let model = model("qwen2-tied", "");
    let request = ChatRequest { n: Some(3), logprobs: Some(true), ..raw(200, hot(1)) };
    let mut n_tokens = 0;
    let stopped = model.choices(&request).unwrap().replies_with(|choice| {
        n_tokens += usize::from(matches!(choice.event, ChatEvent::Token { .. }));
        if n_tokens == 12 { Control::Stop } else { Control::Continue }
    });
    let stopped = block_on(stopped).unwrap();
    assert!(stopped.iter().all(|reply| reply.finish_reason == FinishReason::Aborted));
    assert!(stopped.iter().all(|reply| content(reply).len() == reply.ids.len() && reply.ids.len() < 200));
    let single = ChatRequest { n: None, ..raw(5, hot(1)) };
    let choices = block_on(model.choices(&single).unwrap().replies()).unwrap();
    assert_eq!((choices.len(), &choices[0].ids), (1, &chat(&model, &single).ids));
}

#[test]
fn wrong_values_are_named() {
    let model = model("qwen2-tied", "");
    let n_tokens = model.tokenizer().unwrap().n_tokens() as u32;
    let refused = |request: ChatRequest, words: &[&str]| {
        let error = model.chat(&request).unwrap_err();
        assert_eq!(error.code(), "invalid-request", "{error}");
        for word in words {
            assert!(error.to_string().contains(word), "\"{word}\" is not in: {error}");
        }
    };
    let plain = || raw(1, SamplingOptions::greedy());
    let bias = |id, bias| ChatRequest { logit_bias: Some([(id, bias)].into()), ..plain() };
    refused(bias(n_tokens, 1.0), &["logit_bias", &n_tokens.to_string()]);
    refused(bias(1, 100.5), &["token 1 is 100.5", "-100 and 100"]);
    refused(bias(1, f32::NAN), &["token 1 is NaN"]);
    let many = (0..1025).map(|id| (id, 1.0)).collect();
    refused(ChatRequest { logit_bias: Some(many), ..plain() }, &["1025", "1024"]);
    let top = |logprobs, top_logprobs| ChatRequest { logprobs, top_logprobs, ..plain() };
    refused(top(Some(true), Some(21)), &["top_logprobs is 21", "20"]);
    refused(top(None, Some(1)), &["needs logprobs"]);
    refused(top(Some(false), Some(1)), &["needs logprobs"]);
    refused(ChatRequest { n: Some(0), ..plain() }, &["n is 0", "between 1 and 128"]);
    refused(ChatRequest { n: Some(129), ..plain() }, &["n is 129"]);
    refused(ChatRequest { n: Some(2), ..plain() }, &["n is 2", "choices"]);
    let echo = ChatRequest { echo: Some(true), ..plain() };
    refused(ChatRequest { suffix: Some("x".into()), ..echo.clone() }, &["echo and suffix"]);
    refused(
        ChatRequest { prompt: None, ..ChatRequest { echo: Some(true), ..ChatRequest::user("x") } },
        &["echo"],
    );
    assert!(model.choices(&ChatRequest { n: Some(0), ..plain() }).is_err());
}

#[test]
fn requests_are_in_openais_shape() {
    let parse = |value: serde_json::Value| serde_json::from_value::<ChatRequest>(value);
    let request = parse(json!({
        "prompt": "x", "logprobs": true, "top_logprobs": 2, "logit_bias": {"5": -100, "17": 1.5}, "n": 3, "echo": null
    }));
    let request = request.unwrap();
    assert_eq!(request.logit_bias, Some([(5, -100.0), (17, 1.5)].into()));
    assert_eq!((request.logprobs, request.top_logprobs, request.n), (Some(true), Some(2), Some(3)));
    for wrong in [json!({"logit_bias": {"a": 1}}), json!({"top_logprobs": -1}), json!({"n": 1.5})] {
        assert!(parse(wrong.clone()).is_err(), "{wrong}");
    }
}
