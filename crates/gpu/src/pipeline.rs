//! Compiled kernels and the arena of their parameters.

use std::collections::HashMap;

use crate::{Error, Gpu, Usage};

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
}

impl Gpu {
    /// Compiles a kernel once; later calls with the same text and constants return the same pipeline.
    ///
    /// Compilation messages are read on every path: Chrome answers an invalid pipeline with zeros, not with an
    /// error at dispatch.
    pub async fn pipeline(&self, kernel: &KernelSource) -> Result<PipelineId, Error> {
        let key = format!("{:?}\n{}", kernel.constants, kernel.wgsl);
        if let Some(&id) = self.pipelines.borrow().by_text.get(&key) {
            return Ok(id);
        }
        let fail = |reason: String| Error::Kernel { kernel: kernel.name.clone(), reason };
        let scope = self.device.push_error_scope(wgpu::ErrorFilter::Validation);
        let module = self.compile(kernel);
        let messages = module.get_compilation_info().await;
        let entries: Vec<_> = kernel
            .bindings
            .iter()
            .zip(0u32..)
            .map(|(kind, binding)| wgpu::BindGroupLayoutEntry {
                binding,
                visibility: wgpu::ShaderStages::COMPUTE,
                ty: wgpu::BindingType::Buffer {
                    ty: match kind {
                        Binding::Params(_) => wgpu::BufferBindingType::Uniform,
                        Binding::Read => wgpu::BufferBindingType::Storage { read_only: true },
                        Binding::ReadWrite => wgpu::BufferBindingType::Storage { read_only: false },
                    },
                    has_dynamic_offset: matches!(kind, Binding::Params(_)),
                    min_binding_size: match kind {
                        Binding::Params(bytes) => std::num::NonZeroU64::new(*bytes as u64),
                        Binding::Read | Binding::ReadWrite => None,
                    },
                },
                count: None,
            })
            .collect();
        let layout = self.device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some(&kernel.name),
            entries: &entries,
        });
        let pipeline_layout = self.device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some(&kernel.name),
            bind_group_layouts: &[Some(&layout)],
            ..Default::default()
        });
        let pipeline = self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(&kernel.name),
            layout: Some(&pipeline_layout),
            module: &module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions {
                constants: &kernel.constants,
                // WGSL promises zeroes, but no kernel of ours relies on them; on native it costs a loop.
                zero_initialize_workgroup_memory: false,
            },
            cache: None,
        });
        if let Some(error) = scope.pop().await {
            let mut reason = error.to_string();
            for message in messages.messages {
                reason.push_str(&format!("\n{:?}: {}", message.message_type, message.message));
            }
            return Err(fail(reason));
        }
        self.check()?;
        let mut pipelines = self.pipelines.borrow_mut();
        let id = PipelineId(pipelines.compiled.len());
        pipelines.compiled.push((pipeline, layout));
        pipelines.by_text.insert(key, id);
        Ok(id)
    }

    fn compile(&self, kernel: &KernelSource) -> wgpu::ShaderModule {
        let descriptor = wgpu::ShaderModuleDescriptor {
            label: Some(&kernel.name),
            source: wgpu::ShaderSource::Wgsl(kernel.wgsl.as_str().into()),
        };
        if cfg!(debug_assertions) || cfg!(target_arch = "wasm32") {
            return self.device.create_shader_module(descriptor);
        }
        // SAFETY: the shaders are our own; debug and test builds run every permutation with naga's bounds checks
        // and loop limits on. gfx-rs/wgpu#7698 measured a hundredfold cost of those checks in one pipeline.
        #[allow(unsafe_code, reason = "the only way to switch off naga's checks")]
        unsafe {
            self.device.create_shader_module_trusted(descriptor, wgpu::ShaderRuntimeChecks::unchecked())
        }
    }
}

/// Offset of one parameter block in the arena, bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParamSlot(pub(crate) u32);

/// Uniform buffer holding the static parameters of every dispatch, each in its own aligned slot.
///
/// WebGPU has no push constants that wgpu reaches, and a `write_buffer` per dispatch would dominate a small
/// model's step: blocks are written once, when the step is built.
#[derive(Debug)]
pub struct ParamArena {
    slots: HashMap<Vec<u8>, ParamSlot>,
    align: u32,
    buffer: wgpu::Buffer,
}

impl ParamArena {
    /// Size every block is padded to, bytes; also the size of the uniform binding.
    pub const BLOCK: u64 = 64;
    const CAPACITY: u32 = 4096;

    /// An empty arena for this device.
    pub async fn new(gpu: &Gpu) -> Result<Self, Error> {
        let buffer = gpu.buffer("kernel parameters", Self::bytes(gpu), Usage::Uniform).await?;
        Ok(Self { slots: HashMap::new(), align: Self::align(gpu), buffer })
    }

    fn align(gpu: &Gpu) -> u32 {
        gpu.device.limits().min_uniform_buffer_offset_alignment.max(Self::BLOCK as u32)
    }

    /// Size of an arena on this device, bytes.
    pub fn bytes(gpu: &Gpu) -> u64 {
        u64::from(Self::align(gpu) * Self::CAPACITY)
    }

    /// Adds a block of at most [`Self::BLOCK`] bytes; equal blocks share a slot.
    pub fn push<P: bytemuck::NoUninit>(&mut self, gpu: &Gpu, params: &P) -> Result<ParamSlot, Error> {
        let mut block = bytemuck::bytes_of(params).to_vec();
        assert!(block.len() <= Self::BLOCK as usize, "a parameter block holds at most {} bytes", Self::BLOCK);
        block.resize(Self::BLOCK as usize, 0);
        if let Some(&slot) = self.slots.get(&block) {
            return Ok(slot);
        }
        let index = self.slots.len() as u32;
        if index == Self::CAPACITY {
            return Err(Error::OutOfMemory {
                what: "kernel parameters".into(),
                bytes: Self::BLOCK,
                limit: format!("the model needs more than {} different parameter blocks", Self::CAPACITY),
            });
        }
        let slot = ParamSlot(index * self.align);
        gpu.write(&self.buffer, u64::from(slot.0), &block);
        self.slots.insert(block, slot);
        Ok(slot)
    }

    /// The buffer behind the slots.
    pub fn buffer(&self) -> &wgpu::Buffer {
        &self.buffer
    }
}
