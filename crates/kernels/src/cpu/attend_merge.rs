use super::Partial;

/// Attention of one new token, second pass: `M = max_i m[i]`,
/// `y = sum_i exp(m[i] - M) * o[i] / sum_i exp(m[i] - M) * l[i]`.
///
/// Takes the splits of each query head as [`attend_decode`](super::attend_decode) returns them; returns
/// `[n_heads, head_dim]`.
pub fn attend_merge(heads: &[Vec<Partial>]) -> Vec<f64> {
    heads
        .iter()
        .flat_map(|splits| {
            let max = splits.iter().map(|split| split.max).fold(f64::NEG_INFINITY, f64::max);
            let weight = move |split: &Partial| (split.max - max).exp();
            let mass: f64 = splits.iter().map(|split| weight(split) * split.mass).sum();
            let sum = move |d: usize| splits.iter().map(|split| weight(split) * split.sum[d]).sum::<f64>();
            (0..splits[0].sum.len()).map(move |d| sum(d) / mass)
        })
        .collect()
}
