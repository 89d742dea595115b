//! `device`: what this machine has, and what wgpu makes of it.

use std::process::Command;
use std::thread;

use pollster::block_on;
use qwill_gpu::{Gpu, GpuOptions};
use serde_json::{Value, json};

use crate::failure::Stop;
use crate::job::Job;

/// Describes the device.
pub(crate) fn run(job: &mut Job) -> Result<String, Stop> {
    let adapter = block_on(Gpu::adapter(&GpuOptions::default()))?;
    let info = adapter.get_info();
    let features: Vec<String> =
        adapter.features().iter_names().map(|(name, _)| name.to_lowercase()).collect();
    let matrices: Vec<Value> = adapter
        .cooperative_matrix_properties()
        .iter()
        .map(|matrix| {
            json!({
                "m": matrix.m_size,
                "n": matrix.n_size,
                "k": matrix.k_size,
                "ab": format!("{:?}", matrix.ab_type),
                "cr": format!("{:?}", matrix.cr_type),
                "saturating": matrix.saturating_accumulation,
            })
        })
        .collect();
    let adapters: Vec<String> =
        block_on(Gpu::list()).into_iter().map(|info| format!("{} ({:?})", info.name, info.backend)).collect();
    let mut result = json!({
        "adapters": adapters,
        "features": features,
        "limits": adapter.limits(),
        "subgroup_widths": [info.subgroup_min_size, info.subgroup_max_size],
        "cooperative_matrices": matrices,
        "cores": thread::available_parallelism().map_or(1, usize::from),
        "kernel": std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim(),
        "nvidia_smi": nvidia_smi(),
    });
    job.save(&result)?;
    // opening it is what may fail
    let gpu = block_on(Gpu::open(&GpuOptions::default()))?;
    result["capabilities"] = json!(gpu.caps().to_string());
    job.save(&result)?;
    Ok(format!("{} ({:?}, {}): {}", info.name, info.backend, info.driver_info, gpu.caps()))
}

/// Clocks and memory of a card whose driver brings that program.
fn nvidia_smi() -> Option<String> {
    let query = "--query-gpu=name,driver_version,memory.total,clocks.max.sm,clocks.max.mem,power.limit";
    let said = Command::new("nvidia-smi").args([query, "--format=csv"]).output().ok()?;
    said.status.success().then(|| String::from_utf8_lossy(&said.stdout).trim().to_owned())
}
