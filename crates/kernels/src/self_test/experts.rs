//! `gemv_experts` and `gemm_experts` on a few small experts.

use qwill_gpu::KernelSource;

use super::case::{Case, Scaled, run, upload};
use super::{Worst, padded_rows};
use crate::cpu::{self, Tile};
use crate::gemv::Experts;
use crate::{
    ExpertProject, ExpertRows, Grouping, Groups, Kernels, Routing, StepShape, TopKWeights, experts, gemm,
    gemv,
};

const ROUTING: Routing =
    Routing { n_experts: 3, top_k: 2, weights: TopKWeights::Softmax, has_shared_expert: false };
const COLUMNS: usize = 296;
/// The experts of a token's slots, by the token's number; the first is nobody's second.
const CHOSEN: [[usize; 2]; 3] = [[2, 1], [1, 2], [0, 2]];
const WEIGHTS: [f32; 2] = [0.75, -0.5];

pub(crate) async fn gemv_experts(
    kernels: &mut Kernels,
    variant: &gemv::Variant,
    source: &KernelSource,
) -> Worst {
    let gpu = kernels.gpu.clone();
    let gathers = variant.experts == Experts::Gather;
    let mut case = Case::new(variant.layout, variant.epilogue, false, ROUTING.n_experts, 1, COLUMNS);
    let (n_inputs, n_rows) = if gathers { (ROUTING.top_k, 1) } else { (1, ROUTING.top_k) };
    let (x, y) = (case.input(n_inputs), case.output(n_rows));
    let project = ExpertProject {
        matrix: case.matrix(&gpu).await?,
        routing: ROUTING,
        rows: if gathers { ExpertRows::Gather } else { ExpertRows::Spread },
        epilogue: case.epilogue(&gpu).await?,
        x: upload(&gpu, &padded_rows(&x, case.k)).await?,
        y: upload(&gpu, &y).await?,
        y_stride: case.y_stride,
    };
    let slots = || CHOSEN[0].into_iter().zip(WEIGHTS);
    let routes: Vec<[u32; 2]> = slots().map(|(expert, weight)| [expert as u32, weight.to_bits()]).collect();
    let routes = upload(&gpu, &routes).await?;
    let norm = if variant.norm { Some(case.norm(&gpu).await?) } else { None };
    let launches = experts::bind_gemv(kernels, &project, norm.as_ref(), &routes, variant, source).await?;
    let found = run(&gpu, &launches, &StepShape::of_one(1, 1, 1, 16), &project.y).await?;
    let wanted: Vec<Vec<Scaled>> = if gathers {
        let mut sums: Vec<Scaled> =
            y.iter().take(case.n_outputs()).map(|&y| Scaled { value: y.into(), scale: 1.0 }).collect();
        for ((expert, weight), x) in slots().zip(x.chunks_exact(case.k)) {
            for (sum, product) in sums.iter_mut().zip(case.products(expert, x, false)) {
                sum.value += f64::from(weight) * product.value;
                sum.scale += product.scale;
            }
        }
        vec![sums]
    } else {
        let rows = slots().zip(y.chunks_exact(case.y_stride));
        let finish = |expert, y| case.finish(&case.products(expert, &x, variant.norm), expert, 0, y);
        rows.map(|((expert, _), y)| finish(expert, y)).collect()
    };
    case.compare(&found, &wanted)
}

pub(crate) async fn gemm_experts(
    kernels: &mut Kernels,
    variant: &gemm::Variant,
    tile_m: u32,
    source: &KernelSource,
) -> Worst {
    let gpu = kernels.gpu.clone();
    // every expert that is chosen often has a whole tile and some
    let n_tokens = tile_m as usize + 5;
    let mut case = Case::new(variant.layout, variant.epilogue, false, ROUTING.n_experts, n_tokens, 104);
    let (x, y) = (case.input(n_tokens), case.output(n_tokens * ROUTING.top_k));
    let project = ExpertProject {
        matrix: case.matrix(&gpu).await?,
        routing: ROUTING,
        rows: ExpertRows::Spread,
        epilogue: case.epilogue(&gpu).await?,
        x: upload(&gpu, &padded_rows(&x, case.k)).await?,
        y: upload(&gpu, &y).await?,
        y_stride: case.y_stride,
    };
    let chosen: Vec<u32> =
        (0..n_tokens).flat_map(|token| CHOSEN[token % CHOSEN.len()]).map(|expert| expert as u32).collect();
    let grouping = Grouping { routing: ROUTING, max_tokens: n_tokens, tile_m };
    let (assignments, tiles) = cpu::group_tokens(&chosen, tile_m as usize);
    let mut tiles: Vec<[u32; 3]> =
        tiles.into_iter().map(|Tile { expert, first, count }| [expert, first, count]).collect();
    tiles.resize(grouping.max_tiles(n_tokens), [0; 3]);
    let groups = Groups {
        grouping,
        assignments: upload(&gpu, &assignments).await?,
        tiles: upload(&gpu, &tiles).await?,
    };
    let launches = experts::bind_gemm(kernels, &project, &groups, variant, source).await?;
    let shape = StepShape::of_one(n_tokens as u32, n_tokens as u32, 0, 16);
    let found = run(&gpu, &launches, &shape, &project.y).await?;
    let rows = chosen.iter().zip(y.chunks_exact(case.y_stride)).enumerate();
    let wanted: Vec<_> = rows
        .map(|(slot, (&expert, y))| {
            let token = slot / ROUTING.top_k;
            let products = case.products(expert as usize, &x[token * case.k..][..case.k], false);
            case.finish(&products, expert as usize, token, y)
        })
        .collect();
    case.compare(&found, &wanted)
}
