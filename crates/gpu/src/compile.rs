//! Compiling kernels.

use crate::{Binding, Error, Gpu, KernelSource, PipelineId};

impl Gpu {
    /// Compiles a kernel once; later calls with the same text and constants return the same pipeline.
    ///
    /// Compilation messages are read on every path: Chrome answers an invalid pipeline with zeros, not with an
    /// error at dispatch.
    pub async fn pipeline(&self, kernel: &KernelSource) -> Result<PipelineId, Error> {
        let key = format!("{:?}\n{}", kernel.constants, kernel.wgsl);
        if let Some(id) = self.pipelines.borrow().find(&key) {
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
        Ok(self.pipelines.borrow_mut().add(key, pipeline, layout))
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
