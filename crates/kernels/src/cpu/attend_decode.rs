use super::dot;
use super::visibility::{query_for, visible};
use crate::Attend;

/// Tokens that are never split.
const BLOCK: usize = 64;

/// Unfinished attention of one query head over one split of the cache.
#[derive(Debug, Clone, PartialEq)]
pub struct Partial {
    /// `m = max_t s[t]`.
    pub max: f64,
    /// `l = sum_t exp(s[t] - m)`.
    pub mass: f64,
    /// `o = sum_t exp(s[t] - m) * v[t]`, `[head_dim]`.
    pub sum: Vec<f64>,
}

/// Attention of one new token, first of two passes: for each split of the cache and each query head,
/// `s[t] = q . k[t]`, `m = max_t s`, `l = sum_t exp(s - m)`, `o = sum_t exp(s - m) * v[t]`.
///
/// Split are the blocks of 64 tokens that the new one sees any of, evenly: a block each, or more if that makes more than
/// `max_splits`.
///
/// `q` is `[n_queries, n_heads, head_dim]`, already scaled; `k` and `v` are `[n_kv, n_kv_heads, head_dim]`, the new token last.
/// Returns `[n_heads][splits]`.
pub fn attend_decode(
    shape: &Attend,
    q: &[f32],
    k: &[f32],
    v: &[f32],
    max_splits: usize,
) -> Vec<Vec<Partial>> {
    let Attend { n_heads, n_kv_heads, head_dim, visibility, .. } = *shape;
    let n_kv = k.len() / (n_kv_heads * head_dim);
    let seen = visible(visibility, n_kv - 1, n_kv).start;
    let first_block = seen / BLOCK;
    let n_blocks = n_kv.div_ceil(BLOCK) - first_block;
    let n_splits = n_blocks.min(max_splits);
    let start = |split: usize| (first_block + split * n_blocks / n_splits) * BLOCK;
    (0..n_heads)
        .map(|head| {
            let kv_head = head / (n_heads / n_kv_heads);
            let at = |t: usize| (t * n_kv_heads + kv_head) * head_dim;
            (0..n_splits)
                .map(|split| {
                    let visible = start(split).max(seen)..start(split + 1).min(n_kv);
                    let score = |t: usize| {
                        let query = query_for(visibility, n_kv - 1, t) * n_heads + head;
                        dot(&q[query * head_dim..][..head_dim], &k[at(t)..][..head_dim])
                    };
                    let scores: Vec<f64> = visible.clone().map(score).collect();
                    let max = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                    let mut partial = Partial { max, mass: 0.0, sum: vec![0.0; head_dim] };
                    for (t, score) in visible.zip(scores) {
                        let p = (score - max).exp();
                        partial.mass += p;
                        for (sum, &v) in partial.sum.iter_mut().zip(&v[at(t)..]) {
                            *sum += p * f64::from(v);
                        }
                    }
                    partial
                })
                .collect()
        })
        .collect()
}
