//! Rotation, cache writes and attention against their CPU twins, over pages in shuffled order.
//!
//! Errors of attention are relative to `sum p |v| * (1 + max_t sum |q k|)`: a score's rounding error scales with its
//! summands, and it moves every probability. Worst seen on llvmpipe: decode 9.4e-8,
//! prefill 1.6e-7, rotate_heads 3.2e-7 of the largest number of the head (f16 caches: one unit in the last place; 8-bit
//! caches: half a step).

mod cache;
mod decodes;
mod heads;
mod places;
mod prefills;
mod rotations;

pub(super) use decodes::decodes;
pub(super) use prefills::prefills;
pub(super) use rotations::rotations;

use qwill_kernels::{Attend, KvType, Visibility};

use super::released::HEADS;
use super::rows::TOLERANCE;
use crate::Depth;

/// Fills what a kernel must leave alone, or must not use.
const UNTOUCHED: f32 = 777.0;

fn attend((n_heads, n_kv_heads, head_dim): (usize, usize, usize), kv: KvType) -> Attend {
    Attend { n_heads, n_kv_heads, head_dim, visibility: Visibility::Causal, kv }
}

/// Small and odd heads.
fn small_shapes(depth: Depth) -> Vec<Attend> {
    let mut shapes = vec![
        attend((6, 1, 24), KvType::F32),
        attend((14, 2, 64), KvType::F16),
        attend((6, 2, 24), KvType::Q8),
    ];
    if depth == Depth::Full {
        shapes.extend([
            attend((3, 3, 16), KvType::F16),
            attend((4, 2, 80), KvType::F32),
            attend((6, 1, 128), KvType::F16),
            attend((16, 1, 128), KvType::F32),
            attend((2, 1, 256), KvType::F16),
            attend((4, 2, 80), KvType::Q8),
            attend((5, 1, 128), KvType::Q8),
            attend((7, 1, 128), KvType::Q8),
            attend((10, 1, 64), KvType::F32),
            attend((22, 2, 8), KvType::F16),
            attend((2, 1, 256), KvType::Q8),
        ]);
    }
    shapes
}

/// The heads of every released model in every cache, f16 first.
fn released_shapes() -> impl Iterator<Item = Attend> {
    [KvType::F16, KvType::Q8, KvType::F32]
        .into_iter()
        .flat_map(|kv| HEADS.into_iter().map(move |heads| attend(heads, kv)))
}

fn n_queries(shape: Attend) -> usize {
    if matches!(shape.visibility, Visibility::DualChunks(_)) { 3 } else { 1 }
}

/// What a value adds to the scale of errors: something even if it is 0, for the probabilities of others may underflow.
fn magnitude(value: &f32) -> f32 {
    value.abs().max(1e-6)
}

/// Size of random queries. The small cases in turn have nothing but ties, an ordinary spread of scores, and one key that
/// takes all; the large ones have the ordinary spread.
fn query_size(depth: Depth, index: usize, head_dim: usize) -> f32 {
    let factor = match depth {
        Depth::Full | Depth::Slice => [0.0, 1.0, 100.0][index % 3],
        Depth::Real | Depth::Quick => 1.0,
    };
    factor * 2.0 * (head_dim as f32).powf(-0.5)
}
