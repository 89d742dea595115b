//! Every permutation validates in naga, translates to SPIR-V, MSL and HLSL, and declares the bindings that its launcher
//! makes.

use naga::back::{hlsl, msl, spv};
use naga::proc::Layouter;
use naga::valid::{Capabilities, ShaderStages, SubgroupOperationSet, ValidationFlags, Validator};
use naga::{AddressSpace, StorageAccess};
use qwill_gpu::{Binding, KernelSource};
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

/// Number and kind of every binding in the WGSL, by number.
fn declared_bindings(wgsl: &str) -> Vec<(u32, Binding)> {
    let module = naga::front::wgsl::parse_str(wgsl).expect("WGSL");
    let mut layouter = Layouter::default();
    layouter.update(module.to_ctx()).expect("types with a layout");
    let mut all: Vec<(u32, Binding)> = module
        .global_variables
        .iter()
        .filter_map(|(_, variable)| {
            let kind = match variable.space {
                AddressSpace::Uniform => Binding::Params(layouter[variable.ty].size as usize),
                AddressSpace::Storage { access } if access == StorageAccess::LOAD => Binding::Read,
                AddressSpace::Storage { .. } => Binding::ReadWrite,
                _ => return None,
            };
            let place = variable.binding.as_ref().expect("a buffer has a binding");
            assert_eq!(place.group, 0);
            Some((place.binding, kind))
        })
        .collect();
    all.sort_by_key(|(number, _)| *number);
    all
}

/// Bindings and the size of the parameters are written twice: in the WGSL, and in Rust for the launcher.
#[test]
fn launchers_bind_what_shaders_declare() {
    let differences: Vec<_> = permutations(false)
        .iter()
        .filter_map(|kernel| {
            let declared = declared_bindings(&kernel.wgsl);
            let bound: Vec<_> = (0..).zip(kernel.bindings.iter().copied()).collect();
            (declared != bound).then(|| format!("{}: {declared:?} but {bound:?}", kernel.name))
        })
        .collect();
    assert!(differences.is_empty(), "{} differ:\n{}", differences.len(), differences.join("\n"));
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
