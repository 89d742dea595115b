//! Every permutation validates in naga and translates to SPIR-V, MSL and HLSL.

use naga::back::{hlsl, msl, spv};
use naga::valid::{Capabilities, ValidationFlags, Validator};
use qwill_kernels::permutations;

#[test]
fn every_permutation_translates() {
    let all = permutations(false);
    assert!(all.len() > 200, "{} permutations", all.len());
    for kernel in &all {
        let fail = |stage: &str, reason: String| -> ! { panic!("{}: {stage}: {reason}\n{}", kernel.name, kernel.wgsl) };
        let module = naga::front::wgsl::parse_str(&kernel.wgsl)
            .unwrap_or_else(|e| fail("parse", e.emit_to_string(&kernel.wgsl)));
        let info = Validator::new(ValidationFlags::all(), Capabilities::all())
            .subgroup_stages(naga::valid::ShaderStages::COMPUTE)
            .subgroup_operations(naga::valid::SubgroupOperationSet::all())
            .validate(&module)
            .unwrap_or_else(|e| fail("validate", e.emit_to_string(&kernel.wgsl)));
        let options = spv::Options { lang_version: (1, 3), ..Default::default() };
        spv::write_vec(&module, &info, &options, None).unwrap_or_else(|e| fail("SPIR-V", e.to_string()));
        let options = msl::Options { lang_version: (2, 4), fake_missing_bindings: true, ..Default::default() };
        msl::write_string(&module, &info, &options, &msl::PipelineOptions::default())
            .unwrap_or_else(|e| fail("MSL", e.to_string()));
        let options = hlsl::Options {
            shader_model: hlsl::ShaderModel::V6_0,
            fake_missing_bindings: true,
            ..Default::default()
        };
        let mut text = String::new();
        hlsl::Writer::new(&mut text, &options, &hlsl::PipelineOptions::default())
            .write(&module, &info, None)
            .unwrap_or_else(|e| fail("HLSL", e.to_string()));
    }
}
