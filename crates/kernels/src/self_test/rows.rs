//! Kernels that take rows one by one.

use qwill_gpu::KernelSource;

use super::case::{Scaled, run, step, upload, worst};
use super::{Rng, Worst, padded_rows};
use crate::{FusedNorm, Kernels, NormRows, Routing, StepShape, TopKWeights, align_row, cpu, norm, routing};

const N_ROWS: usize = 3;
/// More than a workgroup has invocations, and no multiple of them.
const COLUMNS: usize = 1064;
const EPS: f32 = 1e-6;

pub(crate) async fn norm_rms(kernels: &mut Kernels, source: &KernelSource) -> Worst {
    let gpu = kernels.gpu.clone();
    let mut rng = Rng::new(1);
    let (x, gain) = (rng.floats(N_ROWS * COLUMNS, 2.0), rng.floats(COLUMNS, 2.0));
    let (step, shape) = step(&gpu, 0, N_ROWS, 16, &[]).await?;
    let x_buffer = upload(&gpu, &padded_rows(&x, COLUMNS)).await?;
    let fused = FusedNorm { gain: upload(&gpu, &padded_rows(&gain, COLUMNS)).await?, eps: EPS };
    let y = upload(&gpu, &vec![0f32; N_ROWS * align_row(COLUMNS)]).await?;
    let launch = norm::bind(kernels, &step, &x_buffer, &fused, COLUMNS, NormRows::All, &y, source).await?;
    let found = run::<f32>(&gpu, &[launch], &shape, &y).await?;
    let wanted = cpu::norm_rms(&x, &gain, f64::from(EPS));
    let wanted: Vec<Scaled> = wanted.into_iter().map(|value| Scaled { value, scale: 1.0 }).collect();
    let found = found.chunks_exact(align_row(COLUMNS)).flat_map(|row| &row[..COLUMNS]);
    Ok(worst(found.copied(), &wanted))
}

pub(crate) async fn route_experts(
    kernels: &mut Kernels,
    weights: TopKWeights,
    source: &KernelSource,
) -> Worst {
    let gpu = kernels.gpu.clone();
    let routing = Routing { n_experts: 60, top_k: 4, weights, has_shared_expert: true };
    let n = routing.n_logits();
    // in thirds, so that some are equal
    let thirds = |logit: f32| (logit * 3.0).round() / 3.0;
    let logits: Vec<f32> = Rng::new(1).floats(N_ROWS * n, 4.0).into_iter().map(thirds).collect();
    let logits_buffer = upload(&gpu, &padded_rows(&logits, n)).await?;
    let routes = upload(&gpu, &vec![[0u32; 2]; N_ROWS * routing.n_slots()]).await?;
    let launch = routing::bind(kernels, &routing, &logits_buffer, &routes, source).await?;
    let shape = StepShape::of_one(N_ROWS as u32, N_ROWS as u32, 0, 16);
    let found = run::<[u32; 2]>(&gpu, &[launch], &shape, &routes).await?;
    let wanted = cpu::route_experts(&routing, &logits);
    if found.iter().zip(&wanted).any(|(found, wanted)| found[0] != wanted.0) {
        return Ok(f64::INFINITY);
    }
    let wanted: Vec<Scaled> =
        wanted.into_iter().map(|(_, value)| Scaled { value, scale: value.abs() }).collect();
    Ok(worst(found.into_iter().map(|[_, weight]| f32::from_bits(weight)), &wanted))
}
