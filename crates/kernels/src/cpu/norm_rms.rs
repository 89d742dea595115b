use super::inverse_rms;

/// Root mean square normalisation of rows: `y[r, j] = weight[j] * x[r, j] / sqrt(mean_j(x[r, j]^2) + eps)`.
///
/// `x` is `[rows, weight.len()]`, and so is the result.
pub fn norm_rms(x: &[f32], weight: &[f32], eps: f64) -> Vec<f64> {
    x.chunks_exact(weight.len())
        .flat_map(|row| {
            let scale = inverse_rms(row, eps);
            row.iter().zip(weight).map(move |(&x, &weight)| f64::from(x) * scale * f64::from(weight))
        })
        .collect()
}
