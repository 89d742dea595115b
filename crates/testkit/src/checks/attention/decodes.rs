//! `attend_decode` and `attend_merge`: one new token over the whole cache.

use std::ops::Range;
use std::thread;

use qwill_kernels::cpu::{self, Partial};
use qwill_kernels::{Attend, AttendBuffers, KvType, SpanShape, Visibility, align_row};

use super::cache::Cache;
use super::heads::{compared_heads, cut_heads, query_heads, sensitivities, shape_of};
use super::{
    HEADS, TOLERANCE, UNTOUCHED, attend, magnitude, n_queries, query_size, released_shapes, small_shapes,
};
use crate::checks::Outcome;
use crate::checks::rows::cut_rows;
use crate::{Depth, Report, Rig, Rng, TestSpan, TestStep, block_on, on_all_cores};

/// Tokens that no split parts.
const BLOCK: usize = 64;

/// A token of some layer.
struct Case {
    shape: Attend,
    n_kv: usize,
    /// Of random queries.
    query_size: f32,
    /// Blocks that the grid has beyond those of the sequence.
    blocks_beyond: usize,
    max_splits: usize,
    heads: Vec<Range<usize>>,
}

/// What is tried with a cache: (keys, visibility).
type Tries = Vec<(usize, Visibility)>;

/// Layers with the length of their cache.
fn layers(rig: &Rig, depth: Depth) -> Vec<(Attend, usize, Tries)> {
    match depth {
        Depth::Full | Depth::Slice => {
            small_shapes(depth).into_iter().map(|shape| (shape, SMALL, small_tries())).collect()
        }
        Depth::Quick => [(HEADS[0], KvType::F16), (HEADS[2], KvType::Q8)]
            .into_iter()
            .map(|(heads, kv)| {
                (attend(heads, kv), 1031, [33, 1031].map(|n| (n, Visibility::Causal)).to_vec())
            })
            .collect(),
        Depth::Real => released_shapes()
            .map(|shape| {
                let longest = Cache::longest(rig, shape, 32_768);
                let mut tries = [1, 33, longest.min(4096), longest].map(|n| (n, Visibility::Causal)).to_vec();
                if [(28, 4), (32, 4)].contains(&(shape.n_heads, shape.n_kv_heads)) {
                    tries.extend(
                        [Visibility::Window(4096), Visibility::DualChunks(4096)].map(|v| (longest, v)),
                    );
                }
                (shape, longest, tries)
            })
            .collect(),
    }
}

/// The longest of small caches: seven blocks and a part of one.
const SMALL: usize = 7 * BLOCK + 5;

fn small_tries() -> Tries {
    let lengths = [1, 31, 33, BLOCK - 1, BLOCK, BLOCK + 1, 4 * BLOCK, SMALL];
    // a window within a page, across pages, and one that hides whole blocks; chunks that end within a page and on one
    let visibilities = [
        Visibility::Causal,
        Visibility::Window(1),
        Visibility::DualChunks(7),
        Visibility::Window(7),
        Visibility::DualChunks(20),
        Visibility::Window(33),
        Visibility::DualChunks(64),
        Visibility::Window(2 * BLOCK),
    ];
    let both = |(index, n_kv)| [visibilities[index], visibilities[(index + 5) % 8]].map(|v| (n_kv, v));
    lengths.into_iter().enumerate().flat_map(both).collect()
}

/// What the twins make of the query heads that read some key/value heads.
struct Wanted {
    shape: Attend,
    /// The first of the query heads.
    first_head: usize,
    /// `[n_heads][splits]`
    splits: Vec<Vec<Partial>>,
    /// The same with the magnitudes of the values.
    magnitudes: Vec<Vec<Partial>>,
    /// Of each head.
    sensitivities: Vec<f64>,
    /// The twin of prefill, which says the same another way; `[n_heads, head_dim]`.
    whole: Vec<f64>,
}

impl Wanted {
    fn new(case: &Case, cache: &Cache, q: &[f32], kv_heads: &Range<usize>) -> Self {
        let heads = query_heads(case.shape, kv_heads);
        let q = cut_heads(q, case.shape.n_heads, case.shape.head_dim, &heads);
        let (k, v) = cache.first(case.n_kv, kv_heads);
        let v_abs: Vec<f32> = v.iter().map(magnitude).collect();
        let shape = shape_of(case.shape, kv_heads);
        let max_splits = case.max_splits;
        thread::scope(|scope| {
            let splits = scope.spawn(|| cpu::attend_decode(&shape, &q, &k, &v, max_splits));
            let magnitudes = scope.spawn(|| cpu::attend_decode(&shape, &q, &k, &v_abs, max_splits));
            let whole = scope.spawn(|| cpu::attend_prefill(&shape, &q, &k, &v, case.n_kv - 1));
            Self {
                shape,
                first_head: heads.start,
                sensitivities: sensitivities(shape, &q, &k),
                splits: splits.join().expect("no panic"),
                magnitudes: magnitudes.join().expect("no panic"),
                whole: whole.join().expect("no panic"),
            }
        })
    }

    /// The worst error of the splits that the first kernel leaves behind.
    fn compare_splits(&self, what: &str, max_splits: usize, sums: &[f32], stats: &[f32]) -> f64 {
        let mut worst: f64 = 0.0;
        let head_dim = self.shape.head_dim;
        for (of_part, splits) in self.splits.iter().enumerate() {
            let (head, slack) = (self.first_head + of_part, self.sensitivities[of_part]);
            for (i, wanted) in splits.iter().enumerate() {
                let what = format!("head {head} split {i}, {what}");
                let at = head * max_splits + i;
                let report = Report::new(&stats[at * 2..][..2], &[wanted.max, wanted.mass], |i| {
                    slack * if i == 0 { 1.0 } else { wanted.mass }
                });
                worst = worst.max(report.expect(&format!("stats, {what}"), TOLERANCE));
                let report = Report::new(&sums[at * head_dim..][..head_dim], &wanted.sum, |d| {
                    slack * self.magnitudes[of_part][i].sum[d]
                });
                worst = worst.max(report.expect(&format!("sums, {what}"), TOLERANCE));
            }
        }
        worst
    }

    /// The worst error of the output.
    fn compare_merged(&self, what: &str, y: &[f32]) -> f64 {
        let head_dim = self.shape.head_dim;
        let merged = cpu::attend_merge(&self.splits);
        let differs = merged.iter().zip(&self.whole).any(|(a, b)| (a - b).abs() > 1e-12);
        assert!(!differs, "the twins of decode and prefill disagree, {what}");
        let magnitudes = cpu::attend_merge(&self.magnitudes);
        let found = &y[self.first_head * head_dim..][..merged.len()];
        let report = Report::new(found, &merged, |i| magnitudes[i] * self.sensitivities[i / head_dim]);
        report.expect(&format!("heads from {} on, {what}", self.first_head), TOLERANCE)
    }
}

/// What both kernels leave behind for the new tokens of some sequences.
struct Found {
    /// `[tokens, n_heads, max_splits, head_dim]`
    sums: Vec<f32>,
    /// `[tokens, n_heads, max_splits, 2]`
    stats: Vec<f32>,
    /// `[tokens, n_heads * head_dim]`
    y: Vec<f32>,
}

/// Runs both kernels on the new tokens of sequences with so many keys, which all begin with the same pages.
fn run(rig: &mut Rig, cache: &Cache, case: &Case, q: &[f32], n_kvs: &[usize]) -> Found {
    let Case { shape, max_splits, .. } = *case;
    let Attend { n_heads, head_dim, .. } = shape;
    let (width, n) = (n_heads * head_dim, n_kvs.len());
    let spans = n_kvs.iter().map(|n_kv| TestSpan::new(n_kv - 1, 1, &cache.table));
    let (step, mut step_shape) = TestStep::of(spans.collect()).upload(rig);
    // A grid for a longer sequence, as others of the step may ask for, must not disturb.
    let longest = n_kvs.iter().copied().max().unwrap_or(0) + BLOCK * case.blocks_beyond;
    step_shape.spans[0] = SpanShape { n_tokens: 1, n_kv: longest as u32 };
    let (partial, stats) = (
        rig.empty("partial", n * n_heads * max_splits * head_dim * 4),
        rig.empty("stats", n * n_heads * max_splits * 8),
    );
    let stride = align_row(width);
    let y = rig.upload("y", &vec![UNTOUCHED; n * stride]);
    let buffers = AttendBuffers {
        step: &step,
        q: &rig.upload("q", q),
        k_cache: &cache.k_cache,
        v_cache: &cache.v_cache,
        y: &y,
        partial: &partial,
        stats: &stats,
    };
    let launches = block_on(rig.kernels.attend_decode(&shape, &buffers, max_splits)).unwrap();
    rig.run(&launches, step_shape);
    let y: Vec<f32> = rig.read(&y);
    assert!(
        y.chunks_exact(stride).all(|row| row[width..].iter().all(|&y| y == UNTOUCHED)),
        "padding was written, {shape:?}"
    );
    Found { sums: rig.read(&partial), stats: rig.read(&stats), y: cut_rows(&y, width, stride) }
}

/// Tries a token alone; returns the worst error.
fn try_token(rig: &mut Rig, rng: &mut Rng, cache: &Cache, case: &Case) -> f64 {
    let Case { shape, n_kv, max_splits, .. } = *case;
    let what = format!("{shape:?}, {n_kv} keys in up to {max_splits} splits");
    let q = rng.floats(n_queries(shape) * shape.n_heads * shape.head_dim, case.query_size);
    let Found { sums, stats, y } = run(rig, cache, case, &q, &[n_kv]);
    let wanted = on_all_cores(case.heads.len(), |parts| {
        case.heads[parts].iter().map(|kv_heads| Wanted::new(case, cache, &q, kv_heads)).collect()
    });
    let errors = wanted.iter().map(|wanted| {
        wanted.compare_splits(&what, max_splits, &sums, &stats).max(wanted.compare_merged(&what, &y))
    });
    errors.fold(0.0, f64::max)
}

/// Tokens of sequences of different lengths in one step come out, bit for bit, as each does alone.
fn try_together(rig: &mut Rig, rng: &mut Rng, cache: &Cache, case: &Case, n_kvs: &[usize]) {
    let width = case.shape.n_heads * case.shape.head_dim;
    let row = n_queries(case.shape) * width;
    let q = rng.floats(n_kvs.len() * row, case.query_size);
    let together = run(rig, cache, case, &q, n_kvs).y;
    for (index, &n_kv) in n_kvs.iter().enumerate() {
        let alone = run(rig, cache, case, &q[index * row..][..row], &[n_kv]).y;
        let found = &together[index * width..][..width];
        assert_eq!(found, alone, "{n_kv} keys among {n_kvs:?}, {:?}", case.shape);
    }
}

/// Blocks all to themselves, and as many to a split as leave the last with another number; or what a device takes.
fn max_splits(rig: &Rig, depth: Depth, shape: Attend, longest: usize, index: usize) -> usize {
    match depth {
        Depth::Full | Depth::Slice if index.is_multiple_of(2) => longest.div_ceil(BLOCK) + 1,
        Depth::Full | Depth::Slice => 3,
        Depth::Quick | Depth::Real => {
            rig.kernels.tuning().decode_splits(shape.n_heads, shape.n_kv_heads, longest)
        }
    }
}

/// Keys of sequences that are tried together, two or five of them, in some of the cases.
fn together(depth: Depth, longest: usize, index: usize) -> Option<Vec<usize>> {
    match (depth, index % 4) {
        (Depth::Full | Depth::Slice, 0) => Some(vec![SMALL, 1]),
        (Depth::Full | Depth::Slice, 3) => Some(vec![33, SMALL, 1, BLOCK, 2 * BLOCK + 1]),
        (Depth::Quick, 1) => Some(vec![1, longest]),
        (Depth::Real, 3) => Some(vec![longest, 1, longest / 2, 33, longest / 3]),
        _ => None,
    }
}

pub(in crate::checks) fn decodes(rig: &mut Rig, depth: Depth) -> Outcome {
    let mut rng = Rng::new(6);
    let mut outcome = Outcome::default();
    for (shape, longest, tries) in layers(rig, depth) {
        let mut cache = None;
        for (index, (n_kv, visibility)) in tries.into_iter().enumerate() {
            let case = Case {
                shape: Attend { visibility, ..shape },
                n_kv,
                query_size: query_size(depth, index / 2 + index % 2, shape.head_dim),
                blocks_beyond: index / 2 % 2,
                max_splits: max_splits(rig, depth, shape, longest, index),
                heads: compared_heads(shape, depth),
            };
            outcome.case(rig, |rig| {
                let cache = cache.get_or_insert_with(|| Cache::random(rig, &mut rng, shape, longest));
                let worst = try_token(rig, &mut rng, cache, &case);
                if let Some(n_kvs) = together(depth, longest, index) {
                    try_together(rig, &mut rng, cache, &case, &n_kvs);
                }
                worst
            });
        }
    }
    outcome
}
