//! Rotation, cache writes and attention against their CPU twins, over pages in shuffled order.
//!
//! Errors of attention are relative to `sum p |v| * (1 + max_t sum |q k|)`: a score's rounding error scales with its
//! summands, and it moves every probability. Worst seen on llvmpipe: decode 9.4e-8,
//! prefill 1.6e-7, rotate_heads 3.2e-7 of the largest number of the head (f16 caches: one unit in the last place; 8-bit
//! caches: half a step).

use half::f16;
use qwill_gpu::Buffer;
use qwill_kernels::cpu::{self, k_unit, v_unit};
use qwill_kernels::{
    Attend, AttendBuffers, KvType, PAGE, RotaryRows, Rotate, RotateBuffers, StepShape, StepState, Visibility,
    align_row, decode_split,
};
use qwill_testkit::{Depth, Report, Rig, Rng, block_on, padded_rows, under_every_mask};

const TOLERANCE: f64 = 2e-6;
/// Fills what a kernel must leave alone, or must not use.
const UNTOUCHED: f32 = 777.0;

under_every_mask!(rotations);
under_every_mask!(decodes);
under_every_mask!(prefills);

const PLAIN: RotaryRows = RotaryRows { per_position: 1, first_query: 0, n_queries: 1 };
const SCALED_QUERIES: RotaryRows = RotaryRows { per_position: 2, first_query: 1, n_queries: 1 };
const DUAL_CHUNKS: RotaryRows = RotaryRows { per_position: 3, first_query: 0, n_queries: 3 };

fn step(position: usize, n_tokens: usize) -> (StepState, StepShape) {
    let state = StepState { position: position as u32, n_tokens: n_tokens as u32, ..Default::default() };
    (state, StepShape { n_tokens: n_tokens as u32, n_kv: (position + n_tokens) as u32, n_outputs: 1 })
}

/// A head's vector as words of the cache.
fn stored(kv: KvType, vector: &[f32]) -> Vec<u32> {
    let half = |x: f32| u32::from(f16::from_f32(x).to_bits());
    match kv {
        KvType::F32 => vector.iter().map(|x| x.to_bits()).collect(),
        KvType::F16 => vector.chunks_exact(2).map(|pair| half(pair[0]) | half(pair[1]) << 16).collect(),
        KvType::Q8 => cpu::encode_q8(vector),
    }
}

/// What these words stand for.
fn restored(kv: KvType, words: &[u32], head_dim: usize) -> Vec<f32> {
    let half = |bits: u32| f16::from_bits(bits as u16).to_f32();
    match kv {
        KvType::F32 => words.iter().map(|&word| f32::from_bits(word)).collect(),
        KvType::F16 => words.iter().flat_map(|&word| [half(word & 0xffff), half(word >> 16)]).collect(),
        KvType::Q8 => cpu::decode_q8(words, head_dim),
    }
}

/// Where words of the cache are: those of a key, or those of a value, in order.
#[derive(Clone, Copy)]
struct Places {
    kv: KvType,
    n_kv_heads: usize,
    head_dim: usize,
}

type UnitOf = fn(usize, usize, usize, usize, usize, usize) -> usize;

impl Places {
    fn of(self, unit_of: UnitOf, page: usize, slot: usize, head: usize) -> impl Iterator<Item = usize> {
        let n_units = self.kv.units(self.head_dim);
        let unit_words = self.kv.vector_bytes(self.head_dim) / 4 / n_units;
        (0..n_units).flat_map(move |unit| {
            let unit = unit_of(page, slot, head, unit, self.n_kv_heads, n_units);
            unit * unit_words..(unit + 1) * unit_words
        })
    }

    /// A cache that nothing was written to.
    fn untouched(self, n_pages: usize) -> Vec<u32> {
        let vectors = n_pages * PAGE * self.n_kv_heads;
        vec![UNTOUCHED.to_bits(); vectors * self.kv.vector_bytes(self.head_dim) / 4]
    }
}

/// Pages in random order, some of them not in use.
fn block_table(rng: &mut Rng, n_tokens: usize) -> (Vec<u32>, usize) {
    let n_pages = n_tokens.div_ceil(PAGE);
    let mut table = rng.shuffled(n_pages + 2);
    table.truncate(n_pages);
    (table, n_pages + 2)
}

/// Largest of the absolute values.
fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |max, value| max.max(value.abs()))
}

fn rotations(rig: &mut Rig, depth: Depth) {
    let mut rng = Rng::new(5);
    let mut worst: f64 = 0.0;
    let rotate = |n_heads, n_kv_heads, head_dim: usize, rotary_dim, kv| Rotate {
        n_heads,
        n_kv_heads,
        head_dim,
        rotary_dim,
        rows: PLAIN,
        scale: (head_dim as f32).powf(-0.5),
        eps: 1e-6,
        kv,
    };
    let mut shapes = vec![
        (rotate(6, 1, 24, 24, KvType::F32), true, 1.0),
        (rotate(7, 1, 64, 64, KvType::F16), false, 2.0),
        (Rotate { rows: DUAL_CHUNKS, ..rotate(4, 2, 32, 32, KvType::F32) }, true, 1.0),
        (Rotate { rows: SCALED_QUERIES, ..rotate(3, 3, 16, 16, KvType::F32) }, false, 1.0),
        (rotate(6, 2, 24, 24, KvType::Q8), true, 1.0),
        (rotate(4, 1, 80, 80, KvType::Q8), false, 3.0),
    ];
    if depth == Depth::Full {
        shapes.extend([
            (rotate(3, 3, 16, 8, KvType::F32), false, 1e3),
            (rotate(4, 2, 80, 40, KvType::F16), true, 1.0),
            (Rotate { rows: DUAL_CHUNKS, ..rotate(5, 1, 64, 24, KvType::F16) }, false, 1.0),
            (rotate(12, 2, 128, 128, KvType::F32), true, 1e-3),
            // keys and values beyond what f16 holds are cut, not infinite
            (rotate(2, 1, 256, 64, KvType::F16), false, 1e5),
            (rotate(2, 1, 256, 64, KvType::Q8), false, 1e5),
            (rotate(4, 2, 80, 40, KvType::Q8), true, 1e-3),
            (rotate(12, 2, 128, 128, KvType::Q8), true, 1.0),
            (Rotate { rows: DUAL_CHUNKS, ..rotate(5, 1, 64, 24, KvType::Q8) }, false, 1.0),
            (Rotate { rows: SCALED_QUERIES, ..rotate(3, 3, 8, 8, KvType::Q8) }, true, 1.0),
            // nothing to divide by, or hardly anything
            (rotate(2, 2, 40, 40, KvType::Q8), false, 0.0),
            (rotate(2, 2, 40, 40, KvType::Q8), false, 1e-33),
        ]);
    }
    for (shape, has_norm, size) in shapes {
        let Rotate { n_heads, n_kv_heads, head_dim, rotary_dim, kv, .. } = shape;
        let width = (n_heads + 2 * n_kv_heads) * head_dim;
        let norms = [rng.floats(head_dim, 2.0), rng.floats(head_dim, 2.0)];
        let norm_buffer = rig.upload("norms", &norms.concat());
        for (position, n_tokens) in [(0, 1), (31, 1), (32, 1), (33, 5), (30, 37)] {
            let what = format!("{shape:?} norm={has_norm} {n_tokens} tokens from {position}");
            let n_kv = position + n_tokens;
            let qkv = rng.floats(n_tokens * width, size);
            // the table starts somewhere before the step, and its rows need not be angles
            let rope_first = position - position.min(7);
            let row = shape.rows.per_position * rotary_dim;
            let rope = rng.floats((n_kv - rope_first) * row, 1.0);
            let (table, n_pages) = block_table(&mut rng, n_kv);
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
            worst = worst.max(report.expect(&format!("queries, {what}"), TOLERANCE));

            for (name, buffer, unit_of, wanted) in [
                ("keys", &k_cache, k_unit as UnitOf, wanted.k),
                ("values", &v_cache, v_unit as UnitOf, wanted.v),
            ] {
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
        }
    }
    println!("rotate_heads: worst error {worst:.2e} ({})", rig.caps());
}

/// A cache full of random tokens, on both sides.
struct Cache {
    shape: Attend,
    /// `[n_tokens, n_kv_heads, head_dim]`
    k: Vec<f32>,
    v: Vec<f32>,
    table: Buffer,
    k_cache: Buffer,
    v_cache: Buffer,
}

impl Cache {
    fn random(rig: &Rig, rng: &mut Rng, shape: Attend, n_tokens: usize) -> Self {
        let Attend { n_kv_heads, head_dim, kv, .. } = shape;
        let mut random = || -> Vec<f32> {
            let exact = rng.floats(n_tokens * n_kv_heads * head_dim, 2.0);
            exact.chunks_exact(head_dim).flat_map(|x| restored(kv, &stored(kv, x), head_dim)).collect()
        };
        let (k, v) = (random(), random());
        let (table, n_pages) = block_table(rng, n_tokens);
        let places = Places { kv, n_kv_heads, head_dim };
        let [k_cache, v_cache] =
            [(&k, k_unit as UnitOf), (&v, v_unit as UnitOf)].map(|(vectors, unit_of)| {
                let mut words = places.untouched(n_pages);
                for (index, vector) in vectors.chunks_exact(head_dim).enumerate() {
                    let (token, head) = (index / n_kv_heads, index % n_kv_heads);
                    let places = places.of(unit_of, table[token / PAGE] as usize, token % PAGE, head);
                    places.zip(stored(kv, vector)).for_each(|(at, word)| words[at] = word);
                }
                rig.upload("cache", &words)
            });
        Self { shape, k, v, table: rig.upload("block table", &table), k_cache, v_cache }
    }

    /// Keys and values of the first `n` tokens.
    fn first(&self, n: usize) -> (&[f32], &[f32]) {
        let n = n * self.shape.n_kv_heads * self.shape.head_dim;
        (&self.k[..n], &self.v[..n])
    }

    /// `1 + max_t sum |q k|` for each token and head of `q`, over all keys up to the last and all queries of the head.
    fn sensitivities(&self, shape: Attend, q: &[f32], n_kv: usize) -> Vec<f64> {
        let Attend { n_heads, n_kv_heads, head_dim, .. } = shape;
        let products = |(head, q): (usize, &[f32])| {
            let kv_head = head % n_heads / (n_heads / n_kv_heads);
            let of_key = |t: usize| -> f64 {
                let k = &self.k[(t * n_kv_heads + kv_head) * head_dim..];
                q.iter().zip(k).map(|(q, k)| f64::from((q * k).abs())).sum()
            };
            1.0 + (0..n_kv).map(of_key).fold(0.0, f64::max)
        };
        let each: Vec<f64> = q.chunks_exact(head_dim).enumerate().map(products).collect();
        each.chunks_exact(n_queries(shape) * n_heads)
            .flat_map(|token| {
                (0..n_heads).map(|head| token[head..].iter().step_by(n_heads).copied().fold(0.0, f64::max))
            })
            .collect()
    }
}

fn n_queries(shape: Attend) -> usize {
    if matches!(shape.visibility, Visibility::DualChunks(_)) { 3 } else { 1 }
}

/// What a value adds to the scale of errors: something even if it is 0, for the probabilities of others may underflow.
fn magnitude(value: &f32) -> f32 {
    value.abs().max(1e-6)
}

/// Factor on random queries: nothing but ties, an ordinary spread of scores, one key that takes all.
const QUERY_SIZES: [f32; 3] = [0.0, 1.0, 100.0];

fn attend_shapes(depth: Depth) -> Vec<Attend> {
    let attend = |n_heads, n_kv_heads, head_dim, kv| Attend {
        n_heads,
        n_kv_heads,
        head_dim,
        visibility: Visibility::Causal,
        kv,
    };
    let mut shapes =
        vec![attend(6, 1, 24, KvType::F32), attend(14, 2, 64, KvType::F16), attend(6, 2, 24, KvType::Q8)];
    if depth == Depth::Full {
        shapes.extend([
            attend(3, 3, 16, KvType::F16),
            attend(4, 2, 80, KvType::F32),
            attend(6, 1, 128, KvType::F16),
            attend(16, 1, 128, KvType::F32),
            attend(2, 1, 256, KvType::F16),
            attend(4, 2, 80, KvType::Q8),
            attend(5, 1, 128, KvType::Q8),
            attend(2, 1, 256, KvType::Q8),
        ]);
    }
    shapes
}

fn decodes(rig: &mut Rig, depth: Depth) {
    let mut rng = Rng::new(6);
    let mut worst: f64 = 0.0;
    for shape in attend_shapes(depth) {
        let Attend { n_heads, n_kv_heads, head_dim, .. } = shape;
        let split = decode_split(n_heads / n_kv_heads, head_dim).unwrap();
        let longest = 2 * split + 5;
        let cache = Cache::random(rig, &mut rng, shape, longest);
        let max_splits = longest.div_ceil(split) + 1;
        let width = n_heads * head_dim;
        let lengths = [1, 31, 32, 33, split - 1, split, split + 1, longest];
        // a window within a page, across pages, and one that hides whole splits; chunks that end within a page and on one
        let visibilities = [
            Visibility::Causal,
            Visibility::Window(1),
            Visibility::DualChunks(7),
            Visibility::Window(7),
            Visibility::DualChunks(20),
            Visibility::Window(33),
            Visibility::DualChunks(64),
            Visibility::Window(split),
        ];
        for (index, n_kv) in lengths.into_iter().enumerate() {
            for (at, visibility) in
                [visibilities[index], visibilities[(index + 5) % 8]].into_iter().enumerate()
            {
                let shape = Attend { visibility, ..shape };
                let what = format!("{shape:?}, {n_kv} keys");
                let size = QUERY_SIZES[(index + at) % 3];
                let q = rng.floats(n_queries(shape) * width, size * 2.0 * (head_dim as f32).powf(-0.5));
                let (state, step) = step(n_kv - 1, 1);
                // A grid for a longer sequence, as a recorded step may have, must not disturb.
                let step = StepShape { n_kv: step.n_kv + (split * (index % 2)) as u32, ..step };
                let (partial, stats) = (
                    rig.empty("partial", n_heads * max_splits * head_dim * 4),
                    rig.empty("stats", n_heads * max_splits * 8),
                );
                let y = rig.upload("y", &vec![UNTOUCHED; align_row(width)]);
                let buffers = AttendBuffers {
                    state: &rig.state(state),
                    q: &rig.upload("q", &q),
                    block_table: &cache.table,
                    k_cache: &cache.k_cache,
                    v_cache: &cache.v_cache,
                    y: &y,
                    partial: &partial,
                    stats: &stats,
                };
                let launches = block_on(rig.kernels.attend_decode(&shape, &buffers, max_splits)).unwrap();
                rig.run(&launches, step);

                let (k, v) = cache.first(n_kv);
                let v_abs: Vec<f32> = v.iter().map(magnitude).collect();
                let sensitivity = cache.sensitivities(shape, &q, n_kv);
                let wanted = cpu::attend_decode(&shape, &q, k, v, split);
                let magnitudes = cpu::attend_decode(&shape, &q, k, &v_abs, split);
                let (sums, stats): (Vec<f32>, Vec<f32>) = (rig.read(&partial), rig.read(&stats));
                for (head, splits) in wanted.iter().enumerate() {
                    for (i, wanted) in splits.iter().enumerate().filter(|(_, wanted)| wanted.mass > 0.0) {
                        let what = format!("head {head} split {i}, {what}");
                        let at = head * max_splits + i;
                        let slack = sensitivity[head];
                        let report = Report::new(&stats[at * 2..][..2], &[wanted.max, wanted.mass], |i| {
                            slack * if i == 0 { 1.0 } else { wanted.mass }
                        });
                        worst = worst.max(report.expect(&format!("stats, {what}"), TOLERANCE));
                        let report = Report::new(&sums[at * head_dim..][..head_dim], &wanted.sum, |d| {
                            slack * magnitudes[head][i].sum[d]
                        });
                        worst = worst.max(report.expect(&format!("sums, {what}"), TOLERANCE));
                    }
                }
                let merged = cpu::attend_merge(&wanted);
                let whole = cpu::attend_prefill(&shape, &q, k, v, n_kv - 1);
                let differs = merged.iter().zip(&whole).any(|(a, b)| (a - b).abs() > 1e-12);
                assert!(!differs, "the twins of decode and prefill disagree, {what}");
                let magnitudes = cpu::attend_merge(&magnitudes);
                let found: Vec<f32> = rig.read(&y);
                let report =
                    Report::new(&found[..width], &merged, |i| magnitudes[i] * sensitivity[i / head_dim]);
                worst = worst.max(report.expect(&what, TOLERANCE));
                assert!(found[width..].iter().all(|&y| y == UNTOUCHED), "padding was written, {what}");
            }
        }
    }
    println!("attend_decode, attend_merge: worst error {worst:.2e} ({})", rig.caps());
}

fn prefills(rig: &mut Rig, depth: Depth) {
    let mut rng = Rng::new(7);
    let mut worst: f64 = 0.0;
    for shape in attend_shapes(depth) {
        let Attend { n_heads, head_dim, .. } = shape;
        let cache = Cache::random(rig, &mut rng, shape, 130);
        let width = n_heads * head_dim;
        let chunks = [
            (0, 1, Visibility::Causal),
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
        for (index, (position, n_tokens, visibility)) in chunks.into_iter().enumerate() {
            let shape = Attend { visibility, ..shape };
            let what = format!("{shape:?}, {n_tokens} tokens from {position}");
            let size = QUERY_SIZES[(index + 1) % 3];
            let q =
                rng.floats(n_tokens * n_queries(shape) * width, size * 2.0 * (head_dim as f32).powf(-0.5));
            let stride = align_row(width);
            let y = rig.upload("y", &vec![UNTOUCHED; n_tokens * stride]);
            let (state, step) = step(position, n_tokens);
            let unused = rig.empty("decode only", 16);
            let buffers = AttendBuffers {
                state: &rig.state(state),
                q: &rig.upload("q", &q),
                block_table: &cache.table,
                k_cache: &cache.k_cache,
                v_cache: &cache.v_cache,
                y: &y,
                partial: &unused,
                stats: &unused,
            };
            let launch = block_on(rig.kernels.attend_prefill(&shape, &buffers)).unwrap();
            rig.run([&launch], step);

            let n_kv = position + n_tokens;
            let (k, v) = cache.first(n_kv);
            let v_abs: Vec<f32> = v.iter().map(magnitude).collect();
            let wanted = cpu::attend_prefill(&shape, &q, k, v, position);
            let magnitudes = cpu::attend_prefill(&shape, &q, k, &v_abs, position);
            let sensitivity = cache.sensitivities(shape, &q, n_kv);
            let found: Vec<f32> = rig.read(&y);
            assert!(
                found.chunks_exact(stride).all(|row| row[width..].iter().all(|&y| y == UNTOUCHED)),
                "padding was written, {what}"
            );
            let found: Vec<f32> = found.chunks_exact(stride).flat_map(|row| &row[..width]).copied().collect();
            let report = Report::new(&found, &wanted, |i| magnitudes[i] * sensitivity[i / head_dim]);
            worst = worst.max(report.expect(&what, TOLERANCE));
        }
    }
    println!("attend_prefill: worst error {worst:.2e} ({})", rig.caps());
}

#[test]
fn shapes_without_a_kernel_are_refused() {
    for (group, head_dim, split) in
        [(1, 64, Some(256)), (7, 64, Some(256)), (16, 128, Some(32)), (40, 128, None)]
    {
        assert_eq!(decode_split(group, head_dim).ok(), split, "{group} heads of {head_dim}");
    }
    let mut rig = Rig::open("");
    let state = rig.state(StepState::default());
    let buffers = AttendBuffers {
        state: &state,
        q: &state,
        block_table: &state,
        k_cache: &state,
        v_cache: &state,
        y: &state,
        partial: &state,
        stats: &state,
    };
    for head_dim in [4, 20, 264] {
        let shape =
            Attend { n_heads: 2, n_kv_heads: 1, head_dim, visibility: Visibility::Causal, kv: KvType::F32 };
        let error = block_on(rig.kernels.attend_prefill(&shape, &buffers)).err().expect("refused");
        assert!(error.to_string().contains(&format!("head_dim {head_dim}")), "{error}");
    }
}
