//! Where the time of a step goes.

use std::ops::RangeInclusive;
use std::path::Path;

use pollster::block_on;
use qwill::{
    BenchRequest, Control, LoadOptions, Model, ModelFiles, ProfileReport, ProfileRequest, StepProfile,
};

/// Kernels' time over their step's. On a GPU a step of so small a model is mostly the way there and back.
const SOFTWARE: RangeInclusive<f64> = 0.85..=1.15;
const HARDWARE: RangeInclusive<f64> = 0.05..=1.5;
/// Other tests and other programs run at the same time, and a step may be shorter or longer than the one after it.
const TRIES: usize = 8;

fn load(files: ModelFiles, mask: &str) -> Model {
    let options = LoadOptions { caps_mask: mask.into(), context_length: Some(512), ..LoadOptions::default() };
    block_on(Model::load(files, &options, &mut |_| Control::Continue)).unwrap()
}

fn profile(model: &Model, depth: usize) -> ProfileReport {
    block_on(model.profile(&ProfileRequest { prompt_tokens: 100, depth, runs: 3 })).unwrap()
}

#[test]
fn kernels_add_up_to_their_step() {
    let model = load(ModelFiles::demo(), "");
    let expected = if model.info().capabilities.contains("software") { SOFTWARE } else { HARDWARE };
    let mut found = Vec::new();
    let (mut decode, mut prefill) = (false, false);
    for _ in 0..TRIES {
        let report = profile(&model, 33);
        decode |= expected.contains(&report.decode.kernels_share);
        prefill |= expected.contains(&report.prefill.kernels_share);
        found.push((report.decode.kernels_share, report.prefill.kernels_share));
        if decode && prefill {
            break;
        }
    }
    assert!(decode && prefill, "kernels over steps of (decode, prefill): {found:?}, expected {expected:?}");
}

fn total(step: &StepProfile, of: fn(&qwill::KernelProfile) -> u64) -> f64 {
    step.kernels.iter().map(of).sum::<u64>() as f64
}

#[test]
fn a_step_costs_what_its_weights_say() {
    let model = load(ModelFiles::demo(), "");
    let bench =
        BenchRequest { prompt_tokens: 100, decode_tokens: 2, depths: vec![33], parallel: vec![], runs: 1 };
    let bench = block_on(model.bench(&bench)).unwrap();
    assert!(bench.cpu_ms_per_token > 0.0 && bench.profile.is_empty(), "{bench:?}");
    let ProfileReport { decode, prefill } = profile(&model, 33);
    assert_eq!((decode.n_tokens, decode.depth), (1, 133));
    assert_eq!((prefill.n_tokens, prefill.depth), (100, 33));

    let launches: usize = decode.kernels.iter().map(|kernel| kernel.launches).sum();
    assert_eq!(launches, bench.dispatches_per_token);
    // activations and cache come on top of the weights: less than 512 kB here
    let bytes = total(&decode, |kernel| kernel.bytes) - bench.weight_bytes_per_token as f64;
    assert!((0.0..512e3).contains(&bytes), "{bytes} bytes beside the weights");
    // a token meets every weight once
    let products = |step: &StepProfile, kernel: &str| {
        let of_kernel = step.kernels.iter().filter(|k| k.kernel == kernel);
        of_kernel.map(|k| k.flops).sum::<u64>() as f64
    };
    let expected = 2.0 * model.info().n_params as f64;
    let found = products(&decode, "gemv");
    assert!((0.99..=1.0).contains(&(found / expected)), "{found} flops for {expected}");
    let head = 2.0 * (model.info().hidden_size * model.info().vocab_size) as f64;
    let found = products(&prefill, "gemm");
    assert!((0.99..=1.0).contains(&(found / (100.0 * (expected - head)))), "{found} flops in gemm");
    // keys 1 to 133 are seen by tokens 34 to 133 as in a triangle, by the token after them all at once
    let triangle: usize = (34..=133).sum();
    let ratio = products(&prefill, "attend_prefill") / products(&decode, "attend_decode");
    assert!((ratio - triangle as f64 / 134.0).abs() < 1e-9, "{ratio}");
}

#[test]
fn every_kernel_says_what_it_is_and_costs() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden");
    for name in ["qwen2moe-mix", "qwen3moe-swa", "qwen2-dca"] {
        for mask in ["", "no-software"] {
            let model = load(ModelFiles::from_path(golden.join(name)).unwrap(), mask);
            let ProfileReport { decode, prefill } = profile(&model, 0);
            for kernel in decode.kernels.iter().chain(&prefill.kernels) {
                let is_told = !kernel.detail.is_empty() && kernel.bytes > 0 && kernel.launches > 0;
                assert!(is_told && kernel.us >= 0.0, "{name} [{mask}]: {kernel:?}");
            }
        }
    }
}

#[test]
fn a_device_without_timestamps_is_named() {
    let model = load(ModelFiles::demo(), "no-timestamps");
    let request = ProfileRequest { prompt_tokens: 1, depth: 0, runs: 1 };
    let error = block_on(model.profile(&request)).unwrap_err().to_string();
    assert!(error.contains("timestamp") && error.contains(&model.info().gpu), "{error}");
    let error = block_on(model.profile(&ProfileRequest { depth: 512, ..request })).unwrap_err().to_string();
    assert!(error.contains("context of 514 tokens"), "{error}");
}
