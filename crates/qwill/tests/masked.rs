//! What a form lets through is drawn as the model would draw it: the most likely of the allowed tokens, or one at random with
//! the probabilities that the model gives them.
#![cfg(feature = "grammar")]

use std::collections::BTreeMap;
use std::path::Path;

use pollster::block_on;
use qwill::text::{Specials, Tokenizer};
use qwill::{
    ChatRequest, Control, EvalCase, GrammarText, KvType, LoadOptions, Model, ModelFiles, ResponseFormat,
    SamplingOptions, WantedLogits,
};
use qwill_grammar::{Grammar, Grammars, Matcher, Vocabulary};
use serde_json::json;

/// Logits that lie so close may change places.
const CLOSE: f32 = 1e-3;
const PROMPT: &str = "The answer is";

fn load(name: &str) -> (Model, Tokenizer) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden").join(name);
    let files = ModelFiles::from_path(path).unwrap();
    let options =
        LoadOptions { context_length: Some(512), kv_type: Some(KvType::F32), ..LoadOptions::default() };
    let tokenizer = block_on(files.clone().tokenizer()).unwrap();
    (block_on(Model::load(files, &options, &mut |_| Control::Continue)).unwrap(), tokenizer)
}

fn grammars(model: &Model, tokenizer: &Tokenizer) -> Grammars {
    let token = |id: u32| {
        let bytes = tokenizer.token_bytes(id).unwrap_or_default();
        let is_text = !tokenizer.is_added(id) && !tokenizer.is_special(id);
        if is_text { bytes } else { Vocabulary::special(&String::from_utf8_lossy(&bytes)) }
    };
    let (tokens, ends) =
        ((0..tokenizer.n_tokens() as u32).map(token).collect(), model.generation_config().eos_ids.clone());
    let tokenizer = tokenizer.clone();
    let encode =
        move |bytes: &[u8]| tokenizer.encode(&String::from_utf8_lossy(bytes), Specials::AsText).unwrap();
    Grammars::new(Vocabulary { tokens, ends, encode: Box::new(encode) }).unwrap()
}

/// Logits behind every token of a text, `[n_tokens][vocab_size]`: they equal the reference's, as the goldens show.
fn logits(model: &Model, ids: &[u32]) -> Vec<Vec<f32>> {
    let case = EvalCase { ids: ids.to_vec(), logits: WantedLogits::All, ..EvalCase::default() };
    let reply = block_on(model.eval(&case)).unwrap();
    reply.logits.chunks_exact(reply.logits.len() / ids.len()).map(<[f32]>::to_vec).collect()
}

fn allowed(matcher: &mut Matcher, n_tokens: usize) -> Vec<u32> {
    let mut bits = vec![0u32; n_tokens.div_ceil(32)];
    matcher.allow(&mut bits).unwrap();
    (0..n_tokens as u32).filter(|id| bits[*id as usize / 32] >> (id % 32) & 1 == 1).collect()
}

#[test]
fn greedy_replies_are_the_most_likely_of_the_allowed_tokens() {
    let schema = json!({"type": "object", "properties": {"n": {"type": "integer", "minimum": 0, "maximum": 99},
        "word": {"type": "string", "maxLength": 6}}, "required": ["n", "word"], "additionalProperties": false});
    let lark = "start: (\"x\" | \"yz\") (\" \" WORD){2,4} \".\"\nWORD: /[a-z]{1,4}/";
    let forms = [
        (
            Grammar::Regex("[a-z]{2,6}( [0-9]{1,3}){1,3}!".into()),
            ChatRequest { regex: Some("[a-z]{2,6}( [0-9]{1,3}){1,3}!".into()), ..ChatRequest::default() },
        ),
        (
            Grammar::JsonSchema(schema.clone()),
            ChatRequest { response_format: Some(ResponseFormat::schema(schema)), ..ChatRequest::default() },
        ),
        (
            Grammar::Lark(lark.into()),
            ChatRequest { grammar: Some(GrammarText::guess(lark)), ..ChatRequest::default() },
        ),
    ];
    for name in ["qwen2-tied", "qwen3-tied", "qwen2moe-mix"] {
        let (model, tokenizer) = load(name);
        let grammars = grammars(&model, &tokenizer);
        let prompt = tokenizer.encode(PROMPT, Specials::Parse).unwrap();
        for (grammar, form) in &forms {
            let request = ChatRequest {
                prompt: Some(PROMPT.into()),
                sampling: SamplingOptions::greedy(),
                max_tokens: Some(120),
                ..form.clone()
            };
            let reply = block_on(model.chat(&request).unwrap().reply()).unwrap();
            let rows = logits(&model, &[&prompt[..], &reply.ids].concat());
            let mut matcher = grammars.compile(grammar).unwrap();
            let (mut at, mut n_drawn) = (0, 0);
            while at < reply.ids.len() {
                let (id, row) = (reply.ids[at], &rows[prompt.len() + at - 1]);
                let allowed = allowed(&mut matcher, tokenizer.n_tokens());
                let best = allowed.iter().map(|&id| row[id as usize]).fold(f32::NEG_INFINITY, f32::max);
                assert!(allowed.contains(&id), "{name}, {grammar:?}: token {at} is not allowed");
                assert!(
                    row[id as usize] >= best - CLOSE,
                    "{name}, {grammar:?}: token {at} of {:?}",
                    reply.text
                );
                matcher.take(id).unwrap();
                let forced = matcher.force().unwrap();
                let rest = &reply.ids[at + 1..];
                assert!(
                    rest.starts_with(&forced[..forced.len().min(rest.len())]),
                    "{name}: {:?}",
                    reply.text
                );
                at += 1 + forced.len();
                n_drawn += 1;
            }
            assert!(n_drawn > 3, "{name}, {grammar:?}: {n_drawn} tokens were drawn of {:?}", reply.text);
        }
    }
}

#[test]
fn draws_have_the_probabilities_of_the_allowed_tokens() {
    const DRAWS: usize = 80 * 128;
    let (model, tokenizer) = load("qwen3-tied");
    let regex = "[a-l][0-9]";
    let mut matcher = grammars(&model, &tokenizer).compile(&Grammar::Regex(regex.into())).unwrap();
    let prompt = tokenizer.encode(PROMPT, Specials::Parse).unwrap();
    let row = logits(&model, &prompt).pop().unwrap();
    let allowed = allowed(&mut matcher, tokenizer.n_tokens());
    let weight = |id: &u32| f64::from(row[*id as usize]).exp();
    let sum: f64 = allowed.iter().map(weight).sum();
    let mut drawn: BTreeMap<u32, usize> = BTreeMap::new();
    for first in (0..DRAWS).step_by(128) {
        let request = ChatRequest {
            prompt: Some(PROMPT.into()),
            regex: Some(regex.into()),
            n: Some(128),
            max_tokens: Some(1),
            sampling: SamplingOptions {
                temperature: Some(1.0),
                top_k: Some(0),
                top_p: Some(1.0),
                min_p: Some(0.0),
                repetition_penalty: Some(1.0),
                seed: Some(first as u64),
                ..SamplingOptions::default()
            },
            ..ChatRequest::default()
        };
        for reply in block_on(model.choices(&request).unwrap().replies()).unwrap() {
            *drawn.entry(reply.ids[0]).or_default() += 1;
        }
    }
    assert!(allowed.len() > 8 && drawn.keys().all(|id| allowed.contains(id)), "{allowed:?}, {drawn:?}");
    let expected = |id: &u32| weight(id) / sum * DRAWS as f64;
    let chi_square: f64 = allowed
        .iter()
        .map(|id| (drawn.get(id).copied().unwrap_or(0) as f64 - expected(id)).powi(2) / expected(id))
        .sum();
    // once in some 100,000 times it is larger than that (Wilson and Hilferty's approximation)
    let freedom = (allowed.len() - 1) as f64;
    let most = freedom * (1.0 - 2.0 / (9.0 * freedom) + 4.3 * (2.0 / (9.0 * freedom)).sqrt()).powi(3);
    assert!(chi_square < most, "{chi_square} of at most {most} for {drawn:?}");
}
