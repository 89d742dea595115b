use super::dot;
use super::visibility::{query_for, visible};
use crate::Attend;

/// Attention of many new tokens: `y[r] = sum_t softmax_t(q[r] . k[t]) * v[t]` over the keys `t` that the token at
/// `position + r` sees.
///
/// `q` is `[n_tokens, n_queries, n_heads, head_dim]`, already scaled; `k` and `v` are `[n_kv, n_kv_heads, head_dim]` with
/// `n_kv = position + n_tokens`. Returns `[n_tokens, n_heads, head_dim]`.
pub fn attend_prefill(shape: &Attend, q: &[f32], k: &[f32], v: &[f32], position: usize) -> Vec<f64> {
    let Attend { n_heads, n_kv_heads, head_dim, visibility, .. } = *shape;
    let n_kv = k.len() / (n_kv_heads * head_dim);
    let width = n_heads * head_dim;
    let mut y = Vec::with_capacity(q.len());
    for (token, queries) in q.chunks_exact(visibility.n_queries() * width).enumerate() {
        for head in 0..n_heads {
            let kv_head = head / (n_heads / n_kv_heads);
            let at = |t: usize| (t * n_kv_heads + kv_head) * head_dim;
            let seen = visible(visibility, position + token, n_kv);
            let score = |t: usize| {
                let q = &queries[query_for(visibility, position + token, t) * width + head * head_dim..];
                dot(&q[..head_dim], &k[at(t)..][..head_dim])
            };
            let scores: Vec<f64> = seen.clone().map(score).collect();
            let max = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let mass: f64 = scores.iter().map(|score| (score - max).exp()).sum();
            let mut sum = vec![0.0; head_dim];
            for (t, score) in seen.zip(scores) {
                let p = (score - max).exp() / mass;
                for (sum, &v) in sum.iter_mut().zip(&v[at(t)..]) {
                    *sum += p * f64::from(v);
                }
            }
            y.extend(sum);
        }
    }
    y
}
