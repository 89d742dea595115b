//! Which heads the twins compute: all of a small case, and of a large one those that read the first and the last
//! key/value head.

use std::ops::Range;

use qwill_kernels::Attend;

use super::n_queries;
use crate::{Depth, on_all_cores};

/// Key/value heads that are computed together.
pub(super) fn compared_heads(shape: Attend, depth: Depth) -> Vec<Range<usize>> {
    let n = shape.n_kv_heads;
    match depth {
        Depth::Real | Depth::Quick if n > 1 => vec![0..1, n - 1..n],
        _ => std::iter::once(0..n).collect(),
    }
}

/// Query heads that read some key/value heads.
pub(super) fn query_heads(shape: Attend, kv_heads: &Range<usize>) -> Range<usize> {
    let group = shape.n_heads / shape.n_kv_heads;
    kv_heads.start * group..kv_heads.end * group
}

/// The same attention with only these key/value heads, and the query heads that read them.
pub(super) fn shape_of(shape: Attend, kv_heads: &Range<usize>) -> Attend {
    Attend { n_heads: query_heads(shape, kv_heads).len(), n_kv_heads: kv_heads.len(), ..shape }
}

/// Some heads of rows `[n_heads, head_dim]`.
pub(super) fn cut_heads(rows: &[f32], n_heads: usize, head_dim: usize, heads: &Range<usize>) -> Vec<f32> {
    rows.chunks_exact(n_heads * head_dim)
        .flat_map(|row| &row[heads.start * head_dim..heads.end * head_dim])
        .copied()
        .collect()
}

/// `1 + max_t sum |q k|` for each token and head of `q`, over all keys and all queries of the head.
pub(super) fn sensitivities(shape: Attend, q: &[f32], k: &[f32]) -> Vec<f64> {
    let Attend { n_heads, n_kv_heads, head_dim, .. } = shape;
    let of_token = n_queries(shape) * n_heads;
    on_all_cores(q.len() / head_dim / of_token, |tokens| {
        let q = &q[tokens.start * of_token * head_dim..tokens.end * of_token * head_dim];
        let products = |(head, q): (usize, &[f32])| {
            let kv_head = head % n_heads / (n_heads / n_kv_heads);
            let of_key = |k: &[f32]| -> f64 {
                let k = &k[kv_head * head_dim..][..head_dim];
                q.iter().zip(k).map(|(q, k)| f64::from((q * k).abs())).sum()
            };
            1.0 + k.chunks_exact(n_kv_heads * head_dim).map(of_key).fold(0.0, f64::max)
        };
        let each: Vec<f64> = q.chunks_exact(head_dim).enumerate().map(products).collect();
        each.chunks_exact(of_token)
            .flat_map(|token| {
                (0..n_heads).map(|head| token[head..].iter().step_by(n_heads).copied().fold(0.0, f64::max))
            })
            .collect()
    })
}
