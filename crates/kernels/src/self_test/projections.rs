//! `gemv` and `gemm` on a small matrix.

use qwill_gpu::KernelSource;

use super::case::{Case, run, upload};
use super::{Worst, padded_rows};
use crate::gemm::{self};
use crate::gemv::{self};
use crate::{GEMM_MAX_TILE_M, Kernels, NormRows, Project, StepShape, align_row};

/// More columns than a workgroup takes in one go, and no multiple of them.
const GEMV_COLUMNS: usize = 1064;
const GEMM_COLUMNS: usize = 104;

pub(crate) async fn gemv(kernels: &mut Kernels, variant: &gemv::Variant, source: &KernelSource) -> Worst {
    let gpu = kernels.gpu.clone();
    let mut case = Case::new(variant.layout, variant.epilogue, variant.bias, 1, 1, GEMV_COLUMNS);
    let (x, y) = (case.input(1), case.output(1));
    let project = Project {
        matrix: case.matrix(&gpu).await?,
        x: upload(&gpu, &padded_rows(&x, case.k)).await?,
        y: upload(&gpu, &y).await?,
        y_stride: case.y_stride,
        first_output: 0,
        epilogue: case.epilogue(&gpu).await?,
    };
    let norm = if variant.norm { Some(case.norm(&gpu).await?) } else { None };
    let launches = gemv::bind(kernels, &project, norm.as_ref(), variant, source).await?;
    let found = run(&gpu, &launches, &StepShape::of_one(1, 1, 1, 16), &project.y).await?;
    let products = case.products(0, &x, variant.norm);
    case.compare(&found, &[case.finish(&products, 0, 0, &y)])
}

pub(crate) async fn gemm(kernels: &mut Kernels, variant: &gemm::Variant, source: &KernelSource) -> Worst {
    let gpu = kernels.gpu.clone();
    // a whole tile and some
    let m = variant.shape.tile_m() as usize + 3;
    let mut case = Case::new(variant.layout, variant.epilogue, variant.bias, 1, m, GEMM_COLUMNS);
    let (x, y) = (case.input(m), case.output(m));
    let whole_tiles = m.next_multiple_of(GEMM_MAX_TILE_M as usize);
    let (mut x_padded, mut y_padded) = (padded_rows(&x, case.k), y.clone());
    x_padded.resize(whole_tiles * align_row(case.k), 0.0);
    y_padded.resize(whole_tiles * case.y_stride, 0.0);
    let project = Project {
        matrix: case.matrix(&gpu).await?,
        x: upload(&gpu, &x_padded).await?,
        y: upload(&gpu, &y_padded).await?,
        y_stride: case.y_stride,
        first_output: 0,
        epilogue: case.epilogue(&gpu).await?,
    };
    let launches = gemm::bind(kernels, &project, NormRows::All, variant, source).await?;
    let found = run(&gpu, &launches, &StepShape::of_one(m as u32, m as u32, 0, 16), &project.y).await?;
    let rows = x.chunks_exact(case.k).zip(y.chunks_exact(case.y_stride)).enumerate();
    let wanted: Vec<_> =
        rows.map(|(row, (x, y))| case.finish(&case.products(0, x, false), 0, row, y)).collect();
    case.compare(&found, &wanted)
}
