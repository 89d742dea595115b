//! Decode attention over long contexts.

use half::f16;
use qwill_gpu::Buffer;
use qwill_kernels::{
    Attend, AttendBuffers, Error, KvType, Launch, PAGE, StepShape, Visibility, align_row, cpu,
};
use qwill_testkit::{Report, Rig, Rng, TestSpan, TestStep, block_on};

use super::gemm::abs;
use super::site::Site;
use crate::job::Size;

/// Tokens that no split parts.
const BLOCK: usize = 64;
/// Pages of the cache that differ; the others repeat them.
const N_DISTINCT: usize = 61;

/// The attention of a decode step.
pub(super) struct Decode {
    place: &'static str,
    shape: Attend,
    n_kv: usize,
    bound: Option<Bound>,
}

/// What is on the device, and the keys and values of the first key head, which are what is compared.
struct Bound {
    q: Vec<f32>,
    k: Vec<f32>,
    v: Vec<f32>,
    step: Buffer,
    q_buffer: Buffer,
    k_cache: Buffer,
    v_cache: Buffer,
    y: Buffer,
    partial: Buffer,
    stats: Buffer,
}

/// The heads of 0.6B, 8B and Qwen2.5-7B at two depths.
pub(super) fn sites(size: Size) -> Vec<Decode> {
    let places = [("0.6b", 16, 8), ("8b", 32, 8), ("qwen2.5-7b", 28, 4)];
    let depths: &[usize] = if size == Size::Full { &[4096, 32_768] } else { &[100] };
    let site = |n_kv, (place, n_heads, n_kv_heads)| {
        let (head_dim, visibility, kv) = (128, Visibility::Causal, KvType::F16);
        let shape = Attend { n_heads, n_kv_heads, head_dim, visibility, kv };
        Decode { place, shape, n_kv, bound: None }
    };
    depths.iter().flat_map(|&n_kv| places.map(|place| site(n_kv, place))).collect()
}

impl Decode {
    fn upload(&self, rig: &Rig) -> Bound {
        let Attend { n_heads, n_kv_heads, head_dim, .. } = self.shape;
        let mut rng = Rng::new(3);
        let n_pages = self.n_kv.div_ceil(PAGE);
        let mut page = || -> Vec<f16> {
            rng.floats(n_kv_heads * PAGE * head_dim, 1.0).into_iter().map(f16::from_f32).collect()
        };
        let distinct: Vec<[Vec<f16>; 2]> = (0..N_DISTINCT.min(n_pages)).map(|_| [page(), page()]).collect();
        let cache = |which: usize| {
            let words: Vec<u32> = (0..n_pages)
                .flat_map(|page| distinct[page % distinct.len()][which].chunks_exact(2))
                .map(|pair| u32::from(pair[0].to_bits()) | u32::from(pair[1].to_bits()) << 16)
                .collect();
            rig.upload("cache", &words)
        };
        // of the first key head, as `k_unit` and `v_unit` lay them
        let vectors = |which: usize, at: fn(usize, usize, usize) -> usize| -> Vec<f32> {
            let element = |token: usize, d: usize| {
                let page = &distinct[token / PAGE % distinct.len()][which];
                page[at(token % PAGE, d, head_dim)].to_f32()
            };
            (0..self.n_kv).flat_map(|token| (0..head_dim).map(move |d| element(token, d))).collect()
        };
        let k = vectors(0, |slot, d, _| (d / 4 * PAGE + slot) * 4 + d % 4);
        let v = vectors(1, |slot, d, head_dim| slot * head_dim + d);
        let q = rng.floats(n_heads * head_dim, 2.0 * (head_dim as f32).powf(-0.5));
        let max_splits = self.n_kv.div_ceil(BLOCK);
        let pages: Vec<u32> = (0..n_pages as u32).collect();
        Bound {
            step: TestStep::of(vec![TestSpan::new(self.n_kv - 1, 1, &pages)]).upload(rig).0,
            q_buffer: rig.upload("q", &q),
            k_cache: cache(0),
            v_cache: cache(1),
            y: rig.empty("y", align_row(n_heads * head_dim) * 4),
            partial: rig.empty("partial", n_heads * max_splits * head_dim * 4),
            stats: rig.empty("stats", n_heads * max_splits * 8),
            q,
            k,
            v,
        }
    }
}

impl Site<usize> for Decode {
    fn name(&self) -> String {
        let Attend { n_heads, n_kv_heads, head_dim, .. } = self.shape;
        format!("{} {n_heads} of {n_kv_heads} heads of {head_dim} at {}", self.place, self.n_kv)
    }

    fn as_taken(&self, candidate: usize) -> usize {
        candidate
    }

    fn bind(&mut self, rig: &mut Rig) -> Result<Vec<Launch>, Error> {
        let bound = self.bound.take().unwrap_or_else(|| self.upload(rig));
        let bound = self.bound.insert(bound);
        let buffers = AttendBuffers {
            step: &bound.step,
            q: &bound.q_buffer,
            k_cache: &bound.k_cache,
            v_cache: &bound.v_cache,
            y: &bound.y,
            partial: &bound.partial,
            stats: &bound.stats,
        };
        let Attend { n_heads, n_kv_heads, .. } = self.shape;
        let max_splits = rig.kernels.tuning().decode_splits(n_heads, n_kv_heads, self.n_kv);
        Ok(block_on(rig.kernels.attend_decode(&self.shape, &buffers, max_splits))?.into())
    }

    fn step(&self) -> StepShape {
        StepShape::of_one(1, self.n_kv as u32, 1, 16)
    }

    fn cost(&self) -> (f64, f64) {
        let Attend { n_heads, n_kv_heads, head_dim, kv, .. } = self.shape;
        let bytes = 2 * self.n_kv * n_kv_heads * kv.vector_bytes(head_dim);
        (bytes as f64, (4 * self.n_kv * n_heads * head_dim) as f64)
    }

    fn worst_error(&self, rig: &Rig) -> f64 {
        let Some(Bound { q, k, v, y, .. }) = &self.bound else { return f64::NAN };
        let Attend { n_heads, n_kv_heads, head_dim, .. } = self.shape;
        let group = n_heads / n_kv_heads;
        let first = Attend { n_heads: group, n_kv_heads: 1, ..self.shape };
        let q = &q[..group * head_dim];
        let twin = |v: &[f32]| cpu::attend_merge(&cpu::attend_decode(&first, q, k, v, 1));
        let (wanted, magnitudes) = (twin(v), twin(&abs(v)));
        // a score's rounding error scales with its summands, and moves every probability
        let products = |head: usize| {
            let of_key = |k: &[f32]| -> f64 {
                let q = &q[head * head_dim..][..head_dim];
                q.iter().zip(k).map(|(q, k)| f64::from((q * k).abs())).sum()
            };
            1.0 + k.chunks_exact(head_dim).map(of_key).fold(0.0, f64::max)
        };
        let sensitivity: Vec<f64> = (0..group).map(products).collect();
        let found: Vec<f32> = rig.read(y);
        Report::new(&found[..group * head_dim], &wanted, |i| magnitudes[i] * sensitivity[i / head_dim]).worst
    }
}
