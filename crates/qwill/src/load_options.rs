//! How to load a model.

use qwill_gpu::{CapsMask, Gpu, GpuOptions, SubgroupWidth};
use qwill_kernels::{KvType, Tuning};
use qwill_models::RopeScaling;

use crate::{Error, SelfTest, WeightFormat};

/// How to load a model.
#[derive(Debug, Clone, Default)]
pub struct LoadOptions {
    /// Tokens of prompt and reply together; absent: the model's, at most 8192.
    pub context_length: Option<usize>,
    /// Tokens of all texts together that the cache holds; absent: those of one context.
    pub cache_tokens: Option<usize>,
    /// Texts that run at a time, at most; others wait. Absent: 8.
    pub max_sequences: Option<usize>,
    /// Converts weights that the files hold as floats to this format while they are loaded; what is quantised already
    /// stays as it is. The same as loading what [`quantize`](crate::quantize) writes.
    pub quantize: Option<WeightFormat>,
    /// Cache format; absent: f16.
    pub kv_type: Option<KvType>,
    /// Tokens of a prefill step; absent: 512 (128 on a CPU device).
    pub prefill_chunk: Option<usize>,
    /// How positions are scaled; absent: as the checkpoint says.
    pub rope_scaling: Option<RopeScaling>,
    /// Capabilities to hide, for tests: `no-f16,no-subgroups,max-binding=128MiB`.
    pub caps_mask: String,
    /// Subgroup widths that a browser's glue has enabled.
    pub web_subgroups: Option<(u32, u32)>,
    /// What the device is called, for a browser's glue that watches it.
    pub device_label: Option<String>,
    /// Part of the name of the GPU to use.
    pub gpu: Option<String>,
    /// How kernels are shaped, as a measurement on the device found; absent: as the device's facts suggest.
    pub tuning: Option<Tuning>,
    /// Whether kernels are tried on the device before the model uses them.
    pub self_test: SelfTest,
    /// What makes kernels wrong.
    #[cfg(test)]
    pub(crate) fault: Option<fn(&mut qwill_gpu::KernelSource)>,
}

impl LoadOptions {
    pub(crate) fn gpu_options(&self) -> Result<GpuOptions, Error> {
        Ok(GpuOptions {
            mask: CapsMask::parse(&self.caps_mask).map_err(|e| Error::Request(e.to_string()))?,
            web_subgroups: self.web_subgroups.map(|(min, max)| SubgroupWidth { min, max }),
            label: self.device_label.clone(),
            gpu: self.gpu.clone(),
            ..GpuOptions::default()
        })
    }

    /// How kernels are shaped on an open device.
    pub(crate) fn tuning(&self, gpu: &Gpu) -> Tuning {
        self.tuning.clone().unwrap_or_else(|| Tuning::of(gpu.caps()))
    }
}
