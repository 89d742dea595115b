use super::dot;

/// Matrix times matrix: `a[m, n] = sum_j x[m, j] * w[n, j]`; [`finish`](super::finish) does the epilogue row by row.
///
/// `w` is `[n, k]`, `x` is `[m, k]`; returns `[m, n]`.
pub fn gemm(w: &[f32], x: &[f32], k: usize) -> Vec<f64> {
    x.chunks_exact(k).flat_map(|x| w.chunks_exact(k).map(move |w| dot(w, x))).collect()
}
