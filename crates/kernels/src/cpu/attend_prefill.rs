use super::dot;
use crate::Attend;

/// Causal attention of many new tokens: `y[r] = sum_t softmax_t(q[r] . k[t]) * v[t]` over the keys `t` with
/// `t <= position + r` and, given a window, `t + window > position + r`.
///
/// `q` is `[n_tokens, n_heads, head_dim]`, already scaled; `k` and `v` are `[n_kv, n_kv_heads, head_dim]` with
/// `n_kv >= position + n_tokens`. Returns `[n_tokens, n_heads, head_dim]`.
pub fn attend_prefill(shape: &Attend, q: &[f32], k: &[f32], v: &[f32], position: usize) -> Vec<f64> {
    let Attend { n_heads, n_kv_heads, head_dim, window, .. } = *shape;
    let mut y = Vec::with_capacity(q.len());
    for (index, q) in q.chunks_exact(head_dim).enumerate() {
        let (token, head) = (index / n_heads, index % n_heads);
        let kv_head = head / (n_heads / n_kv_heads);
        let at = |t: usize| (t * n_kv_heads + kv_head) * head_dim;
        let n_kv = position + token + 1;
        let seen = window.map_or(0, |window| n_kv.saturating_sub(window));
        let scores: Vec<f64> = (seen..n_kv).map(|t| dot(q, &k[at(t)..][..head_dim])).collect();
        let max = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let mass: f64 = scores.iter().map(|score| (score - max).exp()).sum();
        let mut sum = vec![0.0; head_dim];
        for (t, score) in (seen..n_kv).zip(scores) {
            let p = (score - max).exp() / mass;
            for (sum, &v) in sum.iter_mut().zip(&v[at(t)..]) {
                *sum += p * f64::from(v);
            }
        }
        y.extend(sum);
    }
    y
}
