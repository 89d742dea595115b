//! What a plan says a model takes is what it takes, and what does not fit is refused before anything is uploaded.

use std::path::{Path, PathBuf};

use pollster::block_on;
use qwill::{
    Control, Error, EvalCase, Fit, Inspection, KvType, LoadOptions, MemoryPlan, Model, ModelFiles,
    RandomModel, WantedLogits,
};
use qwill_testkit::golden::{FLOATS, QUANTISED};

fn files(path: &str) -> ModelFiles {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden").join(path);
    ModelFiles::from_path(path).unwrap()
}

fn plan(path: &str, options: &LoadOptions) -> MemoryPlan {
    block_on(Inspection::of_files(files(path), options)).unwrap().memory
}

fn load(path: &str, options: &LoadOptions) -> Result<Model, Error> {
    block_on(Model::load(files(path), options, &mut |_| Control::Continue))
}

fn masked(mask: &str) -> LoadOptions {
    LoadOptions { caps_mask: mask.into(), ..LoadOptions::default() }
}

#[track_caller]
fn agrees(plan: &MemoryPlan, model: &Model, what: &str) {
    let taken = model.info().device_bytes;
    assert_eq!(plan.total_bytes, taken, "{what}: {plan}");
    assert_eq!(plan.cache_bytes, model.info().cache_bytes, "{what}");
    assert_eq!(plan.context_length, model.info().context_length, "{what}");
}

#[test]
fn a_plan_is_what_loading_takes() {
    let dca = LoadOptions { context_length: Some(701), prefill_chunk: Some(77), ..LoadOptions::default() };
    let exact =
        LoadOptions { kv_type: Some(KvType::F32), context_length: Some(33), ..LoadOptions::default() };
    let q8 = LoadOptions { kv_type: Some(KvType::Q8), context_length: Some(100), ..LoadOptions::default() };
    for (path, options) in [
        // heads whose last scale is for fewer elements, and a mixture
        ("qwen2-headdim", q8.clone()),
        ("qwen2moe-mix", q8),
        // dense, tied and not, and with a head of another shape
        ("qwen1-ntk-logn", masked("")),
        ("qwen2-untied", masked("max-binding=384KiB")),
        ("qwen3-tied", exact.clone()),
        // chunked positions, whose queries lie thrice
        ("qwen2-dca-odd", dca.clone()),
        ("qwen2-dca-odd", LoadOptions { context_length: Some(40), ..dca.clone() }),
        // mixtures, with layers of both kinds and a shared expert
        ("qwen2moe-mix", masked("no-software")),
        ("qwen3moe-128", dca),
        // quantised, with parts of different formats in one matrix
        ("q-qwen2-gptq4-act", masked("")),
        ("q-qwen2-awq", exact),
        ("q-qwen3moe-fp8", masked("")),
        ("g-qwen3-k/g-qwen3-k-Q4_K_M.gguf", masked("")),
        ("g-qwen3moe-k/g-qwen3moe-k-Q2_K.gguf", masked("max-binding=384KiB")),
        ("g-qwen2/g-qwen2-Q5_1.gguf", masked("")),
    ] {
        let plan = plan(path, &options);
        assert_eq!(plan.fit, Some(Fit::Fits), "{path}: {plan}");
        agrees(&plan, &load(path, &options).unwrap(), path);
    }
}

#[test]
fn a_plan_is_what_loading_takes_for_every_golden() {
    let options = LoadOptions { context_length: Some(40), prefill_chunk: Some(16), ..LoadOptions::default() };
    for path in FLOATS.iter().chain(&QUANTISED) {
        agrees(&plan(path, &options), &load(path, &options).unwrap(), path);
    }
}

#[test]
fn a_plan_for_random_weights_is_what_they_take() {
    let options = LoadOptions { context_length: Some(100), ..LoadOptions::default() };
    let plan = block_on(Inspection::of_shape("qwen3-0.6b", &options)).unwrap().memory;
    let random = RandomModel::parse("qwen3-0.6b:bf16").unwrap();
    agrees(&plan, &block_on(Model::random(random, &options)).unwrap(), "qwen3-0.6b");
}

/// Loading fails with the words of the plan, and with that much less memory it does so from the start.
#[track_caller]
fn refused(path: &str, options: &LoadOptions, fit: Fit) -> String {
    let plan = plan(path, options);
    assert_eq!(plan.fit, Some(fit), "{plan}: {:?}", plan.verdict());
    let mut progress = Vec::new();
    let loaded = block_on(Model::load(files(path), options, &mut |p| {
        progress.push(p);
        Control::Continue
    }));
    let error = loaded.expect_err("this must not load");
    assert_eq!(progress, [], "something was uploaded");
    assert_eq!(error.code(), "out-of-memory", "{error}");
    let verdict = plan.verdict().unwrap();
    assert!(error.to_string().contains(&verdict), "{verdict}\n{error}");
    verdict
}

#[test]
fn too_long_a_context_is_refused_with_one_that_fits() {
    let with_context =
        |n, mask: String| LoadOptions { context_length: Some(n), ..masked(&format!("max-memory={mask}")) };
    let path = "qwen3-tied";
    let fitting = plan(path, &with_context(320, "1GiB".into()));
    // exactly what 320 tokens take, and a byte less
    for (room, most) in [(fitting.total_bytes, 320), (fitting.total_bytes - 1, 288)] {
        let fit = Fit::WithContext { context_length: most };
        let verdict = refused(path, &with_context(640, room.to_string()), fit);
        assert!(verdict.contains(&format!("{most} tokens fit")), "{verdict}");
        agrees(&fitting, &load(path, &with_context(320, fitting.total_bytes.to_string())).unwrap(), path);
        let longest = with_context(most, room.to_string());
        assert_eq!(load(path, &longest).unwrap().info().context_length, most);
    }
}

#[test]
fn a_binding_that_is_too_small_for_the_cache_is_refused() {
    // A layer's keys are 8 heads of 128 numbers a token.
    for (kv_type, room, fit) in [
        (KvType::F32, "128MiB", Fit::WithF16Cache),
        (KvType::F16, "64MiB", Fit::WithQ8Cache { context_length: Some(32_768) }),
        (KvType::F32, "64MiB", Fit::WithQ8Cache { context_length: Some(16_384) }),
        // 8 heads of 128 bytes and 4 scales
        (KvType::Q8, "44MiB", Fit::WithContext { context_length: 40_032 }),
    ] {
        let options = LoadOptions {
            context_length: Some(40_960),
            kv_type: Some(kv_type),
            ..masked(&format!("max-binding={room}"))
        };
        let plan = block_on(Inspection::of_shape("qwen3-0.6b", &options)).unwrap().memory;
        assert_eq!(plan.fit, Some(fit), "{plan}");
        let verdict = plan.verdict().unwrap();
        assert!(verdict.contains("keys of a layer") && verdict.contains("binding"), "{verdict}");
        let random = RandomModel::parse("qwen3-0.6b:bf16").unwrap();
        let error = block_on(Model::random(random, &options)).unwrap_err();
        assert!(error.to_string().contains(&verdict), "{error}");
    }
}

#[test]
fn a_smaller_cache_is_offered_where_it_fits() {
    let path = "qwen3-tied";
    let with_cache = |kv_type, room: u64| LoadOptions {
        context_length: Some(640),
        kv_type: Some(kv_type),
        ..masked(&format!("max-memory={room}"))
    };
    let q8 = plan(path, &with_cache(KvType::Q8, 1 << 30));
    let fit = plan(path, &with_cache(KvType::F16, q8.total_bytes)).fit.unwrap();
    let Fit::WithQ8Cache { context_length: Some(fitting) } = fit else { panic!("{fit:?}") };
    let verdict = refused(path, &with_cache(KvType::F16, q8.total_bytes), fit);
    assert!(verdict.contains(&format!("{fitting} tokens fit, and 640 with a q8 cache")), "{verdict}");
    agrees(&q8, &load(path, &with_cache(KvType::Q8, q8.total_bytes)).unwrap(), path);
    let fit = plan(path, &with_cache(KvType::F16, q8.total_bytes - 1)).fit;
    assert!(matches!(fit, Some(Fit::WithContext { .. })), "{fit:?}");
}

#[test]
fn without_a_context_asked_for_the_longest_that_fits_is_taken() {
    let path = "qwen3-tied";
    let own = plan(path, &masked("")).context_length;
    assert!(own > 544, "the golden must be made for more than {own} tokens");
    let at = |n| plan(path, &LoadOptions { context_length: Some(n), ..masked("") }).total_bytes;
    let options = masked(&format!("max-memory={}", at(544)));
    assert_eq!(plan(path, &options).context_length, 544);
    assert_eq!(load(path, &options).unwrap().info().context_length, 544);
    // a very short one would only disappoint
    refused(path, &masked(&format!("max-memory={}", at(64))), Fit::WithContext { context_length: 64 });
}

#[test]
fn weights_that_do_not_fit_are_refused_whatever_the_context() {
    for path in ["qwen2moe-a27", "g-qwen2/g-qwen2-Q8_0.gguf"] {
        let weights = plan(path, &masked("")).weights_bytes;
        let verdict = refused(path, &masked(&format!("max-memory={weights}")), Fit::DoesNotFit);
        assert!(verdict.contains("No shorter context"), "{verdict}");
    }
}

#[test]
fn published_models_take_what_arithmetic_says() {
    let options = LoadOptions { context_length: Some(40_960), ..LoadOptions::default() };
    let plan = block_on(Inspection::of_shape("qwen3-8b", &options)).unwrap().memory;
    // 36 layers, 8 key and 8 value heads of 128 halves
    assert_eq!(plan.cache_bytes, 40_960 * 36 * 8 * 128 * 2 * 2);
    let q8 = LoadOptions { kv_type: Some(KvType::Q8), ..options };
    let q8 = block_on(Inspection::of_shape("qwen3-8b", &q8)).unwrap().memory;
    // bytes, and 4 scales a head
    assert_eq!(q8.cache_bytes, 40_960 * 36 * 8 * (128 + 4 * 4) * 2);
    let bf16 = 2.0 * 8_190_735_360.0;
    assert!((plan.weights_bytes as f64 / bf16 - 1.0).abs() < 1e-3, "{plan}");
}

/// Logits are read through memory of the device, 64 rows at a time, of three steps.
#[test]
fn a_long_evaluation_gives_back_what_it_takes() {
    let options = LoadOptions { context_length: Some(512), ..LoadOptions::default() };
    let taken = plan("qwen3-tied", &options).total_bytes;
    let rows = 3 * 64 * 448 * 4;
    let options = LoadOptions { caps_mask: format!("max-memory={}", taken + rows), ..options };
    let model = load("qwen3-tied", &options).unwrap();
    let ids = (0..500).map(|i| i * 7 % 448).collect();
    let case = EvalCase { ids, logits: WantedLogits::All, ..EvalCase::default() };
    assert_eq!(block_on(model.eval(&case)).unwrap().logits.len(), 500 * 448);
    assert_eq!(model.info().device_bytes, taken);
}
