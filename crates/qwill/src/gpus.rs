//! The GPUs of this machine.

use qwill_gpu::{Gpu, GpuOptions};
use serde::Serialize;

use crate::{DeviceFindings, Error};

/// The GPUs of this machine, and which of them models run on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Gpus {
    /// All of them, CPU devices included.
    pub devices: Vec<GpuInfo>,
    /// The name of the one that is used unless [`LoadOptions::gpu`](crate::LoadOptions::gpu) names another.
    pub default: String,
    /// What that one can do.
    pub capabilities: String,
    /// What loads of models have found out about its kernels.
    pub self_test: DeviceFindings,
}

/// A GPU, as its driver describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GpuInfo {
    /// Its name.
    pub name: String,
    /// The driver interface, such as `Vulkan`.
    pub backend: String,
    /// `DiscreteGpu`, `IntegratedGpu`, `VirtualGpu`, `Cpu` or `Other`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The driver and its version.
    pub driver: String,
    /// Whether it is used unless another is named.
    pub is_default: bool,
}

impl Gpus {
    /// Asks every driver of this machine. A browser shows none of its GPUs but the one that it opens.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), qwill::Error> {
    /// for gpu in qwill::Gpus::list().await?.devices {
    ///     println!("{} ({})", gpu.name, gpu.backend);
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`Error::Gpu`] if there is none that models can run on.
    pub async fn list() -> Result<Self, Error> {
        let all = Gpu::list().await;
        let chosen = Gpu::open(&GpuOptions::default()).await?;
        let devices = all.into_iter().map(|gpu| GpuInfo {
            is_default: gpu == *chosen.info(),
            backend: format!("{:?}", gpu.backend),
            kind: format!("{:?}", gpu.device_type),
            driver: gpu.driver_info,
            name: gpu.name,
        });
        Ok(Self {
            devices: devices.collect(),
            default: chosen.info().name.clone(),
            capabilities: chosen.caps().to_string(),
            self_test: DeviceFindings::kept(&chosen),
        })
    }
}
