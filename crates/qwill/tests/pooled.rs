//! Embeddings and scores of the reference implementation, through the public API.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pollster::block_on;
use qwill::weights::{ByteSource, MemorySource};
use qwill::{ChatRequest, Control, EvalCase, KvType, LoadOptions, Model, ModelFiles, Pooled};
use safetensors::SafeTensors;
use serde_json::{Value, json};

const EXACT: f32 = 2e-4;
const MASKS: [&str; 4] = ["", "no-software", "no-software,no-subgroups", "max-binding=384KiB"];

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden").join(name)
}

fn expected(name: &str) -> (Value, Vec<u8>) {
    let read = |file: &str| std::fs::read(golden(name).join(file)).unwrap();
    (serde_json::from_slice(&read("expected.json")).unwrap(), read("expected.safetensors"))
}

fn tensor(bytes: &[u8], name: &str) -> Vec<f32> {
    let tensors = SafeTensors::deserialize(bytes).unwrap();
    let data = tensors.tensor(name).unwrap_or_else(|e| panic!("{name}: {e}")).data().to_vec();
    data.chunks(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
}

fn load_files(files: ModelFiles, mask: &str) -> Model {
    let options = LoadOptions {
        caps_mask: mask.into(),
        kv_type: Some(KvType::F32),
        context_length: Some(768),
        prefill_chunk: Some(256),
        ..LoadOptions::default()
    };
    block_on(Model::load(files, &options, &mut |_| Control::Continue)).unwrap()
}

fn load(name: &str, mask: &str) -> Model {
    load_files(ModelFiles::from_path(golden(name)).unwrap(), mask)
}

/// The same checkpoint with other values in its `config.json`.
fn load_changed(name: &str, mask: &str, changes: Value) -> Model {
    let file = |file: &str| std::fs::read(golden(name).join(file)).unwrap();
    let mut config: Value = serde_json::from_slice(&file("config.json")).unwrap();
    config.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    let files = ["model.safetensors", "tokenizer.json", "tokenizer_config.json"]
        .map(|name| MemorySource::new(name, file(name)))
        .into_iter()
        .chain([MemorySource::new("config.json", config.to_string().into_bytes())])
        .map(|source| Arc::new(source) as Arc<dyn ByteSource>)
        .collect();
    load_files(ModelFiles::from_sources(name, files), mask)
}

fn ids(value: &Value) -> Vec<u32> {
    serde_json::from_value(value.clone()).unwrap()
}

fn assert_close(found: &[f32], wanted: &[f32], what: &str) {
    assert_eq!(found.len(), wanted.len(), "{what}");
    let worst = found.iter().zip(wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst <= EXACT, "{what}: differs by {worst:e}");
}

/// `Qwen2ForSequenceClassification` (scores of the last token) and a reward model (scores of every token).
#[test]
fn scores_equal_the_reference() {
    for mask in MASKS {
        for name in ["qwen2-seqcls", "qwen3-seqcls", "qwen2-rm", "qwen2-prm"] {
            let (json, tensors) = expected(name);
            let model = load(name, mask);
            for (prompt, tokens) in json["prompts"].as_object().unwrap() {
                let what = format!("{name} {prompt} [{mask}]");
                let scores = block_on(model.score_ids(&ids(tokens))).unwrap();
                assert_close(&scores.last, &tensor(&tensors, &format!("score.{prompt}")), &what);
                match name {
                    "qwen2-rm" | "qwen2-prm" => {
                        let wanted = tensor(&tensors, &format!("score.{prompt}.tokens"));
                        assert_close(&scores.tokens.unwrap().concat(), &wanted, &what);
                    }
                    _ => assert_eq!(scores.tokens, None),
                }
            }
        }
    }
}

/// A process reward model gives the probability that a step is right for each `<extra_0>`.
#[test]
fn steps_are_scored() {
    let (json, _) = expected("qwen2-prm");
    let model = load("qwen2-prm", "");
    let wanted: Vec<f32> = serde_json::from_value(json["steps"]["rewards"].clone()).unwrap();
    assert_eq!(wanted.len(), 4);
    let scores = block_on(model.score_ids(&ids(&json["steps"]["ids"]))).unwrap();
    assert_close(&scores.steps.unwrap(), &wanted, "steps");
    let steps: Vec<&str> = vec!["First, 2 + 2 = 4.", "So it is 5."];
    let conversation =
        [json!({"role": "user", "content": "2 + 2?"}), json!({"role": "assistant", "content": steps})];
    let scores = block_on(model.score(&conversation)).unwrap().steps.unwrap();
    assert!(scores.len() == 2 && scores.iter().all(|p| (0.0..=1.0).contains(p)), "{scores:?}");
}

/// A large Qwen3-Embedding is no tied model and has no output matrix all the same, nor a class that says so.
#[test]
fn an_output_matrix_may_be_missing() {
    let (json, tensors) = expected("qwen3-embed");
    let model = load_changed(
        "qwen3-embed",
        "",
        json!({"architectures": ["Qwen3ForCausalLM"], "tie_word_embeddings": false}),
    );
    let found = block_on(model.embed_ids(&ids(&json["ids"][0]), None)).unwrap();
    assert_close(&found, &tensor(&tensors, "embeddings")[..64], "untied");
    let error = block_on(model.rerank("a", &["b".into()], None)).unwrap_err().to_string();
    assert!(error.contains("cannot rerank"), "{error}");
}

/// Padding at the end belongs to batches; the score is that of the last real token.
#[test]
fn padding_is_skipped() {
    let (json, tensors) = expected("qwen2-seqcls");
    let model = load("qwen2-seqcls", "");
    let mut padded = ids(&json["prompts"]["L7"]);
    padded.resize(33, 420);
    let scores = block_on(model.score_ids(&padded)).unwrap();
    assert_close(&scores.last, &tensor(&tensors, "score.batch_right_padded")[..3], "padded");
}

#[test]
fn embeddings_equal_the_reference() {
    let (json, tensors) = expected("qwen3-embed");
    let (wanted, short) = (tensor(&tensors, "embeddings"), tensor(&tensors, "embeddings.mrl32"));
    for mask in MASKS {
        let model = load("qwen3-embed", mask);
        for (i, text) in json["texts"].as_array().unwrap().iter().enumerate() {
            let what = format!("text {i} [{mask}]");
            let whole = block_on(model.embed(text.as_str().unwrap(), None, None)).unwrap();
            assert_close(&whole, &wanted[i * 64..][..64], &what);
            let cut = block_on(model.embed_ids(&ids(&json["ids"][i]), Some(32))).unwrap();
            assert_close(&cut, &short[i * 32..][..32], &what);
        }
    }
}

/// gte-Qwen2's tokens see each other both ways.
#[test]
fn embeddings_that_look_both_ways_equal_the_reference() {
    let bytes = std::fs::read(golden("qwen2-tied/bidirectional.json")).unwrap();
    let wanted: Value = serde_json::from_slice(&bytes).unwrap();
    let (json, _) = expected("qwen2-tied");
    // the whole text must fit a step, and a step a binding
    for mask in ["", "no-software", "no-software,no-subgroups", "max-binding=1MiB"] {
        let model = load_changed("qwen2-tied", mask, json!({"is_causal": false}));
        for (prompt, embedding) in wanted["embeddings"].as_object().unwrap() {
            let wanted: Vec<f32> = serde_json::from_value(embedding.clone()).unwrap();
            let found = block_on(model.embed_ids(&ids(&json["prompts"][prompt]), None)).unwrap();
            assert_close(&found, &wanted, &format!("{prompt} [{mask}]"));
        }
        let error =
            block_on(model.chat_with(&ChatRequest::user("Hi"), &mut |_| Control::Continue)).unwrap_err();
        assert!(error.to_string().contains("cannot generate"), "{error}");
    }
}

/// `qwill eval --embed` and `--score` go through cases.
#[test]
fn evaluation_gives_embeddings_and_scores() {
    let (json, tensors) = expected("qwen3-embed");
    let case = EvalCase { ids: ids(&json["ids"][1]), pooled: Pooled::Embedding, ..EvalCase::default() };
    let reply = block_on(load("qwen3-embed", "").eval(&case)).unwrap();
    assert_close(&reply.embedding, &tensor(&tensors, "embeddings")[64..128], "case");
    let (json, tensors) = expected("qwen2-rm");
    let case = EvalCase { ids: ids(&json["prompts"]["L33"]), pooled: Pooled::Score, ..EvalCase::default() };
    let reply = block_on(load("qwen2-rm", "").eval(&case)).unwrap();
    assert_close(&reply.scores.unwrap().last, &tensor(&tensors, "score.L33"), "case");
}

/// A query is `Instruct: {task}\nQuery:{text}`, documents are embedded as they are.
#[test]
fn instructions_make_queries() {
    let model = load("qwen3-embed", "");
    let with = block_on(model.embed("river engine?", Some("Find it"), None)).unwrap();
    let spelled = block_on(model.embed("Instruct: Find it\nQuery:river engine?", None, None)).unwrap();
    assert_close(&with, &spelled, "spelled out");
    let length: f32 = with.iter().map(|x| x * x).sum();
    assert!((length - 1.0).abs() < 1e-5, "{length}");
}

/// Text after a cached text starts from what both share, and gives the same numbers as on an empty cache.
#[test]
fn the_cache_changes_nothing() {
    let (json, _) = expected("qwen3-embed");
    let texts: Vec<Vec<u32>> = json["ids"].as_array().unwrap().iter().map(ids).collect();
    let model = load("qwen3-embed", "");
    for text in texts.iter().chain(&texts) {
        let warm = block_on(model.embed_ids(text, None)).unwrap();
        block_on(model.reset()).unwrap();
        let cold = block_on(model.embed_ids(text, None)).unwrap();
        assert_close(&warm, &cold, "warm");
    }
}

#[test]
fn wrong_requests_say_what_is_wrong() {
    let embedder = load("qwen3-embed", "");
    let error = block_on(embedder.embed("a", None, Some(65))).unwrap_err().to_string();
    assert!(error.contains("1 to 64"), "{error}");
    let error = block_on(embedder.score_ids(&[1])).unwrap_err().to_string();
    assert!(error.contains("no reward or classification model"), "{error}");
    let error = block_on(embedder.embed_ids(&[], None)).unwrap_err().to_string();
    assert!(error.contains("no token ids"), "{error}");
    let scorer = load("qwen2-rm", "");
    let error = block_on(scorer.score_ids(&[448])).unwrap_err().to_string();
    assert!(error.contains("448"), "{error}");
    let case = EvalCase { ids: vec![1, 2], ..EvalCase::default() };
    let error = block_on(scorer.eval(&case)).unwrap_err().to_string();
    assert!(error.contains("embedding or score"), "{error}");
    let request = qwill::ChatRequest { prompt: Some("a".into()), ..qwill::ChatRequest::default() };
    let error = block_on(scorer.chat_with(&request, &mut |_| Control::Continue)).unwrap_err().to_string();
    assert!(error.contains("cannot generate"), "{error}");
}

/// Reranking with the probability of "yes": higher for what the tiny model prefers, and the same in any order.
#[test]
fn reranking_scores_each_document_by_itself() {
    let model = load("qwen3-tied", "");
    let documents = ["The quiet river.".to_owned(), "机器天气".to_owned(), String::new()];
    match block_on(model.rerank("river?", &documents, None)) {
        Ok(scores) => {
            assert!(scores.iter().all(|s| (0.0..=1.0).contains(s)), "{scores:?}");
            let turned: Vec<String> = documents.iter().rev().cloned().collect();
            let mut again = block_on(model.rerank("river?", &turned, None)).unwrap();
            again.reverse();
            assert_close(&scores, &again, "turned");
        }
        // a vocabulary without these words as tokens
        Err(error) => assert!(error.to_string().contains("one token"), "{error}"),
    }
    let messages = [json!({"role": "user", "content": "hi"})];
    assert!(block_on(model.score(&messages)).is_err());
}
