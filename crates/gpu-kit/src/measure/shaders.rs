//! The measuring kernels: a source for each permutation.

use minijinja::{Value, context};
use qwill_gpu::{Binding, KernelSource};
use qwill_kernels::Templates;

const FILES: &[(&str, &str)] = &[
    ("dot_bytes", include_str!("../../../../shaders/measure/dot_bytes.wgsl")),
    ("launch_nothing", include_str!("../../../../shaders/measure/launch_nothing.wgsl")),
    ("multiply_add", include_str!("../../../../shaders/measure/multiply_add.wgsl")),
    ("multiply_matrices", include_str!("../../../../shaders/measure/multiply_matrices.wgsl")),
    ("read_stream", include_str!("../../../../shaders/measure/read_stream.wgsl")),
];

/// A type of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scalar {
    /// `f32`
    F32,
    /// `f16`
    F16,
}

impl Scalar {
    /// Its name in WGSL.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
        }
    }

    /// Its size.
    pub(crate) fn bytes(self) -> u64 {
        match self {
            Self::F32 => 4,
            Self::F16 => 2,
        }
    }
}

fn source(file: &str, values: Value, bindings: &[Binding], loops: Option<u32>) -> KernelSource {
    KernelSource {
        name: file.to_owned(),
        wgsl: Templates::of(FILES).render(file, values),
        bindings: bindings.to_vec(),
        constants: loops.map(|loops| ("LOOPS", f64::from(loops))).into_iter().collect(),
    }
}

const INTO: [Binding; 2] = [Binding::Read, Binding::ReadWrite];

/// Reads with `bytes` a load: 4, 8 or 16.
pub(crate) fn read_stream(bytes: u64) -> KernelSource {
    let word = match bytes {
        4 => "u32",
        8 => "vec2<u32>",
        _ => "vec4<u32>",
    };
    source("read_stream", context! { word }, &INTO, None)
}

/// `256 * loops` operations an invocation, counting each multiply-add of 32 lanes four times as two.
pub(crate) fn multiply_add(scalar: Scalar, loops: u32) -> KernelSource {
    source("multiply_add", context! { scalar => scalar.name() }, &INTO, Some(loops))
}

/// `512 * loops` operations an invocation: 16 chains, four dot products of eight operations each.
pub(crate) fn dot_bytes(loops: u32) -> KernelSource {
    source("dot_bytes", context! {}, &INTO, Some(loops))
}

/// `8 * size³ * loops` operations a subgroup, with inputs of type `ab` and sums of type `cr`.
pub(crate) fn multiply_matrices(size: u32, ab: Scalar, cr: Scalar, loops: u32) -> KernelSource {
    let values = context! { size, ab => ab.name(), cr => cr.name() };
    let bindings = [Binding::Read, Binding::ReadWrite, Binding::ReadWrite];
    source("multiply_matrices", values, &bindings, Some(loops))
}

/// Whether a dispatch has to wait for the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// It writes where that one wrote.
    Waiting,
    /// They have nothing in common.
    Free,
}

/// Next to nothing.
pub(crate) fn launch_nothing(order: Order) -> KernelSource {
    let waits = order == Order::Waiting;
    let bindings: &[Binding] = if waits { &[Binding::ReadWrite] } else { &[] };
    source("launch_nothing", context! { waits }, bindings, None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use naga::valid::{Capabilities, ShaderStages, SubgroupOperationSet, ValidationFlags, Validator};

    #[test]
    fn every_permutation_is_valid() {
        let mut all: Vec<_> = [4, 8, 16].map(read_stream).into();
        all.extend([Scalar::F32, Scalar::F16].map(|scalar| multiply_add(scalar, 4)));
        all.extend([Order::Waiting, Order::Free].map(launch_nothing));
        all.push(dot_bytes(4));
        for (ab, cr) in [(Scalar::F16, Scalar::F16), (Scalar::F16, Scalar::F32), (Scalar::F32, Scalar::F32)] {
            all.extend([8, 16].map(|size| multiply_matrices(size, ab, cr, 4)));
        }
        for KernelSource { name, wgsl, .. } in all {
            let module = naga::front::wgsl::parse_str(&wgsl)
                .unwrap_or_else(|error| panic!("{name}: {}", error.emit_to_string(&wgsl)));
            let mut validator = Validator::new(ValidationFlags::all(), Capabilities::all());
            validator.subgroup_stages(ShaderStages::COMPUTE);
            validator.subgroup_operations(SubgroupOperationSet::all());
            if let Err(error) = validator.validate(&module) {
                panic!("{name}: {}", error.emit_to_string(&wgsl));
            }
        }
    }
}
