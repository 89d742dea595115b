//! Dispatches and the one compute pass that runs a step.

use crate::{Binding, Buffer, Gpu, ParamArena, ParamSlot, PipelineId, Readback};

/// Workgroup counts of a dispatch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grid(pub [u32; 3]);

impl Grid {
    /// WebGPU's limit on each dimension.
    pub const MAX: u32 = 65_535;

    /// `n` workgroups in a row, folded into two dimensions past the limit; kernels recover the index as
    /// `workgroup_id.x + workgroup_id.y * num_workgroups.x` and leave early past `n`.
    pub fn folded(n: u32) -> Self {
        if n <= Self::MAX {
            return Self([n, 1, 1]);
        }
        let rows = n.div_ceil(Self::MAX);
        Self([n.div_ceil(rows), rows, 1])
    }

    /// Whether there is no workgroup at all.
    pub fn is_empty(self) -> bool {
        self.0.contains(&0)
    }
}

/// A pipeline with its bound buffers and parameters; the grid is given when it runs.
#[derive(Debug, Clone)]
pub struct Dispatch {
    pub(crate) pipeline: PipelineId,
    bind_group: wgpu::BindGroup,
    params: Option<ParamSlot>,
    /// The memory is in use as long as it is bound.
    _buffers: Vec<Buffer>,
}

impl Dispatch {
    /// Adds it to a pass that has its pipeline set.
    pub(crate) fn encode(&self, pass: &mut wgpu::ComputePass<'_>, Grid([x, y, z]): Grid) {
        match &self.params {
            Some(slot) => pass.set_bind_group(0, &self.bind_group, &[slot.0]),
            None => pass.set_bind_group(0, &self.bind_group, &[]),
        }
        pass.dispatch_workgroups(x, y, z);
    }
}

impl Gpu {
    pub(crate) fn submit(&self, commands: wgpu::CommandBuffer) -> wgpu::SubmissionIndex {
        self.count(|t| t.submits += 1);
        self.queue.submit([commands])
    }

    /// Binds buffers to a pipeline, in the order of the kernel's storage bindings.
    pub fn dispatch(
        &self,
        pipeline: PipelineId,
        bindings: &[Binding],
        arena: &ParamArena,
        params: Option<ParamSlot>,
        buffers: &[&Buffer],
    ) -> Dispatch {
        let mut storage = buffers.iter();
        let entries: Vec<_> = bindings
            .iter()
            .zip(0u32..)
            .map(|(kind, binding)| {
                let resource = match kind {
                    Binding::Params(_) => wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                        buffer: arena.buffer(),
                        offset: 0,
                        size: std::num::NonZeroU64::new(ParamArena::BLOCK),
                    }),
                    Binding::Read | Binding::ReadWrite => {
                        storage.next().expect("one buffer for each storage binding").as_entire_binding()
                    }
                };
                wgpu::BindGroupEntry { binding, resource }
            })
            .collect();
        assert!(storage.next().is_none(), "more buffers than storage bindings");
        let pipelines = self.pipelines.borrow();
        let bind_group = self.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &pipelines.get(pipeline).1,
            entries: &entries,
        });
        Dispatch { pipeline, bind_group, params, _buffers: buffers.iter().copied().cloned().collect() }
    }

    /// Starts recording a step.
    pub fn step(&self) -> Step<'_> {
        let encoder =
            self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("step") });
        Step { gpu: self, encoder, dispatches: Vec::new() }
    }
}

/// What is read when a step has finished.
#[derive(Debug, Clone, Copy)]
pub struct Read<'a> {
    /// Where it lies, from which byte on.
    pub source: (&'a wgpu::Buffer, u64),
    /// Where it is copied to.
    pub target: &'a Buffer,
    /// How much of it.
    pub bytes: u64,
}

/// One step being recorded: copies, dispatches in one compute pass, copies of what is read, then one submit.
pub struct Step<'a> {
    pub(crate) gpu: &'a Gpu,
    pub(crate) encoder: wgpu::CommandEncoder,
    pub(crate) dispatches: Vec<(&'a Dispatch, Grid)>,
}

impl<'a> Step<'a> {
    /// Adds a dispatch; a grid with a zero is skipped.
    pub fn run(&mut self, dispatch: &'a Dispatch, grid: Grid) {
        if !grid.is_empty() {
            self.dispatches.push((dispatch, grid));
        }
    }

    /// Submits without reading anything back.
    pub fn submit(mut self) -> wgpu::SubmissionIndex {
        self.encode();
        self.gpu.submit(self.encoder.finish())
    }

    /// Submits, and copies `bytes` bytes of `source` from byte `offset` into `target`, which is mapped when the
    /// step has finished.
    pub fn submit_and_read(
        mut self,
        source: &wgpu::Buffer,
        offset: u64,
        target: &Buffer,
        bytes: u64,
    ) -> Readback {
        self.encode();
        self.read(source, offset, target, bytes)
    }

    /// Copies `bytes` bytes from one buffer to another before the dispatches run. WebGPU does not allow copies within a
    /// buffer.
    pub fn copy(&mut self, source: (&wgpu::Buffer, u64), target: (&wgpu::Buffer, u64), bytes: u64) {
        self.encoder.copy_buffer_to_buffer(source.0, source.1, target.0, target.1, bytes);
    }

    /// Submits, and reads parts of some buffers when the step has finished.
    pub fn submit_and_read_all(mut self, reads: &[Read<'_>]) -> Vec<Readback> {
        self.encode();
        for Read { source, target, bytes } in reads {
            self.encoder.copy_buffer_to_buffer(source.0, source.1, target, 0, *bytes);
        }
        let submission = self.gpu.submit(self.encoder.finish());
        reads.iter().map(|read| Readback::map(read.target, read.bytes, submission.clone())).collect()
    }

    /// Submits what is encoded, with a copy behind it.
    pub(crate) fn read(
        mut self,
        source: &wgpu::Buffer,
        offset: u64,
        target: &Buffer,
        bytes: u64,
    ) -> Readback {
        self.encoder.copy_buffer_to_buffer(source, offset, target, 0, bytes);
        let submission = self.gpu.submit(self.encoder.finish());
        Readback::map(target, bytes, submission)
    }

    pub(crate) fn encode(&mut self) {
        let pipelines = self.gpu.pipelines.borrow();
        let mut pass = self.encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        let mut current = None;
        for (dispatch, grid) in &self.dispatches {
            if current != Some(dispatch.pipeline) {
                pass.set_pipeline(&pipelines.get(dispatch.pipeline).0);
                current = Some(dispatch.pipeline);
            }
            dispatch.encode(&mut pass, *grid);
        }
        let n = self.dispatches.len() as u64;
        self.gpu.count(|t| t.dispatches += n);
    }
}
