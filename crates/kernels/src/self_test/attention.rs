//! Attention over a cache of a few pages, and the rotation of queries.

use half::f16;
use qwill_gpu::{Buffer, Gpu};

use super::case::{PAGES, Scaled, run, step, upload, worst};
use super::{Rng, Worst, padded_rows};
use crate::{
    Attend, AttendBuffers, Error, Kernels, KvType, PAGE, Rotate, RotateBuffers, Visibility, align_row, cpu,
    prefill_rows,
};

/// Keys of the token that is decoded: more than a split has.
const N_KV: usize = 70;
/// A tile of prefill and some, across the end of a page.
const PREFILL: (usize, usize) = (20, 19);

/// Keys and values on both sides.
struct Cache {
    /// `[N_KV, n_kv_heads, head_dim]`
    k: Vec<f32>,
    v: Vec<f32>,
    k_cache: Buffer,
    v_cache: Buffer,
}

impl Cache {
    async fn new(gpu: &Gpu, rng: &mut Rng, shape: &Attend) -> Result<Self, Error> {
        let Attend { n_kv_heads, head_dim, kv, .. } = *shape;
        let mut vectors = || {
            let exact = rng.floats(N_KV * n_kv_heads * head_dim, 2.0);
            exact.chunks_exact(head_dim).flat_map(|x| restored(kv, &stored(kv, x), head_dim)).collect()
        };
        let (k, v): (Vec<f32>, Vec<f32>) = (vectors(), vectors());
        let words = |vectors: &[f32], unit_of: UnitOf| {
            let n_units = kv.units(head_dim);
            let unit_words = kv.vector_bytes(head_dim) / 4 / n_units;
            let n_pages = *PAGES.iter().max().unwrap_or(&0) as usize + 1;
            let mut words = vec![0u32; n_pages * PAGE * n_kv_heads * n_units * unit_words];
            for (index, vector) in vectors.chunks_exact(head_dim).enumerate() {
                let (token, head) = (index / n_kv_heads, index % n_kv_heads);
                for (unit, of_unit) in stored(kv, vector).chunks_exact(unit_words).enumerate() {
                    let page = PAGES[token / PAGE] as usize;
                    let at = unit_of(page, token % PAGE, head, unit, n_kv_heads, n_units) * unit_words;
                    words[at..at + unit_words].copy_from_slice(of_unit);
                }
            }
            words
        };
        let (keys, values) = (words(&k, cpu::k_unit), words(&v, cpu::v_unit));
        Ok(Self { k_cache: upload(gpu, &keys).await?, v_cache: upload(gpu, &values).await?, k, v })
    }

    /// Keys and values of the first tokens.
    fn first(&self, shape: &Attend, n_tokens: usize) -> (&[f32], &[f32]) {
        let n = n_tokens * shape.n_kv_heads * shape.head_dim;
        (&self.k[..n], &self.v[..n])
    }
}

/// [`cpu::k_unit`] or [`cpu::v_unit`].
type UnitOf = fn(usize, usize, usize, usize, usize, usize) -> usize;

/// A head's vector as words of the cache.
pub fn stored(kv: KvType, vector: &[f32]) -> Vec<u32> {
    let half = |x: f32| u32::from(f16::from_f32(x).to_bits());
    match kv {
        KvType::F32 => vector.iter().map(|x| x.to_bits()).collect(),
        KvType::F16 => vector.chunks_exact(2).map(|pair| half(pair[0]) | half(pair[1]) << 16).collect(),
        KvType::Q8 => cpu::encode_q8(vector),
    }
}

/// What these words stand for.
pub fn restored(kv: KvType, words: &[u32], head_dim: usize) -> Vec<f32> {
    let half = |bits: u32| f16::from_bits(bits as u16).to_f32();
    match kv {
        KvType::F32 => words.iter().map(|&word| f32::from_bits(word)).collect(),
        KvType::F16 => words.iter().flat_map(|&word| [half(word & 0xffff), half(word >> 16)]).collect(),
        KvType::Q8 => cpu::decode_q8(words, head_dim),
    }
}

/// The same kernel for two key/value heads and what is seen of a short text.
fn small(shape: &Attend) -> Attend {
    let visibility = match shape.visibility {
        Visibility::Window(_) => Visibility::Window(25),
        Visibility::DualChunks(_) => Visibility::DualChunks(17),
        other => other,
    };
    Attend { n_heads: 2 * shape.n_heads / shape.n_kv_heads, n_kv_heads: 2, visibility, ..*shape }
}

/// Rows of attention against what is wanted of them, of values of at most 2.
fn compare(found: &[f32], wanted: Vec<f64>, width: usize) -> f64 {
    let found = found.chunks_exact(align_row(width)).flat_map(|row| &row[..width]);
    let wanted: Vec<Scaled> = wanted.into_iter().map(|value| Scaled { value, scale: 2.0 }).collect();
    worst(found.copied(), &wanted)
}

pub(crate) async fn attend_decode(kernels: &mut Kernels, shape: &Attend) -> Worst {
    let gpu = kernels.gpu.clone();
    let shape = small(shape);
    let mut rng = Rng::new(1);
    let cache = Cache::new(&gpu, &mut rng, &shape).await?;
    let width = shape.n_heads * shape.head_dim;
    let q = rng.floats(shape.visibility.n_queries() * width, (shape.head_dim as f32).powf(-0.5));
    let (step, step_shape) = step(&gpu, N_KV - 1, 1, prefill_rows(shape.head_dim), &[]).await?;
    let max_splits = 2;
    let zeros = |n| vec![0f32; n];
    let y = upload(&gpu, &zeros(align_row(width))).await?;
    let buffers = AttendBuffers {
        step: &step,
        q: &upload(&gpu, &q).await?,
        k_cache: &cache.k_cache,
        v_cache: &cache.v_cache,
        y: &y,
        partial: &upload(&gpu, &zeros(max_splits * width)).await?,
        stats: &upload(&gpu, &zeros(max_splits * shape.n_heads * 2)).await?,
    };
    let launches = kernels.bind_attend_decode(&shape, &buffers, max_splits).await?;
    let found = run::<f32>(&gpu, &launches, &step_shape, &y).await?;
    let wanted = cpu::attend_merge(&cpu::attend_decode(&shape, &q, &cache.k, &cache.v, max_splits));
    Ok(compare(&found, wanted, width))
}

pub(crate) async fn attend_prefill(kernels: &mut Kernels, shape: &Attend) -> Worst {
    let gpu = kernels.gpu.clone();
    let shape = small(shape);
    let mut rng = Rng::new(1);
    let cache = Cache::new(&gpu, &mut rng, &shape).await?;
    let width = shape.n_heads * shape.head_dim;
    let (position, n_tokens) = match shape.visibility {
        // whole texts only
        Visibility::Bidirectional => (0, PREFILL.0 + PREFILL.1),
        _ => PREFILL,
    };
    let q = rng.floats(n_tokens * shape.visibility.n_queries() * width, (shape.head_dim as f32).powf(-0.5));
    let (step, step_shape) = step(&gpu, position, n_tokens, prefill_rows(shape.head_dim), &[]).await?;
    let y = upload(&gpu, &vec![0f32; n_tokens * align_row(width)]).await?;
    let unused = upload(&gpu, &[0f32; 4]).await?;
    let buffers = AttendBuffers {
        step: &step,
        q: &upload(&gpu, &q).await?,
        k_cache: &cache.k_cache,
        v_cache: &cache.v_cache,
        y: &y,
        partial: &unused,
        stats: &unused,
    };
    let launch = kernels.bind_attend_prefill(&shape, &buffers).await?;
    let found = run::<f32>(&gpu, &[launch], &step_shape, &y).await?;
    let (k, v) = cache.first(&shape, position + n_tokens);
    let wanted = cpu::attend_prefill(&shape, &q, k, v, position);
    Ok(compare(&found, wanted, width))
}

/// Compares the queries only: what goes to the cache is rounded, and attention is tried by itself.
pub(crate) async fn rotate_heads(kernels: &mut Kernels, shape: &Rotate, has_norm: bool) -> Worst {
    let gpu = kernels.gpu.clone();
    let shape = Rotate { n_heads: 3, n_kv_heads: 1, ..*shape };
    let mut rng = Rng::new(1);
    let n_tokens = 3;
    let n_all = (shape.n_heads + 2 * shape.n_kv_heads) * shape.head_dim;
    let qkv = rng.floats(n_tokens * n_all, 2.0);
    let norms = rng.floats(2 * shape.head_dim, 2.0);
    let angles = rng.floats(n_tokens * shape.rows.per_position * shape.rotary_dim, 1.0);
    let (step, step_shape) = step(&gpu, 30, n_tokens, 16, &angles).await?;
    let width = shape.rows.n_queries * shape.n_heads * shape.head_dim;
    let q = upload(&gpu, &vec![0f32; n_tokens * width]).await?;
    let cache_words = 4 * PAGE * shape.kv.vector_bytes(shape.head_dim) / 4;
    let (k_cache, v_cache) =
        (upload(&gpu, &vec![0u32; cache_words]).await?, upload(&gpu, &vec![0u32; cache_words]).await?);
    let qk_norm = if has_norm { Some(upload(&gpu, &norms).await?) } else { None };
    let buffers = RotateBuffers {
        step: &step,
        qkv: &upload(&gpu, &padded_rows(&qkv, n_all)).await?,
        q: &q,
        k_cache: &k_cache,
        v_cache: &v_cache,
        qk_norm: qk_norm.as_ref(),
    };
    let launch = kernels.bind_rotate_heads(&shape, &buffers).await?;
    let found = run::<f32>(&gpu, &[launch], &step_shape, &q).await?;
    let halves = has_norm.then(|| norms.split_at(shape.head_dim));
    let wanted = cpu::rotate_heads(&shape, &qkv, &angles, halves);
    let scale = 4.0 * f64::from(shape.scale);
    let wanted: Vec<Scaled> = wanted.q.into_iter().map(|value| Scaled { value, scale }).collect();
    Ok(worst(found, &wanted))
}
