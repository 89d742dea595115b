//! Kernels, as they are given and as they are compiled.

use std::collections::HashMap;

/// What one binding of a kernel is. Binding numbers follow the order in [`KernelSource::bindings`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Binding {
    /// A parameter block of so many bytes in the uniform arena, bound with a dynamic offset.
    Params(usize),
    /// A storage buffer that the kernel reads.
    Read,
    /// A storage buffer that the kernel reads and writes.
    ReadWrite,
}

/// One kernel permutation: complete WGSL, its interface and its override constants.
#[derive(Debug, Clone, PartialEq)]
pub struct KernelSource {
    /// `verb_object`, with the permutation behind it for error messages.
    pub name: String,
    /// Complete WGSL.
    pub wgsl: String,
    /// Bindings of group 0.
    pub bindings: Vec<Binding>,
    /// Pipeline-overridable constants.
    pub constants: Vec<(&'static str, f64)>,
}

impl KernelSource {
    /// Size of the parameter block, bytes; none where the kernel takes no parameters.
    pub fn params_bytes(&self) -> Option<usize> {
        self.bindings.iter().find_map(|binding| match *binding {
            Binding::Params(bytes) => Some(bytes),
            Binding::Read | Binding::ReadWrite => None,
        })
    }
}

/// Index of a compiled pipeline in its [`Gpu`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PipelineId(usize);

#[derive(Default)]
pub(crate) struct Pipelines {
    by_text: HashMap<String, PipelineId>,
    compiled: Vec<(wgpu::ComputePipeline, wgpu::BindGroupLayout)>,
}

impl Pipelines {
    pub(crate) fn get(&self, id: PipelineId) -> &(wgpu::ComputePipeline, wgpu::BindGroupLayout) {
        &self.compiled[id.0]
    }

    /// The pipeline of a text, if it was compiled before.
    pub(crate) fn find(&self, text: &str) -> Option<PipelineId> {
        self.by_text.get(text).copied()
    }

    pub(crate) fn add(
        &mut self,
        text: String,
        pipeline: wgpu::ComputePipeline,
        layout: wgpu::BindGroupLayout,
    ) -> PipelineId {
        let id = PipelineId(self.compiled.len());
        self.compiled.push((pipeline, layout));
        self.by_text.insert(text, id);
        id
    }
}
