//! Low-rank adapters: numbers of the reference, whose weights were changed beforehand, and what requests may expect.
//!
//! `tests/golden/scripts/make_lora.py` made the adapters and their logits.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};

use pollster::block_on;
use qwill::weights::{ByteSource, MemorySource};
use qwill::{
    AdapterUse, ChatRequest, Control, Error, EvalCase, KvType, LoadOptions, Model, ModelFiles,
    SamplingOptions, WantedLogits,
};
use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensors, serialize};
use serde_json::{Value, json};

/// Largest logit difference, as for the models without adapters.
const EXACT: f32 = 2e-4;
const EXACT_QUANTISED: f32 = 5e-4;
/// A token whose last chosen expert beats the first rejected one by less may go to either.
const ROUTER_GAP: f64 = 1e-4;

const GOLDENS: [&str; 8] = [
    "lora-qwen2",
    "lora-stacked",
    "lora-qwen3",
    "lora-embedding",
    "lora-qwen3moe",
    "lora-qwen2moe",
    "lora-qwen1",
    "lora-gguf",
];

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden")
}

fn load(base: &str, mask: &str) -> Model {
    let options = LoadOptions {
        caps_mask: mask.into(),
        kv_type: Some(KvType::F32),
        context_length: Some(256),
        prefill_chunk: Some(96),
        ..LoadOptions::default()
    };
    let files = ModelFiles::from_path(golden().join(base)).unwrap();
    block_on(Model::load(files, &options, &mut |_| Control::Continue))
        .unwrap_or_else(|e| panic!("{base}: {e}"))
}

fn add(model: &Model, folder: &str) {
    let files = ModelFiles::from_path(golden().join(folder)).unwrap();
    block_on(model.load_adapter(files, folder)).unwrap_or_else(|e| panic!("{folder}: {e}"));
}

fn scaled(name: &str, scale: f32) -> AdapterUse {
    AdapterUse { scale, ..AdapterUse::new(name) }
}

fn case(ids: &[u32], adapters: &[AdapterUse]) -> EvalCase {
    EvalCase {
        ids: ids.to_vec(),
        logits: WantedLogits::All,
        adapters: Some(adapters.to_vec()),
        ..EvalCase::default()
    }
}

fn logits(model: &Model, ids: &[u32], adapters: &[AdapterUse]) -> Vec<f32> {
    block_on(model.eval(&case(ids, adapters))).unwrap().logits
}

fn expected(folder: &str) -> Value {
    serde_json::from_slice(&std::fs::read(golden().join(folder).join("expected.json")).unwrap()).unwrap()
}

fn prompts(expected: &Value) -> BTreeMap<String, Vec<u32>> {
    serde_json::from_value(expected["prompts"].clone()).unwrap()
}

/// Loads a golden's base and adapters.
fn load_golden(folder: &str, mask: &str) -> (Model, Vec<AdapterUse>, Value) {
    let expected = expected(folder);
    let model = load(expected["base"].as_str().unwrap(), mask);
    let mut uses = Vec::new();
    for adapter in expected["adapters"].as_array().unwrap() {
        let name = adapter["folder"].as_str().unwrap();
        add(&model, name);
        uses.push(scaled(name, adapter["scale"].as_f64().unwrap() as f32));
    }
    (model, uses, expected)
}

fn check_goldens(mask: &str) {
    for folder in GOLDENS {
        let (model, uses, expected) = load_golden(folder, mask);
        let tensors = std::fs::read(golden().join(folder).join("expected.safetensors")).unwrap();
        let tensors = SafeTensors::deserialize(&tensors).unwrap();
        let n_vocab = model.info().vocab_size;
        let is_quantised = expected["base"].as_str().unwrap().ends_with(".gguf");
        let tolerance = if is_quantised { EXACT_QUANTISED } else { EXACT };
        let mut worst_of_all = 0.0f32;
        for (name, ids) in prompts(&expected) {
            let greedy = expected["greedy"].get(&name).cloned().unwrap_or(json!([]));
            let greedy: Vec<u32> = serde_json::from_value(greedy).unwrap();
            let case = EvalCase { greedy: greedy.len(), ..case(&ids, &uses) };
            let reply = block_on(model.eval(&case)).unwrap();
            let gaps: Option<Vec<f64>> = expected
                .pointer(&format!("/router_gap/{name}"))
                .map(|gaps| serde_json::from_value(gaps.clone()).unwrap());
            let all = tensors.tensor(&format!("logits.{name}.all"));
            let wanted = all.or_else(|_| tensors.tensor(&format!("logits.{name}.last"))).unwrap();
            let wanted: Vec<f32> =
                wanted.data().chunks(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
            let first = ids.len() - wanted.len() / n_vocab;
            for (row, wanted) in wanted.chunks(n_vocab).enumerate() {
                if gaps.as_ref().is_some_and(|gaps| gaps[first + row] < ROUTER_GAP) {
                    continue;
                }
                let found = &reply.logits[(first + row) * n_vocab..][..n_vocab];
                let worst = found.iter().zip(wanted).map(|(a, e)| (a - e).abs()).fold(0.0, f32::max);
                assert!(worst <= tolerance, "{folder} {name} row {row} [{mask}]: differs by {worst:e}");
                worst_of_all = worst_of_all.max(worst);
            }
            assert_eq!(reply.greedy, greedy, "{folder} {name} [{mask}]");
        }
        println!("{folder} [{mask}]: largest logit difference {worst_of_all:e}");
    }
}

#[test]
fn exact_with_all_capabilities() {
    check_goldens("");
}

#[test]
fn exact_with_gpu_shaped_kernels() {
    check_goldens("no-software");
}

#[test]
fn exact_with_gpu_shaped_kernels_without_subgroups() {
    check_goldens("no-software,no-subgroups");
}

#[test]
fn exact_without_f16_and_dot4() {
    check_goldens("no-f16,no-dot4,no-subgroups");
}

#[test]
fn exact_with_sharded_matrices() {
    check_goldens("max-binding=384KiB");
}

/// Adapters leave no trace: base requests give the bits that they gave before any was loaded, and each set its own.
#[test]
fn switching_adapters_changes_nothing_else() {
    for folder in ["lora-stacked", "lora-qwen2moe", "lora-embedding"] {
        let expected = expected(folder);
        let ids = &prompts(&expected)["L33"];
        let fresh = logits(&load(expected["base"].as_str().unwrap(), ""), ids, &[]);
        let (model, uses, _) = load_golden(folder, "");
        let first = logits(&model, ids, &uses);
        assert!(first != fresh, "{folder} changes nothing");
        assert_eq!(logits(&model, ids, &[]), fresh, "{folder}: without");
        let off: Vec<AdapterUse> = uses.iter().map(|used| scaled(&used.name, 0.0)).collect();
        assert_eq!(logits(&model, ids, &off), fresh, "{folder}: at scale 0");
        let halved: Vec<AdapterUse> = uses.iter().map(|used| scaled(&used.name, used.scale / 2.0)).collect();
        let half = logits(&model, ids, &halved);
        assert!(half != first && half != fresh, "{folder}: scales count");
        let turned: Vec<AdapterUse> = uses.iter().rev().cloned().collect();
        assert_eq!(logits(&model, ids, &turned), first, "{folder}: in any order");
        for used in &uses {
            block_on(model.unload_adapter(&used.name)).unwrap();
        }
        assert_eq!(logits(&model, ids, &[]), fresh, "{folder}: unloaded");
        for used in &uses {
            add(&model, &used.name);
        }
        assert_eq!(logits(&model, ids, &uses), first, "{folder}: loaded again");
    }
}

#[test]
fn chunked_prefill_equals_one_shot() {
    for folder in ["lora-qwen2", "lora-qwen3moe", "lora-embedding"] {
        let (model, uses, expected) = load_golden(folder, "");
        let ids = &prompts(&expected)["L33"];
        let whole = logits(&model, ids, &uses);
        for chunk in [1, 2, 7, 16, 17] {
            let case = EvalCase { chunk: Some(chunk), ..case(ids, &uses) };
            let parts = block_on(model.eval(&case)).unwrap().logits;
            let worst = whole.iter().zip(&parts).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(worst <= 5e-5, "{folder} in chunks of {chunk}: differs by {worst:e}");
        }
    }
}

/// What was read with one set of adapters does not serve another.
#[test]
fn cached_tokens_belong_to_their_adapters() {
    let (model, uses, _) = load_golden("lora-stacked", "");
    let request = |adapters: &[AdapterUse]| ChatRequest {
        prompt: Some("The old river carries the small letter slowly".into()),
        sampling: SamplingOptions::greedy(),
        max_tokens: Some(12),
        adapters: Some(adapters.to_vec()),
        ..ChatRequest::default()
    };
    let chat = |adapters: &[AdapterUse]| {
        let reply = block_on(model.chat_with(&request(adapters), &mut |_| Control::Continue)).unwrap();
        (reply.ids, reply.usage.cached_tokens)
    };
    let (with, cached) = chat(&uses);
    assert_eq!(cached, 0);
    let (without, cached) = chat(&[]);
    assert_eq!(cached, 0);
    assert_ne!(with, without);
    let (again, cached) = chat(&[]);
    assert!(again == without && cached > 0);
    let (one, cached) = chat(&uses[..1]);
    assert!(one != without && cached == 0);
    let (louder, cached) = chat(&[scaled(&uses[0].name, 2.0)]);
    assert!(louder != one && cached == 0);
    // what each set read is kept beside the others
    let (again, cached) = chat(&uses);
    assert!(again == with && cached > 0);
}

/// What requests do not say is what was selected.
#[test]
fn selected_adapters_are_the_default() {
    let (model, uses, expected) = load_golden("lora-stacked", "");
    let ids = &prompts(&expected)["L7"];
    let by_default = |model: &Model| {
        let case = EvalCase { adapters: None, ..case(ids, &[]) };
        block_on(model.eval(&case)).unwrap().logits
    };
    let (base, with) = (logits(&model, ids, &[]), logits(&model, ids, &uses));
    assert_eq!(by_default(&model), base);
    model.select_adapters(&uses).unwrap();
    assert_eq!(by_default(&model), with);
    assert_eq!(logits(&model, ids, &[]), base);
    block_on(model.unload_adapter(&uses[1].name)).unwrap();
    assert_eq!(by_default(&model), logits(&model, ids, &uses[..1]));
    let names: Vec<String> = model.adapters().into_iter().map(|adapter| adapter.name).collect();
    assert_eq!(names, [uses[0].name.clone()]);

    let case: EvalCase =
        serde_json::from_value(json!({"ids": [1], "adapters": [{"name": "a"}, {"name": "b", "scale": 0.5}]}))
            .unwrap();
    assert_eq!(case.adapters, Some(vec![AdapterUse::new("a"), scaled("b", 0.5)]));
}

#[test]
fn gguf_adapters_are_the_same_ones() {
    let (model, uses, expected) = load_golden("lora-gguf", "");
    let ids = &prompts(&expected)["L33"];
    let with = logits(&model, ids, &uses);
    add(&model, "lora-gguf/gguf");
    assert_eq!(logits(&model, ids, &[AdapterUse::new("lora-gguf/gguf")]), with);
    let info = model.adapters();
    assert_eq!((info[0].n_params, info[0].device_bytes), (info[1].n_params, info[1].device_bytes));
    assert_eq!(info[0].n_params, 59_392);
}

/// An adapter in memory: changes to a plain configuration, and zeros of these shapes.
fn made(config: Value, tensors: &[(&str, &[usize])]) -> ModelFiles {
    let mut all = json!({"peft_type": "LORA", "r": 4, "lora_alpha": 8, "bias": "none"});
    for (key, value) in config.as_object().unwrap() {
        all[key] = value.clone();
    }
    let zeros = vec![0; 1 << 20];
    let views = tensors.iter().map(|(name, shape)| {
        let bytes = &zeros[..shape.iter().product::<usize>() * 4];
        (*name, TensorView::new(Dtype::F32, shape.to_vec(), bytes).unwrap())
    });
    let bytes = serialize(views, None).unwrap();
    let files: Vec<Arc<dyn ByteSource>> = vec![
        Arc::new(MemorySource::new("adapter_config.json", all.to_string().into_bytes())),
        Arc::new(MemorySource::new("adapter_model.safetensors", bytes)),
    ];
    ModelFiles::from_sources("made", files)
}

const Q: &str = "base_model.model.model.layers.3.self_attn.q_proj";

#[test]
fn adapters_that_do_not_fit_are_refused() {
    let model = load("qwen2-untied", "");
    let ids = [5, 6, 7];
    let before = logits(&model, &ids, &[]);
    let (a, b) = (format!("{Q}.lora_A.weight"), format!("{Q}.lora_B.weight"));
    let (right_a, right_b): (&[usize], &[usize]) = (&[4, 64], &[64, 4]);
    let refused = |files: ModelFiles| {
        let error = block_on(model.load_adapter(files, "x")).unwrap_err();
        (error.code(), error.to_string())
    };
    for (config, tensors, code, wanted) in [
        (json!({}), vec![(&*a, right_a)], "invalid-file", "q_proj.lora_A.weight\", but not the factor"),
        (json!({}), vec![], "invalid-file", "no tensors"),
        (
            json!({}),
            vec![(&*a, &[4, 128]), (&*b, right_b)],
            "invalid-file",
            "[4, 128], but the configuration asks for [4, 64]",
        ),
        (
            json!({}),
            vec![(&*a, right_a), (&*b, &[32, 4])],
            "invalid-file",
            "[32, 4], but the configuration asks for [64, 4]",
        ),
        (json!({"r": 8}), vec![(&*a, right_a), (&*b, right_b)], "invalid-file", "asks for [8, 64]"),
        (
            json!({}),
            vec![
                ("base_model.model.model.layers.4.self_attn.q_proj.lora_A.weight", right_a),
                ("base_model.model.model.layers.4.self_attn.q_proj.lora_B.weight", right_b),
            ],
            "invalid-file",
            "\"model.layers.4.self_attn.q_proj\", but this qwen2 (4 layers) model has no such matrix, its last of this kind is \
             \"layers.3.self_attn.q_proj\"",
        ),
        (
            json!({}),
            vec![("base_model.model.visual.blocks.0.attn.qkv.lora_A.weight", right_a)],
            "invalid-file",
            "\"visual.blocks.0.attn.qkv\"",
        ),
        (
            json!({}),
            vec![(&*a, right_a), (&*b, right_b), ("base_model.model.lm_head.weight", &[448, 64])],
            "invalid-file",
            "\"base_model.model.lm_head.weight\" of the adapter is no low-rank factor",
        ),
        (
            json!({}),
            vec![(&*a, right_a), ("model.layers.3.self_attn.q_proj.lora_A.default.weight", right_a)],
            "invalid-file",
            "for the same module",
        ),
        (
            json!({"use_dora": true}),
            vec![(&*a, right_a), (&*b, right_b)],
            "invalid-file",
            "\"use_dora\": true",
        ),
    ] {
        let (found, message) = refused(made(config, &tensors));
        assert!(found == code && message.contains(wanted), "{message}");
    }
    for (folder, wanted) in [
        ("qwen2-tied", "is no adapter: there is no adapter_config.json"),
        ("g-qwen2/g-qwen2-Q8_0.gguf", "no general.type \"adapter\""),
        ("lora-qwen1", "transformer.h.0"),
        ("lora-qwen3", "asks for"),
    ] {
        let (_, message) = refused(ModelFiles::from_path(golden().join(folder)).unwrap());
        assert!(message.contains(wanted), "{folder}: {message}");
    }
    assert!(model.adapters().is_empty());
    assert_eq!(logits(&model, &ids, &[]), before);
    // and after all that, one that fits
    block_on(model.load_adapter(made(json!({}), &[(&a, right_a), (&b, right_b)]), "x")).unwrap();
    assert_eq!(logits(&model, &ids, &[AdapterUse::new("x")]), before, "its factors are zeros");
}

#[test]
fn requests_for_what_is_not_there_are_refused() {
    let model = load("qwen2-untied", "");
    let refused = |model: &Model, uses: &[AdapterUse]| match block_on(model.eval(&case(&[1, 2], uses))) {
        Err(error @ Error::Request(_)) => error.to_string(),
        other => panic!("{uses:?}: {other:?}"),
    };
    let (one, two) = (AdapterUse::new("lora-qwen2"), AdapterUse::new("lora-stacked"));
    assert!(
        refused(&model, std::slice::from_ref(&one)).contains("no adapter \"lora-qwen2\"; loaded are: none")
    );
    add(&model, "lora-qwen2");
    assert!(refused(&model, &[one.clone(), two]).contains("\"lora-stacked\"; loaded are: lora-qwen2"));
    assert!(refused(&model, &[one.clone(), one.clone()]).contains("named twice"));
    assert!(refused(&model, &[scaled("lora-qwen2", f32::NAN)]).contains("NaN"));
    assert!(refused(&model, &[scaled("lora-qwen2", -1e5)]).contains("between"));
    assert!(block_on(model.unload_adapter("y")).unwrap_err().to_string().contains("\"y\""));
    assert!(model.select_adapters(&[AdapterUse::new("y")]).is_err());
    let files = ModelFiles::from_path(golden().join("lora-qwen2")).unwrap();
    let error = block_on(model.load_adapter(files, "lora-qwen2")).unwrap_err();
    assert!(error.to_string().contains("already"), "{error}");
    block_on(model.unload_adapter("lora-qwen2")).unwrap();
    assert!(refused(&model, &[one]).contains("loaded are: none"));
}

#[test]
fn an_adapter_that_is_unloaded_serves_what_runs_to_its_end() {
    let model = load("qwen2-untied", "");
    add(&model, "lora-qwen2");
    let request = ChatRequest {
        prompt: Some("fn add(".into()),
        sampling: SamplingOptions { temperature: Some(0.0), ..SamplingOptions::default() },
        max_tokens: Some(32),
        adapters: Some(vec![AdapterUse::new("lora-qwen2")]),
        ..ChatRequest::default()
    };
    let alone = block_on(model.chat(&request).unwrap().reply()).unwrap();
    assert!(alone.ids.len() > 8);
    let mut stream = model.chat(&request).unwrap();
    block_on(stream.next()).unwrap().unwrap();
    let mut unload = pin!(model.unload_adapter("lora-qwen2"));
    assert!(unload.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    assert!(model.chat(&request).unwrap_err().to_string().contains("lora-qwen2"));
    assert_eq!(block_on(stream.reply()).unwrap().ids, alone.ids);
    block_on(unload).unwrap();
}

#[test]
fn memory_of_adapters_is_given_back() {
    for folder in ["lora-stacked", "lora-qwen3moe"] {
        let expected = expected(folder);
        let model = load(expected["base"].as_str().unwrap(), "");
        let without = model.info().device_bytes;
        for adapter in expected["adapters"].as_array().unwrap() {
            add(&model, adapter["folder"].as_str().unwrap());
        }
        let uses: Vec<AdapterUse> = model.adapters().iter().map(|info| AdapterUse::new(&info.name)).collect();
        logits(&model, &[1, 2, 3], &uses);
        while let [info, rest @ ..] = &model.adapters()[..] {
            let before = model.info().device_bytes;
            block_on(model.unload_adapter(&info.name)).unwrap();
            let given_back = before - model.info().device_bytes;
            // the last one takes along what they shared
            let is_last = rest.is_empty();
            assert!(if is_last { given_back >= info.device_bytes } else { given_back == info.device_bytes });
        }
        assert_eq!(model.info().device_bytes, without, "{folder}");
    }
}
