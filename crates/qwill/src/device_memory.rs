//! How much memory a device has.

use qwill_gpu::{Gpu, ParamArena};
use qwill_kernels::Tuning;
use serde::Serialize;

/// How much memory a device has for buffers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", content = "bytes", rename_all = "kebab-case")]
pub enum Room {
    /// So many bytes: a limit that was set, or the memory of the machine where the GPU shares it.
    Known(u64),
    /// At least so many, by what a browser offers: it does not tell more.
    AtLeast(u64),
    /// Nothing tells.
    Unknown,
}

/// What a device offers to a model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DeviceMemory {
    /// The GPU's name.
    pub gpu: String,
    /// Bytes of the largest buffer.
    pub max_buffer_bytes: u64,
    /// Bytes of the largest part of a buffer that a kernel sees.
    pub max_binding_bytes: u64,
    /// Bytes of all buffers together.
    pub room: Room,
    /// Bytes of the kernels' parameters.
    #[serde(skip)]
    pub(crate) parameter_bytes: u64,
    /// Whether it is a CPU.
    #[serde(skip)]
    pub(crate) is_software: bool,
    /// How kernels are shaped on it.
    #[serde(skip)]
    pub(crate) tuning: Tuning,
}

impl DeviceMemory {
    /// What an open device offers.
    pub fn of(gpu: &Gpu) -> Self {
        use qwill_gpu::wgpu::DeviceType;
        let (caps, info) = (gpu.caps(), gpu.info());
        let shares_memory = matches!(info.device_type, DeviceType::Cpu | DeviceType::IntegratedGpu);
        let room = match (caps.max_memory, machine_memory()) {
            (Some(limit), _) => Room::Known(limit),
            (None, Some(bytes)) if shares_memory => Room::Known(bytes),
            // Whoever offers a buffer of that size has the memory for one.
            (None, _) if caps.is_web => Room::AtLeast(caps.max_buffer),
            (None, _) => Room::Unknown,
        };
        Self {
            gpu: if info.name.is_empty() { info.driver.clone() } else { info.name.clone() },
            max_buffer_bytes: caps.max_buffer,
            max_binding_bytes: caps.max_binding,
            room,
            parameter_bytes: ParamArena::bytes(gpu),
            is_software: caps.is_software,
            tuning: Tuning::of(caps),
        }
    }

    /// A device without limits, for plans without one.
    pub(crate) fn boundless() -> Self {
        Self {
            gpu: String::new(),
            max_buffer_bytes: u64::MAX,
            max_binding_bytes: u64::MAX,
            room: Room::Unknown,
            parameter_bytes: 1 << 20,
            is_software: false,
            tuning: Tuning::default(),
        }
    }

    /// Bytes of the largest buffer that a kernel sees whole.
    pub(crate) fn max_bytes(&self) -> u64 {
        self.max_buffer_bytes.min(self.max_binding_bytes)
    }
}

/// Bytes of the machine's own memory.
#[cfg(not(target_arch = "wasm32"))]
fn machine_memory() -> Option<u64> {
    use sysinfo::{MemoryRefreshKind, RefreshKind, System};
    let only_memory = RefreshKind::nothing().with_memory(MemoryRefreshKind::nothing().with_ram());
    let system = System::new_with_specifics(only_memory).ok()?;
    Some(system.total_memory()).filter(|&bytes| bytes > 0)
}

/// Bytes of the machine's own memory: pages are not told.
#[cfg(target_arch = "wasm32")]
fn machine_memory() -> Option<u64> {
    None
}
