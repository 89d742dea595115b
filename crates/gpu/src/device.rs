//! Opening a device and allocating on it.

use std::cell::{Cell, RefCell};

use crate::buffer::Memory;
use crate::health::Health;
#[cfg(not(target_arch = "wasm32"))]
use crate::health::Scopes;
use crate::pipeline::Pipelines;
use crate::{Allocated, Buffer, Caps, CapsMask, Error, SubgroupWidth, wanted};

/// How to open a device.
#[derive(Debug, Clone, Default)]
pub struct GpuOptions {
    /// Capabilities to hide.
    pub mask: CapsMask,
    /// Subgroup widths that the browser's glue enabled: wgpu 30 cannot ask a browser for
    /// them (gfx-rs/wgpu#10146), so the TypeScript side wraps `requestDevice` and says so here.
    pub web_subgroups: Option<SubgroupWidth>,
    /// What the device is called, for a browser's glue that watches it; absent: `qwill`.
    pub label: Option<String>,
    /// Part of the name of the GPU to use among several (native only).
    pub gpu: Option<String>,
    /// Features to ask for besides those that kernels use, where the adapter offers them: for measurements of what a
    /// kernel could use. Experimental ones may be unsound in wgpu.
    pub extra_features: wgpu::Features,
}

/// What a buffer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Usage {
    /// Written by the CPU or by kernels, read by kernels, copied from.
    Storage,
    /// Small parameters, bound with a dynamic offset.
    Uniform,
    /// Target of a copy that the CPU maps.
    Readback,
    /// What timestamps are resolved into, copied from.
    Timestamps,
}

/// What a device holds and has done.
#[derive(Debug, Clone, Copy, Default)]
pub struct GpuTotals {
    /// Bytes in the buffers of [`Gpu::buffer`] that live.
    pub allocated: u64,
    /// Kernels dispatched since it was opened.
    pub dispatches: u64,
    /// Command buffers submitted since it was opened.
    pub submits: u64,
}

/// An open device with its queue, capabilities and pipelines.
pub struct Gpu {
    pub(crate) device: wgpu::Device,
    pub(crate) queue: wgpu::Queue,
    caps: Caps,
    info: wgpu::AdapterInfo,
    pub(crate) pipelines: RefCell<Pipelines>,
    memory: Memory,
    /// All but what is allocated.
    totals: Cell<GpuTotals>,
    pub(crate) health: Health,
}

impl std::fmt::Debug for Gpu {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gpu").field("info", &self.info).field("caps", &self.caps).finish_non_exhaustive()
    }
}

fn instance() -> wgpu::Instance {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle_from_env();
    // Every dispatch is ours and sized on the CPU: the validation pass before indirect ones would only cost.
    descriptor.flags.remove(wgpu::InstanceFlags::VALIDATION_INDIRECT_CALL);
    wgpu::Instance::new(descriptor)
}

fn no_gpu(found: String) -> Error {
    if cfg!(target_arch = "wasm32") {
        Error::NoGpu {
            found,
            advice: "WebGPU may be switched off or the GPU blocked: see about:gpu (Firefox about:support), update the \
                     browser and the graphics driver"
                .into(),
        }
    } else {
        Error::NoGpu {
            found,
            advice: "Install a Vulkan driver (Debian/Ubuntu without a GPU: `apt install mesa-vulkan-drivers`), or on \
                     macOS and Windows update the system's graphics driver; `qwill devices` lists what is found"
                .into(),
        }
    }
}

async fn choose(instance: &wgpu::Instance, options: &GpuOptions) -> Result<wgpu::Adapter, Error> {
    let Some(wanted) = &options.gpu else {
        let fastest = wgpu::RequestAdapterOptions {
            power_preference: wgpu::PowerPreference::HighPerformance,
            ..Default::default()
        };
        return instance.request_adapter(&fastest).await.map_err(|e| no_gpu(e.to_string()));
    };
    let all = instance.enumerate_adapters(wgpu::Backends::all()).await;
    let names: Vec<String> = all.iter().map(|a| a.get_info().name).collect();
    all.into_iter()
        .find(|a| a.get_info().name.to_lowercase().contains(&wanted.to_lowercase()))
        .ok_or_else(|| no_gpu(format!("none is called \"{wanted}\"; there are {names:?}")))
}

/// The consent that wgpu wants for experimental features.
fn experimental(wanted: wgpu::Features) -> wgpu::ExperimentalFeatures {
    if !wanted.intersects(wgpu::Features::all_experimental_mask()) {
        return wgpu::ExperimentalFeatures::disabled();
    }
    // SAFETY: only measurements ask for such features, on a device of their own, and what may go wrong there is a number
    // that is not used for anything.
    #[allow(unsafe_code, reason = "the only way to consent")]
    unsafe {
        wgpu::ExperimentalFeatures::enabled()
    }
}

impl Gpu {
    /// Every GPU of this machine, as wgpu describes it.
    pub async fn list() -> Vec<wgpu::AdapterInfo> {
        let adapters = instance().enumerate_adapters(wgpu::Backends::all()).await;
        adapters.iter().map(wgpu::Adapter::get_info).collect()
    }

    /// wgpu's adapter of the GPU that [`open`](Self::open) takes: the fastest, or the one whose name contains `options.gpu`.
    ///
    /// # Errors
    /// [`Error::NoGpu`].
    pub async fn adapter(options: &GpuOptions) -> Result<wgpu::Adapter, Error> {
        choose(&instance(), options).await
    }

    /// Opens the fastest GPU, or the one whose name contains `options.gpu`.
    pub async fn open(options: &GpuOptions) -> Result<Self, Error> {
        let instance = instance();
        let adapter = choose(&instance, options).await?;
        let info = adapter.get_info();
        let mut descriptor = wanted(&adapter);
        descriptor.label = options.label.as_deref().or(descriptor.label);
        descriptor.required_features |= adapter.features() & options.extra_features;
        descriptor.experimental_features = experimental(descriptor.required_features);
        let (device, queue) = adapter
            .request_device(&descriptor)
            .await
            .map_err(|e| Error::NoDevice { gpu: info.name.clone(), reason: e.to_string() })?;
        let dot4 = if cfg!(target_arch = "wasm32") {
            instance.wgsl_language_features().contains(wgpu::WgslLanguageFeatures::Packed4x8IntegerDotProduct)
        } else {
            true
        };
        let health = Health::handle(&device);
        Ok(Self::from_parts(device, queue, info, dot4, options, health))
    }

    /// Uses a device that somebody else opened (a window's, say), as [`wanted`] says. Its handlers stay as they are: errors of
    /// what is done here are kept in scopes of this thread, so that there may be one of these for a device and thread at a
    /// time, and a loss is found out when a wait fails.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn from_wgpu(
        adapter: &wgpu::Adapter,
        device: wgpu::Device,
        queue: wgpu::Queue,
        options: &GpuOptions,
    ) -> Self {
        let health = Health::Scopes(Scopes::open(&device));
        Self::from_parts(device, queue, adapter.get_info(), true, options, health)
    }

    fn from_parts(
        device: wgpu::Device,
        queue: wgpu::Queue,
        info: wgpu::AdapterInfo,
        dot4: bool,
        options: &GpuOptions,
        health: Health,
    ) -> Self {
        let features = device.features();
        let limits = device.limits();
        let is_web = cfg!(target_arch = "wasm32");
        let native_subgroups = features
            .contains(wgpu::Features::SUBGROUP)
            .then_some(SubgroupWidth { min: info.subgroup_min_size, max: info.subgroup_max_size });
        let name = info.name.to_lowercase();
        let caps = Caps {
            f16: features.contains(wgpu::Features::SHADER_F16),
            subgroups: if is_web { options.web_subgroups } else { native_subgroups },
            dot4,
            timestamps: features.contains(wgpu::Features::TIMESTAMP_QUERY),
            max_binding: limits.max_storage_buffer_binding_size,
            max_buffer: limits.max_buffer_size,
            max_memory: None,
            max_workgroup_memory: limits.max_compute_workgroup_storage_size,
            max_workgroup_size: limits.max_compute_invocations_per_workgroup,
            is_software: info.device_type == wgpu::DeviceType::Cpu
                || ["llvmpipe", "swiftshader", "basic render"].iter().any(|s| name.contains(s)),
            is_web,
        }
        .masked(&options.mask);
        Self {
            pipelines: RefCell::new(Pipelines::default()),
            device,
            queue,
            caps,
            info,
            memory: Memory::default(),
            totals: Cell::default(),
            health,
        }
    }

    /// What the device can do, after masking.
    pub fn caps(&self) -> &Caps {
        &self.caps
    }

    /// The GPU as wgpu describes it.
    pub fn info(&self) -> &wgpu::AdapterInfo {
        &self.info
    }

    /// What the device holds and has done.
    pub fn totals(&self) -> GpuTotals {
        GpuTotals { allocated: self.memory.in_use(), ..self.totals.get() }
    }

    /// The first error that the device reported outside a scope, or its loss.
    pub fn check(&self) -> Result<(), Error> {
        self.health.check()
    }

    /// Destroys the device: every later call fails with [`Error::Lost`]. One that a program shares is lost to it, too.
    pub fn destroy(&self) {
        self.device.destroy();
        self.let_go("it was destroyed");
    }

    /// Has nothing more to do with a device that is gone.
    pub fn let_go(&self, reason: &str) {
        self.health.lose(reason);
    }

    /// Bytes of the buffers that live, for other threads.
    pub fn allocated(&self) -> Allocated {
        self.memory.share()
    }

    /// Allocates `bytes` (rounded up to 4), zero-filled, and fails with a plain message when that is impossible.
    pub async fn buffer(&self, label: &str, bytes: u64, usage: Usage) -> Result<Buffer, Error> {
        let size = bytes.max(4).next_multiple_of(4);
        let too_large = |limit: String| Error::OutOfMemory { what: label.to_owned(), bytes, limit };
        if size > self.caps.max_buffer {
            return Err(too_large(format!("a buffer holds at most {} on this device", self.caps.max_buffer)));
        }
        if let Some(most) = self.caps.max_memory
            && self.memory.in_use() + size > most
        {
            let in_use = self.memory.in_use();
            return Err(too_large(format!("{in_use} bytes are in use and {most} are allowed")));
        }
        let usages = match usage {
            Usage::Storage => {
                wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::COPY_SRC
            }
            Usage::Uniform => wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            Usage::Readback => wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            Usage::Timestamps => wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC,
        };
        let scope = self.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let buffer = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some(label),
            size,
            usage: usages,
            mapped_at_creation: false,
        });
        if let Some(error) = scope.pop().await {
            return Err(too_large(format!("the device answered: {error}")));
        }
        self.check()?;
        Ok(self.memory.count(buffer))
    }

    /// Writes `data` at byte `offset` before the next submit.
    pub fn write(&self, buffer: &wgpu::Buffer, offset: u64, data: &[u8]) {
        self.queue.write_buffer(buffer, offset, data);
    }

    /// Hands pending writes to the device so that their staging memory can be freed, and waits for them
    /// where that is possible: loading a large model must not queue all of it in CPU memory.
    pub async fn flush(&self) -> Result<(), Error> {
        self.queue.submit([]);
        self.idle().await
    }

    /// Waits for everything that was submitted.
    pub(crate) async fn idle(&self) -> Result<(), Error> {
        let (sender, receiver) = futures_channel::oneshot::channel();
        self.queue.on_submitted_work_done(move || {
            let _ = sender.send(());
        });
        #[cfg(not(target_arch = "wasm32"))]
        self.poll_wait(None)?;
        receiver.await.map_err(|_| self.health.failure("the queue dropped a flush".into()))?;
        self.check()
    }

    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn poll_wait(&self, submission: Option<wgpu::SubmissionIndex>) -> Result<(), Error> {
        self.device
            .poll(wgpu::PollType::Wait { submission_index: submission, timeout: None })
            .map(|_| ())
            .map_err(|e| {
                // A wait on a lost device fails before the callback that says so has run; polling runs it.
                let _ = self.device.poll(wgpu::PollType::Poll);
                self.health.failure(e.to_string())
            })
    }

    pub(crate) fn count(&self, change: impl FnOnce(&mut GpuTotals)) {
        let mut totals = self.totals.get();
        change(&mut totals);
        self.totals.set(totals);
    }
}

impl Gpu {
    /// Copies `bytes` bytes from one buffer to another, `rounds` times: what bandwidth is measured with.
    pub fn copy(&self, source: &wgpu::Buffer, target: &wgpu::Buffer, bytes: u64, rounds: u32) {
        let mut encoder =
            self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("copy") });
        for _ in 0..rounds {
            encoder.copy_buffer_to_buffer(source, 0, target, 0, bytes);
        }
        self.queue.submit([encoder.finish()]);
    }
}
