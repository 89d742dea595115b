//! `attend_prefill`: many new tokens.

use std::ops::Range;

use qwill_kernels::{Attend, AttendBuffers, KvType, Visibility, align_row, cpu, prefill_rows};

use super::cache::Cache;
use super::heads::{compared_heads, cut_heads, query_heads, sensitivities, shape_of};
use super::{
    HEADS, TOLERANCE, UNTOUCHED, attend, magnitude, n_queries, query_size, released_shapes, small_shapes,
};
use crate::checks::Outcome;
use crate::checks::rows::cut_rows;
use crate::{Depth, Report, Rig, Rng, TestSpan, TestStep, block_on, on_all_cores};

/// Position, tokens and visibility of a step.
type Chunk = (usize, usize, Visibility);

const SMALL_CHUNKS: [Chunk; 10] = [
    (0, 2, Visibility::Causal),
    (0, 33, Visibility::Causal),
    (31, 2, Visibility::Window(1)),
    (32, 17, Visibility::Window(40)),
    (33, 70, Visibility::Causal),
    (50, 66, Visibility::Window(5)),
    (97, 31, Visibility::Window(33)),
    (0, 37, Visibility::Bidirectional),
    (0, 130, Visibility::DualChunks(37)),
    (33, 70, Visibility::DualChunks(32)),
];

/// Layers and the chunks that are tried with each.
fn layers(depth: Depth) -> Vec<(Attend, Vec<Chunk>)> {
    match depth {
        Depth::Full | Depth::Slice => {
            small_shapes(depth).into_iter().map(|shape| (shape, SMALL_CHUNKS.to_vec())).collect()
        }
        Depth::Quick => vec![
            (attend(HEADS[0], KvType::F16), vec![(480, 32, Visibility::Causal)]),
            (attend(HEADS[2], KvType::Q8), vec![(0, 33, Visibility::Causal)]),
        ],
        Depth::Real => released_shapes().map(|shape| (shape, released_chunks(shape))).collect(),
    }
}

/// Chunks of 512 tokens; the later ones, whose twins take long, in one kind of cache for most heads.
fn released_chunks(shape: Attend) -> Vec<Chunk> {
    let heads = (shape.n_heads, shape.n_kv_heads, shape.head_dim);
    let mut chunks = vec![(0, 512, Visibility::Causal)];
    if shape.kv == KvType::F16 || HEADS[..3].contains(&heads) {
        chunks.push((4096, 512, Visibility::Causal));
    }
    if heads == HEADS[0] && shape.kv == KvType::F16 {
        chunks.extend([
            (32_256, 512, Visibility::Causal),
            (0, 512, Visibility::Bidirectional),
            (4096, 512, Visibility::Window(1024)),
            (4096, 512, Visibility::DualChunks(1024)),
        ]);
    }
    chunks
}

/// What the twin makes of the query heads that read some key/value heads, `[n_tokens, n_heads, head_dim]`, each with how
/// far it moves when scores and values move by their magnitudes.
fn twin(shape: Attend, q: &[f32], position: usize, (k, v): (&[f32], &[f32])) -> Vec<(f64, f64)> {
    let v_abs: Vec<f32> = v.iter().map(magnitude).collect();
    let row = n_queries(shape) * shape.n_heads * shape.head_dim;
    let sensitivities = sensitivities(shape, q, k);
    on_all_cores(q.len() / row, |tokens| {
        let position = position + tokens.start;
        let sensitivities = &sensitivities[tokens.start * shape.n_heads..];
        let q = &q[tokens.start * row..tokens.end * row];
        let wanted = cpu::attend_prefill(&shape, q, k, v, position);
        let magnitudes = cpu::attend_prefill(&shape, q, k, &v_abs, position);
        let scales = magnitudes.iter().enumerate().map(|(i, m)| m * sensitivities[i / shape.head_dim]);
        wanted.iter().copied().zip(scales).collect()
    })
}

/// Runs chunks (position, tokens) of sequences that all begin with the same pages; `[tokens, n_heads * head_dim]`.
fn run(rig: &mut Rig, cache: &Cache, shape: Attend, q: &[f32], chunks: &[(usize, usize)]) -> Vec<f32> {
    let width = shape.n_heads * shape.head_dim;
    let spans = chunks.iter().map(|&(position, n_tokens)| TestSpan::new(position, n_tokens, &cache.table));
    let step = TestStep { tile_rows: prefill_rows(shape.head_dim), ..TestStep::of(spans.collect()) };
    let (step, step_shape) = step.upload(rig);
    let stride = align_row(width);
    let y = rig.upload("y", &vec![UNTOUCHED; step_shape.n_tokens as usize * stride]);
    let unused = rig.empty("decode only", 16);
    let buffers = AttendBuffers {
        step: &step,
        q: &rig.upload("q", q),
        k_cache: &cache.k_cache,
        v_cache: &cache.v_cache,
        y: &y,
        partial: &unused,
        stats: &unused,
    };
    let launch = block_on(rig.kernels.attend_prefill(&shape, &buffers)).unwrap();
    rig.run([&launch], step_shape);
    let found: Vec<f32> = rig.read(&y);
    assert!(
        found.chunks_exact(stride).all(|row| row[width..].iter().all(|&y| y == UNTOUCHED)),
        "padding was written, {shape:?} {chunks:?}"
    );
    cut_rows(&found, width, stride)
}

/// Chunks of different sequences in one step come out, bit for bit, as each does alone.
fn try_together(rig: &mut Rig, rng: &mut Rng, cache: &Cache, shape: Attend, chunks: &[(usize, usize)]) {
    let width = shape.n_heads * shape.head_dim;
    let row = n_queries(shape) * width;
    let n_tokens: usize = chunks.iter().map(|(_, n)| n).sum();
    let q = rng.floats(n_tokens * row, 2.0 * (shape.head_dim as f32).powf(-0.5));
    let together = run(rig, cache, shape, &q, chunks);
    let mut first = 0;
    for &chunk in chunks {
        let tokens = first..first + chunk.1;
        let alone = run(rig, cache, shape, &q[tokens.start * row..tokens.end * row], &[chunk]);
        let found = &together[tokens.start * width..tokens.end * width];
        assert!(found == alone, "{chunk:?} of {chunks:?}, {shape:?}");
        first = tokens.end;
    }
}

/// Runs a chunk; returns the worst error.
fn try_chunk(
    rig: &mut Rig,
    rng: &mut Rng,
    cache: &Cache,
    (shape, position, n_tokens): (Attend, usize, usize),
    query_size: f32,
    compared: &[Range<usize>],
) -> f64 {
    let Attend { n_heads, head_dim, .. } = shape;
    let what = format!("{shape:?}, {n_tokens} tokens from {position}");
    let q = rng.floats(n_tokens * n_queries(shape) * n_heads * head_dim, query_size);
    let found = run(rig, cache, shape, &q, &[(position, n_tokens)]);
    let mut worst: f64 = 0.0;
    for kv_heads in compared {
        let heads = query_heads(shape, kv_heads);
        let (k, v) = cache.first(position + n_tokens, kv_heads);
        let q = cut_heads(&q, n_heads, head_dim, &heads);
        let (wanted, scales): (Vec<f64>, Vec<f64>) =
            twin(shape_of(shape, kv_heads), &q, position, (&k, &v)).into_iter().unzip();
        let report = Report::new(&cut_heads(&found, n_heads, head_dim, &heads), &wanted, |i| scales[i]);
        worst = worst.max(report.expect(&format!("heads {heads:?}, {what}"), TOLERANCE));
    }
    worst
}

/// Chunks (position, tokens) that are tried together, two and five of them, in some of the cases.
fn together(depth: Depth, index: usize) -> &'static [&'static [(usize, usize)]] {
    match (depth, index) {
        (Depth::Full | Depth::Slice, 1 | 6 | 7 | 9) => {
            &[&[(0, 33), (0, 2)], &[(0, 5), (31, 18), (64, 2), (7, 40), (90, 13)]]
        }
        (Depth::Quick, 0) => &[&[(0, 33), (5, 2)]],
        (Depth::Real, 0) => &[&[(0, 100), (12, 17), (200, 300)]],
        _ => &[],
    }
}

pub(in crate::checks) fn prefills(rig: &mut Rig, depth: Depth) -> Outcome {
    let mut rng = Rng::new(7);
    let mut outcome = Outcome::default();
    for (shape, chunks) in layers(depth) {
        let longest = chunks.iter().map(|(position, n_tokens, _)| position + n_tokens).max().unwrap_or(0);
        let longest = Cache::longest(rig, shape, longest);
        let compared = compared_heads(shape, depth);
        let mut cache = None;
        for (index, (position, n_tokens, visibility)) in chunks.into_iter().enumerate() {
            // where the cache of a small binding is shorter, the chunk comes as late as it can
            let position = position.min(longest - n_tokens);
            let shape = Attend { visibility, ..shape };
            let size = query_size(depth, index + 1, shape.head_dim);
            outcome.case(rig, |rig| {
                let cache = cache.get_or_insert_with(|| Cache::random(rig, &mut rng, shape, longest));
                let worst = try_chunk(rig, &mut rng, cache, (shape, position, n_tokens), size, &compared);
                for chunks in together(depth, index) {
                    try_together(rig, &mut rng, cache, shape, chunks);
                }
                worst
            });
        }
    }
    outcome
}
