//! Kernels that take rows one by one.

use qwill_gpu::KernelSource;
use qwill_weights::Layout;

use super::case::{Scaled, run, step, upload, upload_matrix, worst};
use super::{HostMatrix, Rng, Worst, padded_rows, whole_blocks};
use crate::embed::{self, Scaled as Factors};
use crate::{
    FusedNorm, Kernels, NormRows, RowOrder, Scaling, StepParts, StepShape, StepSpan, TokenSource, align_row,
    cpu, norm, silu_mul as gated,
};

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

pub(crate) async fn embed_rows(
    kernels: &mut Kernels,
    layout: Layout,
    factors: Factors,
    source: &KernelSource,
) -> Worst {
    const IDS: usize = 9;
    let gpu = kernels.gpu.clone();
    let mut rng = Rng::new(1);
    let k = whole_blocks(layout, 296);
    let host = HostMatrix::random(&mut rng, layout, IDS, k);
    let table = upload_matrix(&gpu, &host, RowOrder::Plain).await?;
    let span = |tokens, slot| StepSpan { tokens, slot, position: 0, pages: &[0], angles: &[] };
    let spans = [span(&[TokenSource::Next], 1), span(&[TokenSource::Id(8), TokenSource::Id(0)], 0)];
    let (words, shape) = StepParts { spans: &spans, outputs: &[], tile_rows: 16 }.encode();
    let (step, next) = (upload(&gpu, &words).await?, upload(&gpu, &[2u32, 5]).await?);
    let tokens = [5, 8, 0];
    let y = upload(&gpu, &vec![0f32; tokens.len() * align_row(k)]).await?;
    let (columns, of_tokens) = (rng.floats(k, 2.0), rng.floats(tokens.len(), 2.0));
    let (scaling, twins) = match factors {
        Factors::No => (None, None),
        Factors::Yes => {
            let outputs = upload(&gpu, &padded_rows(&columns, k)).await?;
            let rows = upload(&gpu, &of_tokens).await?;
            (Some(Scaling { outputs, rows }), Some((&columns[..], &of_tokens[..])))
        }
    };
    let launches = embed::bind(kernels, &table, &step, &next, &y, scaling.as_ref(), source).await?;
    let found = run::<f32>(&gpu, &launches, &shape, &y).await?;
    let wanted = cpu::embed_rows(&host.values, k, &tokens, twins);
    let largest = wanted.iter().fold(1e-30, |largest: f64, value| largest.max(value.abs()));
    let wanted: Vec<Scaled> = wanted.into_iter().map(|value| Scaled { value, scale: largest }).collect();
    let found = found.chunks_exact(align_row(k)).flat_map(|row| &row[..k]);
    Ok(worst(found.copied(), &wanted))
}

pub(crate) async fn silu_mul(kernels: &mut Kernels, source: &KernelSource) -> Worst {
    const ROWS_PER_TOKEN: usize = 2;
    let gpu = kernels.gpu.clone();
    let n_rows = RowOrder::GateUp.rows_on_device([77; 2]);
    let (n_outputs, y_stride) = (n_rows / 2, n_rows / 2 + 4);
    let x = Rng::new(1).floats(N_ROWS * ROWS_PER_TOKEN * n_rows, 2.0);
    let x_buffer = upload(&gpu, &padded_rows(&x, n_rows)).await?;
    let y = upload(&gpu, &vec![0f32; N_ROWS * ROWS_PER_TOKEN * y_stride]).await?;
    let launch = gated::bind(kernels, &x_buffer, n_rows, ROWS_PER_TOKEN, &y, y_stride, source).await?;
    let shape = StepShape::of_one(N_ROWS as u32, N_ROWS as u32, 0, 16);
    let found = run::<f32>(&gpu, &[launch], &shape, &y).await?;
    let wanted = cpu::silu_mul(&x, n_rows);
    let wanted: Vec<Scaled> = wanted.into_iter().map(|value| Scaled { value, scale: 1.0 }).collect();
    let found = found.chunks_exact(y_stride).flat_map(|row| &row[..n_outputs]);
    Ok(worst(found.copied(), &wanted))
}
