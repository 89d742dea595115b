//! `rotate_heads`: QK-norm, rotary embedding and the cache write.

use qwill_kernels::cpu::{self, k_unit, v_unit};
use qwill_kernels::self_test::restored;
use qwill_kernels::{KvType, PAGE, RotaryRows, Rotate, RotateBuffers};

use super::places::{Places, UnitOf};
use super::{HEADS, TOLERANCE, UNTOUCHED};
use crate::checks::Outcome;
use crate::{Depth, Report, Rig, Rng, TestSpan, TestStep, block_on, padded_rows};

const PLAIN: RotaryRows = RotaryRows { per_position: 1, first_query: 0, n_queries: 1 };
const SCALED_QUERIES: RotaryRows = RotaryRows { per_position: 2, first_query: 1, n_queries: 1 };
const DUAL_CHUNKS: RotaryRows = RotaryRows { per_position: 3, first_query: 0, n_queries: 3 };

/// A layer's rotation and the steps that it is tried in.
struct Case {
    shape: Rotate,
    has_norm: bool,
    /// Of the projected rows.
    size: f32,
    /// (position, tokens)
    steps: &'static [(usize, usize)],
}

fn rotate((n_heads, n_kv_heads, head_dim): (usize, usize, usize), rotary_dim: usize, kv: KvType) -> Rotate {
    let scale = (head_dim as f32).powf(-0.5);
    Rotate { n_heads, n_kv_heads, head_dim, rotary_dim, rows: PLAIN, scale, eps: 1e-6, kv }
}

fn small_cases(depth: Depth) -> Vec<Case> {
    let dual_chunks = |shape| Rotate { rows: DUAL_CHUNKS, ..shape };
    let scaled_queries = |shape| Rotate { rows: SCALED_QUERIES, ..shape };
    let mut cases = vec![
        (rotate((6, 1, 24), 24, KvType::F32), true, 1.0),
        (rotate((7, 1, 64), 64, KvType::F16), false, 2.0),
        (dual_chunks(rotate((4, 2, 32), 32, KvType::F32)), true, 1.0),
        (scaled_queries(rotate((3, 3, 16), 16, KvType::F32)), false, 1.0),
        (rotate((6, 2, 24), 24, KvType::Q8), true, 1.0),
        (rotate((4, 1, 80), 80, KvType::Q8), false, 3.0),
    ];
    if depth == Depth::Full {
        cases.extend([
            (rotate((3, 3, 16), 8, KvType::F32), false, 1e3),
            (rotate((4, 2, 80), 40, KvType::F16), true, 1.0),
            (dual_chunks(rotate((5, 1, 64), 24, KvType::F16)), false, 1.0),
            (rotate((12, 2, 128), 128, KvType::F32), true, 1e-3),
            // keys and values beyond what f16 holds are cut, not infinite
            (rotate((2, 1, 256), 64, KvType::F16), false, 1e5),
            (rotate((2, 1, 256), 64, KvType::Q8), false, 1e5),
            (rotate((4, 2, 80), 40, KvType::Q8), true, 1e-3),
            (rotate((12, 2, 128), 128, KvType::Q8), true, 1.0),
            (dual_chunks(rotate((5, 1, 64), 24, KvType::Q8)), false, 1.0),
            (scaled_queries(rotate((3, 3, 8), 8, KvType::Q8)), true, 1.0),
            // nothing to divide by, or hardly anything
            (rotate((2, 2, 40), 40, KvType::Q8), false, 0.0),
            (rotate((2, 2, 40), 40, KvType::Q8), false, 1e-33),
        ]);
    }
    let steps = &[(0, 1), (31, 1), (32, 1), (33, 5), (30, 37)];
    cases.into_iter().map(|(shape, has_norm, size)| Case { shape, has_norm, size, steps }).collect()
}

fn cases(depth: Depth) -> Vec<Case> {
    let released = |heads: (usize, usize, usize), kv, steps| {
        // Qwen3 has the norm; its models are those with heads of 128 and fewer key/value heads
        let has_norm = heads.2 == 128 && heads.1 < heads.0;
        Case { shape: rotate(heads, heads.2, kv), has_norm, size: 2.0, steps }
    };
    match depth {
        Depth::Full | Depth::Slice => small_cases(depth),
        Depth::Quick => vec![
            released(HEADS[0], KvType::F16, &[(4095, 1), (4096, 33)]),
            released(HEADS[2], KvType::Q8, &[(32_767, 1)]),
        ],
        Depth::Real => {
            let mut cases = Vec::new();
            for (kv, steps) in [
                (KvType::F16, &[(0, 1), (4095, 1), (4096, 512)][..]),
                (KvType::Q8, &[(0, 1), (4090, 37), (32_767, 1)]),
                (KvType::F32, &[(0, 1), (4090, 37), (32_767, 1)]),
            ] {
                for heads in HEADS {
                    cases.push(released(heads, kv, steps));
                    // models for a million tokens, and the first release
                    if [(28, 4, 128), (40, 8, 128), (32, 4, 128)].contains(&heads) {
                        let shape = rotate(heads, heads.2, kv);
                        let shape = Rotate { rows: DUAL_CHUNKS, ..shape };
                        cases.push(Case { shape, ..released(heads, kv, steps) });
                    } else if [(16, 16, 128), (32, 32, 128), (40, 40, 128)].contains(&heads) {
                        let shape = rotate(heads, heads.2, kv);
                        let shape = Rotate { rows: SCALED_QUERIES, ..shape };
                        cases.push(Case { shape, ..released(heads, kv, steps) });
                    }
                }
            }
            cases
        }
    }
}

/// Pages of a step in random order, and how many there are: those that it writes to, two more, and some that earlier
/// pages share because it must leave them alone.
fn block_table(rng: &mut Rng, position: usize, n_kv: usize) -> (Vec<u32>, usize) {
    let (n_earlier, n_logical) = (position / PAGE, n_kv.div_ceil(PAGE));
    let n_shared = n_earlier.min(3);
    let n_pages = n_shared + n_logical - n_earlier + 2;
    let pages = rng.shuffled(n_pages);
    let place = |page| if page < n_earlier { page % 3 } else { n_shared + page - n_earlier };
    ((0..n_logical).map(|page| pages[place(page)]).collect(), n_pages)
}

/// Largest of the absolute values.
fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |max, value| max.max(value.abs()))
}

/// What `rotate_heads` leaves behind.
struct Found {
    /// `[n_tokens, n_queries, n_heads, head_dim]`
    q: Vec<f32>,
    /// Words of all pages.
    k: Vec<u32>,
    v: Vec<u32>,
}

/// The weights of a layer's norms, of queries and of keys.
type Norms = [Vec<f32>; 2];

/// Runs `rotate_heads` on a step of some sequences, into caches of `n_pages` untouched pages.
fn run(rig: &mut Rig, case: &Case, norms: &Norms, qkv: &[f32], spans: &[TestSpan], n_pages: usize) -> Found {
    let Rotate { n_heads, n_kv_heads, head_dim, kv, .. } = case.shape;
    let width = (n_heads + 2 * n_kv_heads) * head_dim;
    let cache = Places { kv, n_kv_heads, head_dim }.untouched(n_pages);
    let (k_cache, v_cache) = (rig.upload("keys", &cache), rig.upload("values", &cache));
    let (step, step_shape) = TestStep::of(spans.to_vec()).upload(rig);
    let n_tokens = step_shape.n_tokens as usize;
    let q = rig.empty("q", n_tokens * case.shape.rows.n_queries * n_heads * head_dim * 4);
    let norms = rig.upload("norms", &norms.concat());
    let buffers = RotateBuffers {
        step: &step,
        qkv: &rig.upload("qkv", &padded_rows(qkv, width)),
        q: &q,
        k_cache: &k_cache,
        v_cache: &v_cache,
        qk_norm: case.has_norm.then_some(&norms),
    };
    let launch = block_on(rig.kernels.rotate_heads(&case.shape, &buffers)).unwrap();
    rig.run([&launch], step_shape);
    Found { q: rig.read(&q), k: rig.read(&k_cache), v: rig.read(&v_cache) }
}

/// Sequences in one step come out, bit for bit, as each does alone, and write no page of each other.
fn try_together(rig: &mut Rig, rng: &mut Rng, case: &Case, steps: &[(usize, usize)]) {
    let Rotate { n_heads, n_kv_heads, head_dim, rotary_dim, kv, .. } = case.shape;
    let width = (n_heads + 2 * n_kv_heads) * head_dim;
    let page_words = Places { kv, n_kv_heads, head_dim }.page_words();
    let norms = [rng.floats(head_dim, 2.0), rng.floats(head_dim, 2.0)];
    let n_pages: usize = steps.iter().map(|(position, n)| (position + n).div_ceil(PAGE)).sum();
    let mut free = rng.shuffled(n_pages);
    let mut span = |&(position, n): &(usize, usize)| {
        let pages = free.split_off(free.len() - (position + n).div_ceil(PAGE));
        let angles = rng.floats(n * case.shape.rows.per_position * rotary_dim, 1.0);
        TestSpan { angles, ..TestSpan::new(position, n, &pages) }
    };
    let spans: Vec<TestSpan> = steps.iter().map(&mut span).collect();
    let qkv = rng.floats(steps.iter().map(|(_, n)| n).sum::<usize>() * width, case.size);
    let together = run(rig, case, &norms, &qkv, &spans, n_pages);
    let mut first = 0;
    for span in &spans {
        let tokens = first..first + span.tokens.len();
        first = tokens.end;
        let of_span = &qkv[tokens.start * width..tokens.end * width];
        let alone = run(rig, case, &norms, of_span, std::slice::from_ref(span), n_pages);
        let row = case.shape.rows.n_queries * n_heads * head_dim;
        let what =
            format!("{} tokens from {} of {steps:?}, {:?}", span.tokens.len(), span.position, case.shape);
        assert!(together.q[tokens.start * row..tokens.end * row] == alone.q, "queries, {what}");
        for &page in &span.pages {
            let words = page as usize * page_words..(page as usize + 1) * page_words;
            assert!(together.k[words.clone()] == alone.k[words.clone()], "keys, {what}");
            assert!(together.v[words.clone()] == alone.v[words], "values, {what}");
        }
    }
}

/// Runs `rotate_heads` on a step; returns the worst error of queries, and of keys and values that are stored exactly.
fn try_step(rig: &mut Rig, rng: &mut Rng, case: &Case, position: usize, n_tokens: usize) -> f64 {
    let Case { shape, has_norm, size, .. } = *case;
    let Rotate { n_heads, n_kv_heads, head_dim, rotary_dim, kv, .. } = shape;
    let what = format!("{shape:?} norm={has_norm} size={size} {n_tokens} tokens from {position}");
    let norms = [rng.floats(head_dim, 2.0), rng.floats(head_dim, 2.0)];
    let n_kv = position + n_tokens;
    let qkv = rng.floats(n_tokens * (n_heads + 2 * n_kv_heads) * head_dim, size);
    // they need not be angles
    let angles = rng.floats(n_tokens * shape.rows.per_position * rotary_dim, 1.0);
    let (table, n_pages) = block_table(rng, position, n_kv);
    let span = TestSpan { angles: angles.clone(), ..TestSpan::new(position, n_tokens, &table) };
    let found = run(rig, case, &norms, &qkv, &[span], n_pages);
    let places = Places { kv, n_kv_heads, head_dim };
    let cache = places.untouched(n_pages);
    let wanted = cpu::rotate_heads(&shape, &qkv, &angles, has_norm.then_some((&norms[0], &norms[1])));
    let head_scale = |all: &[f64], i: usize| largest(&all[i / head_dim * head_dim..][..head_dim]);
    let report = Report::new(&found.q, &wanted.q, |i| head_scale(&wanted.q, i));
    let mut worst = report.expect(&format!("queries, {what}"), TOLERANCE);

    for (name, mut words, unit_of, wanted) in
        [("keys", found.k, k_unit as UnitOf, wanted.k), ("values", found.v, v_unit as UnitOf, wanted.v)]
    {
        let mut found = Vec::new();
        for token in position..n_kv {
            for head in 0..n_kv_heads {
                let places = places.of(unit_of, table[token / PAGE] as usize, token % PAGE, head);
                let vector: Vec<u32> =
                    places.map(|at| std::mem::replace(&mut words[at], UNTOUCHED.to_bits())).collect();
                found.extend(restored(kv, &vector, head_dim));
            }
        }
        assert!(words == cache, "{name} changed beside the new tokens, {what}");
        let limit = if kv == KvType::F16 { 65504.0 } else { f64::MAX };
        let wanted: Vec<f64> = wanted.iter().map(|w| w.clamp(-limit, limit)).collect();
        let report = Report::new(&found, &wanted, |i| match kv {
            KvType::F32 => head_scale(&wanted, i),
            // one unit in the last place, since WGSL leaves the rounding open, or a flushed subnormal
            KvType::F16 => (wanted[i].abs() * 2f64.powi(-10) + 6.2e-5) / TOLERANCE,
            KvType::Q8 => {
                let head = &wanted[i / head_dim * head_dim..][..head_dim];
                let top = largest(head.chunks(32).nth(i % head_dim / 32).unwrap());
                // the largest of a group is exact, the others are within half a step
                let rounding = if wanted[i].abs() == top { 0.0 } else { 0.5 / 127.0 * top };
                head_scale(&wanted, i) + (rounding + 1e-30) / TOLERANCE
            }
        });
        let error = report.expect(&format!("{name}, {what}"), TOLERANCE);
        worst = worst.max(if kv == KvType::F32 { error } else { 0.0 });
    }
    worst
}

pub(in crate::checks) fn rotations(rig: &mut Rig, depth: Depth) -> Outcome {
    let mut rng = Rng::new(5);
    let mut outcome = Outcome::default();
    for case in cases(depth) {
        for &(position, n_tokens) in case.steps {
            outcome.case(rig, |rig| try_step(rig, &mut rng, &case, position, n_tokens));
        }
        for steps in [&[(32, 1), (30, 37)][..], &[(0, 1), (63, 1), (0, 2), (40, 33), (7, 3)]] {
            outcome.case(rig, |rig| {
                try_together(rig, &mut rng, &case, steps);
                0.0
            });
        }
    }
    outcome
}
