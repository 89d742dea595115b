//! Which experts tokens go to, and what comes back from them.

use qwill_gpu::KernelSource;

use super::case::{Scaled, run, step, upload, worst};
use super::{Rng, Worst, padded_rows};
use crate::cpu::{self, Tile};
use crate::{
    Grouping, Groups, Kernels, Routing, StepShape, TopKWeights, align_row, experts, grouping, routing,
};

const N_ROWS: usize = 3;
const ROUTING: Routing =
    Routing { n_experts: 60, top_k: 4, weights: TopKWeights::Softmax, has_shared_expert: true };

/// Routes of tokens, with that of the shared expert; the chosen experts; their weights.
fn random_routes(rng: &mut Rng, n_tokens: usize) -> (Vec<[u32; 2]>, Vec<u32>, Vec<f32>) {
    let weights = rng.floats(n_tokens * ROUTING.n_slots(), 1.0);
    // few of them, so that some get more than a tile
    let expert = |rng: &mut Rng| rng.floats(1, 1.0)[0].abs().mul_add(6.0, 3.0) as u32;
    let routes: Vec<[u32; 2]> = weights.iter().map(|weight| [expert(rng), weight.to_bits()]).collect();
    let chosen = || routes.chunks_exact(ROUTING.n_slots()).flat_map(|slots| &slots[..ROUTING.top_k]);
    let experts = chosen().map(|route| route[0]).collect();
    let weights = chosen().map(|route| f32::from_bits(route[1])).collect();
    (routes, experts, weights)
}

pub(crate) async fn route_experts(
    kernels: &mut Kernels,
    weights: TopKWeights,
    source: &KernelSource,
) -> Worst {
    let gpu = kernels.gpu.clone();
    let routing = Routing { weights, ..ROUTING };
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

/// Inside an expert any order will do.
pub(crate) async fn group_tokens(kernels: &mut Kernels, source: &KernelSource) -> Worst {
    let gpu = kernels.gpu.clone();
    let n_tokens = 37;
    let (routes, experts, _) = random_routes(&mut Rng::new(1), n_tokens);
    let grouping = Grouping { routing: ROUTING, max_tokens: n_tokens, tile_m: 16 };
    let groups = Groups {
        grouping,
        assignments: upload(&gpu, &vec![3u32; grouping.assignments_bytes() / 4]).await?,
        tiles: upload(&gpu, &vec![3u32; grouping.tiles_bytes() / 4]).await?,
    };
    let (step, shape) = step(&gpu, 0, n_tokens, 16, &[]).await?;
    let routes = upload(&gpu, &routes).await?;
    let launches = [grouping::bind(kernels, &step, &routes, &groups, source).await?];
    let tiles = run::<[u32; 3]>(&gpu, &launches, &shape, &groups.tiles).await?;
    let mut assignments = run::<u32>(&gpu, &launches, &shape, &groups.assignments).await?;
    let (wanted, wanted_tiles) = cpu::group_tokens(&experts, grouping.tile_m as usize);
    let expert = |assignment: u32| experts.get(assignment as usize);
    assignments.chunk_by_mut(|&a, &b| expert(a) == expert(b)).for_each(<[u32]>::sort_unstable);
    let (used, unused) = tiles.split_at(wanted_tiles.len());
    let mut used = used.iter().map(|&[expert, first, count]| Tile { expert, first, count });
    let is_right = assignments == wanted
        && wanted_tiles.into_iter().all(|wanted| used.next() == Some(wanted))
        && unused.iter().all(|tile| tile[2] == 0);
    Ok(if is_right { 0.0 } else { f64::INFINITY })
}

pub(crate) async fn combine_experts(kernels: &mut Kernels, source: &KernelSource) -> Worst {
    const COLUMNS: usize = 296;
    let gpu = kernels.gpu.clone();
    let mut rng = Rng::new(1);
    let (routes, _, weights) = random_routes(&mut rng, N_ROWS);
    let grouping = Grouping { routing: ROUTING, max_tokens: N_ROWS, tile_m: 16 };
    let (x, y) = (rng.floats(N_ROWS * ROUTING.top_k * COLUMNS, 2.0), rng.floats(N_ROWS * COLUMNS, 2.0));
    let routes = upload(&gpu, &routes).await?;
    let x_buffer = upload(&gpu, &padded_rows(&x, COLUMNS)).await?;
    let y_buffer = upload(&gpu, &padded_rows(&y, COLUMNS)).await?;
    let launch =
        experts::bind_combine(kernels, &grouping, &routes, &x_buffer, COLUMNS, &y_buffer, source).await?;
    let shape = StepShape::of_one(N_ROWS as u32, N_ROWS as u32, 0, 16);
    let found = run::<f32>(&gpu, &[launch], &shape, &y_buffer).await?;
    let wanted = cpu::combine_experts(&y, &x, &weights, COLUMNS);
    let wanted: Vec<Scaled> = wanted.into_iter().map(|value| Scaled { value, scale: 1.0 }).collect();
    let found = found.chunks_exact(align_row(COLUMNS)).flat_map(|row| &row[..COLUMNS]);
    Ok(worst(found.copied(), &wanted))
}
