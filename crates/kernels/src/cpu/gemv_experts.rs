use super::gemv;

/// The sums of [`gemv`] for rows that each have an expert: `a[i] = W[experts[i]] x[i]`. [`finish`](super::finish) makes
/// `silu_mul` of a row, [`combine_experts`](super::combine_experts) adds down projections up.
///
/// `w` is `[n_experts, rows_per_expert, k]`; `x` is `[n, k]`, or fewer rows that serve as many experts each; returns
/// `[experts.len(), rows_per_expert]`.
pub fn gemv_experts(
    w: &[f32],
    rows_per_expert: usize,
    experts: &[u32],
    x: &[f32],
    k: usize,
    norm: Option<(&[f32], f64)>,
) -> Vec<f64> {
    let w_of = |expert: u32| &w[expert as usize * rows_per_expert * k..][..rows_per_expert * k];
    let sharing = experts.len() * k / x.len();
    let x_of = |i: usize| &x[i / sharing * k..][..k];
    experts.iter().enumerate().flat_map(|(i, &expert)| gemv(w_of(expert), x_of(i), norm)).collect()
}
