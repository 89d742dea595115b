/// Adds what the experts of each token make of it: `y[m, n] += sum_s weights[m, s] * out[m * top_k + s, n]`.
///
/// `y` is `[n_tokens, n_cols]`, `out` is `[n_tokens * top_k, n_cols]`, `weights` is `[n_tokens, top_k]`; returns `y`.
pub fn combine_experts<T: Copy + Into<f64>>(
    y: &[f32],
    out: &[T],
    weights: &[f32],
    n_cols: usize,
) -> Vec<f64> {
    let n_tokens = y.len() / n_cols;
    let top_k = weights.len() / n_tokens;
    let mut sums: Vec<f64> = y.iter().map(|&y| y.into()).collect();
    for ((i, out), &weight) in out.chunks_exact(n_cols).enumerate().zip(weights) {
        for (sum, &out) in sums[i / top_k * n_cols..].iter_mut().zip(out) {
            *sum += f64::from(weight) * out.into();
        }
    }
    sums
}
