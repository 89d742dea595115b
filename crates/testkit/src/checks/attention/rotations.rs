//! `rotate_heads`: QK-norm, rotary embedding and the cache write.

use qwill_kernels::cpu::{self, k_unit, v_unit};
use qwill_kernels::{KvType, PAGE, RotaryRows, Rotate, RotateBuffers, StepState};

use super::places::{Places, UnitOf, restored};
use super::{HEADS, TOLERANCE, UNTOUCHED, step};
use crate::checks::Outcome;
use crate::{Depth, Report, Rig, Rng, block_on, padded_rows};

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

/// Runs `rotate_heads` on a step; returns the worst error of queries, and of keys and values that are stored exactly.
fn try_step(rig: &mut Rig, rng: &mut Rng, case: &Case, position: usize, n_tokens: usize) -> f64 {
    let Case { shape, has_norm, size, .. } = *case;
    let Rotate { n_heads, n_kv_heads, head_dim, rotary_dim, kv, .. } = shape;
    let what = format!("{shape:?} norm={has_norm} size={size} {n_tokens} tokens from {position}");
    let width = (n_heads + 2 * n_kv_heads) * head_dim;
    let norms = [rng.floats(head_dim, 2.0), rng.floats(head_dim, 2.0)];
    let norm_buffer = rig.upload("norms", &norms.concat());
    let n_kv = position + n_tokens;
    let qkv = rng.floats(n_tokens * width, size);
    // the table starts somewhere before the step, and its rows need not be angles
    let rope_first = position - position.min(7);
    let row = shape.rows.per_position * rotary_dim;
    let rope = rng.floats((n_kv - rope_first) * row, 1.0);
    let (table, n_pages) = block_table(rng, position, n_kv);
    let places = Places { kv, n_kv_heads, head_dim };
    let cache = places.untouched(n_pages);
    let (k_cache, v_cache) = (rig.upload("keys", &cache), rig.upload("values", &cache));
    let q_buffer = rig.empty("q", n_tokens * shape.rows.n_queries * n_heads * head_dim * 4);
    let (state, step) = step(position, n_tokens);
    let state = StepState { rope_first: rope_first as u32, ..state };
    let buffers = RotateBuffers {
        state: &rig.state(state),
        qkv: &rig.upload("qkv", &padded_rows(&qkv, width)),
        rope: &rig.upload("rope", &rope),
        block_table: &rig.upload("block table", &table),
        q: &q_buffer,
        k_cache: &k_cache,
        v_cache: &v_cache,
        qk_norm: has_norm.then_some(&norm_buffer),
    };
    let launch = block_on(rig.kernels.rotate_heads(&shape, &buffers)).unwrap();
    rig.run([&launch], step);

    let of_step = &rope[(position - rope_first) * row..];
    let wanted = cpu::rotate_heads(&shape, &qkv, of_step, has_norm.then_some((&norms[0], &norms[1])));
    let head_scale = |all: &[f64], i: usize| largest(&all[i / head_dim * head_dim..][..head_dim]);
    let report = Report::new(&rig.read(&q_buffer), &wanted.q, |i| head_scale(&wanted.q, i));
    let mut worst = report.expect(&format!("queries, {what}"), TOLERANCE);

    for (name, buffer, unit_of, wanted) in
        [("keys", &k_cache, k_unit as UnitOf, wanted.k), ("values", &v_cache, v_unit as UnitOf, wanted.v)]
    {
        let mut words: Vec<u32> = rig.read(buffer);
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
    }
    outcome
}
