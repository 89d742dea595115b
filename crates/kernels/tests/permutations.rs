//! Every permutation validates in naga and translates to SPIR-V, MSL and HLSL.

use naga::back::{hlsl, msl, spv};
use naga::valid::{Capabilities, ShaderStages, SubgroupOperationSet, ValidationFlags, Validator};
use qwill_gpu::KernelSource;
use qwill_kernels::permutations;

fn translate(kernel: &KernelSource) -> Result<(), String> {
    let wgsl = &kernel.wgsl;
    let module = naga::front::wgsl::parse_str(wgsl).map_err(|e| e.emit_to_string(wgsl))?;
    let info = Validator::new(ValidationFlags::all(), Capabilities::all())
        .subgroup_stages(ShaderStages::COMPUTE)
        .subgroup_operations(SubgroupOperationSet::all())
        .validate(&module)
        .map_err(|e| e.emit_to_string(wgsl))?;
    let options = spv::Options { lang_version: (1, 3), ..Default::default() };
    spv::write_vec(&module, &info, &options, None).map_err(|e| format!("SPIR-V: {e}"))?;
    let options = msl::Options { lang_version: (2, 4), fake_missing_bindings: true, ..Default::default() };
    msl::write_string(&module, &info, &options, &msl::PipelineOptions::default())
        .map_err(|e| format!("MSL: {e}"))?;
    let options = hlsl::Options {
        shader_model: hlsl::ShaderModel::V6_0,
        fake_missing_bindings: true,
        ..Default::default()
    };
    let mut text = String::new();
    hlsl::Writer::new(&mut text, &options, &hlsl::PipelineOptions::default())
        .write(&module, &info, None)
        .map_err(|e| format!("HLSL: {e}"))?;
    Ok(())
}

#[test]
fn every_permutation_translates() {
    let all = permutations(false);
    assert!(all.len() > 200, "{} permutations", all.len());
    let failures: Vec<_> =
        all.iter().filter_map(|k| translate(k).err().map(|reason| format!("{}: {reason}", k.name))).collect();
    assert!(failures.is_empty(), "{} of {} fail:\n{}", failures.len(), all.len(), failures.join("\n"));
}

/// A variable declared in a loop without a value kept the one of the last pass in Chromium (SwiftShader) and in Firefox,
/// although WGSL says it is zero; natively it was zero. Long prompts went wrong, and only there.
#[test]
fn variables_in_inner_scopes_have_initial_values() {
    let mut bare = Vec::new();
    for kernel in permutations(true) {
        for line in kernel.wgsl.lines() {
            let code = line.trim_start();
            let is_inner = line.len() - code.len() > 4;
            if is_inner && code.starts_with("var ") && !code.contains('=') {
                bare.push(format!("{}: {code}", kernel.name));
            }
        }
    }
    assert!(bare.is_empty(), "{}", bare.join("\n"));
}
