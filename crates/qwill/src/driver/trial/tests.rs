//! Kernels that are wrong are not used, and the reference's results come out all the same.

use std::path::Path;

use pollster::block_on;
use qwill_gpu::KernelSource;
use qwill_kernels::KvType;
use qwill_kernels::self_test::Findings;
use qwill_testkit::golden::{Answer, CONTEXT, Expected, PREFILL_CHUNK, Question};

use crate::{Control, Error, EvalCase, LoadOptions, Model, ModelFiles, SelfTest, WantedLogits};

/// Something is wrong with kernels of some names: what a driver's compiler could do to them.
type Fault = fn(&mut KernelSource);

fn half_of_the_outputs(source: &mut KernelSource) {
    source.wgsl = source.wgsl.replace("params.n_outputs", "(params.n_outputs / 2u)");
}

/// (what is wrong, on which device, kernels that must not be used).
const FAULTS: [(Fault, &str, &str); 5] = [
    (
        |source| {
            if source.name.starts_with("gemv") && source.name.contains("serial") {
                half_of_the_outputs(source);
            }
        },
        "",
        "serial",
    ),
    (
        |source| {
            if source.name.starts_with("gemm") && source.name.contains("Serial") {
                half_of_the_outputs(source);
            }
        },
        "",
        "Serial",
    ),
    (
        |source| {
            if source.name.starts_with("norm_rms wg32") {
                source.wgsl = source.wgsl.replace("params.eps", "(params.eps + 1.0)");
            }
        },
        "",
        "norm_rms wg32",
    ),
    (
        |source| {
            let is_large = source.name.contains("tile_m: 64") || source.name.contains("tile_m: 32");
            if source.name.starts_with("gemm") && is_large {
                half_of_the_outputs(source);
            }
        },
        "no-software",
        "Tiled",
    ),
    (|source| source.wgsl = source.wgsl.replace("subgroupAdd(", "subgroupMax("), "no-software", "subgroup"),
];

const CHECKPOINTS: [&str; 3] = ["qwen2moe-mix", "qwen3-tied", "g-qwen3-k/g-qwen3-k-Q4_K_M.gguf"];

fn load(path: &Path, mask: &str, fault: Option<Fault>, self_test: SelfTest) -> Result<Model, Error> {
    let options = LoadOptions {
        caps_mask: mask.into(),
        kv_type: Some(KvType::F32),
        context_length: Some(CONTEXT),
        prefill_chunk: Some(PREFILL_CHUNK),
        fault,
        self_test,
        ..LoadOptions::default()
    };
    block_on(Model::load(ModelFiles::from_path(path).unwrap(), &options, &mut |_| Control::Continue))
}

fn answer(model: &Model, question: &Question) -> Result<Answer, Error> {
    let (ids, greedy, logits) = (question.ids.clone(), question.n_greedy, WantedLogits::All);
    let reply = block_on(model.eval(&EvalCase { ids, greedy, logits, ..EvalCase::default() }))?;
    Ok(Answer { logits: reply.logits, perplexity: reply.perplexity, greedy: reply.greedy })
}

#[test]
fn a_kernel_that_is_wrong_is_found_and_replaced() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden");
    for ((fault, mask, banned), name) in FAULTS.into_iter().zip(CHECKPOINTS.into_iter().cycle()) {
        let path = golden.join(name);
        let check = |model: &Model| {
            Expected::read(&golden, name)
                .compare(model.info().vocab_size, CONTEXT, |question| answer(model, question))
                .unwrap()
        };
        // what is tried is a matter of time; here nothing may be missed
        let mut findings = Findings::default();
        let model = loop {
            let loaded = load(&path, mask, Some(fault), SelfTest::From(findings.clone())).unwrap();
            if *loaded.findings() == findings {
                break loaded;
            }
            findings = loaded.findings().clone();
        };
        let wrong = &model.info().self_test.wrong;
        assert!(
            !wrong.is_empty() && wrong.iter().all(|wrong| wrong.contains(banned)),
            "{name} [{mask}] {banned}: {wrong:?}"
        );
        let distance = check(&model);
        assert!(distance.wrong.is_empty(), "{name} [{mask}] {banned}: {}", distance.wrong.join("; "));
        // and it would have been noticed
        let unaware = load(&path, mask, Some(fault), SelfTest::Off).unwrap();
        assert!(!check(&unaware).wrong.is_empty(), "{name} [{mask}] {banned} does no harm");
    }
}

#[test]
fn a_kernel_that_nothing_can_replace_ends_the_load() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/qwen3-tied");
    let fault: Fault = |source| {
        if source.name.starts_with("gemv") {
            half_of_the_outputs(source);
        }
    };
    let error = load(&path, "", Some(fault), SelfTest::From(Findings::default())).unwrap_err();
    assert!(matches!(&error, Error::WrongKernel(wrong) if wrong.kernel.starts_with("gemv")), "{error}");
    assert_eq!(error.code(), "gpu-error");
}
