use super::inverse_rms;
use crate::RowOrder;

/// What happens to the sums of a projection.
#[derive(Debug, Clone, Copy)]
pub enum Finish<'a> {
    /// `y[n] = a[n] (+ bias[n])`
    Store(Option<&'a [f32]>),
    /// `y[n] = max(a[n] (+ bias[n]), 0)`
    Relu(Option<&'a [f32]>),
    /// `y[n] += a[n]`
    Add(&'a [f32]),
    /// `y[n] += weight * a[n]`, (y, weight).
    AddScaled(&'a [f32], f32),
    /// `y[n] = scale[n] * of_row * a[n]`, (scale, of_row).
    StoreScaled(&'a [f32], f32),
    /// `y[i] = silu(a[gate of i]) * a[up of i]`, `silu(s) = s / (1 + exp(-s))`, for rows in
    /// [`RowOrder::GateUp`].
    SiluMul,
}

/// Matrix times vector: `a[n] = rms * sum_j w[n, j] * x[j] * gain[j]`, `rms = 1 / sqrt(mean(x^2) + eps)`; without a
/// norm, both are 1.
///
/// `w` is `[n, x.len()]`, `norm` is (gain, eps); returns `[n]`.
pub fn gemv(w: &[f32], x: &[f32], norm: Option<(&[f32], f64)>) -> Vec<f64> {
    let x_normed: Vec<f64> = match norm {
        Some((gain, eps)) => {
            let rms = inverse_rms(x, eps);
            x.iter().zip(gain).map(|(&x, &gain)| rms * f64::from(x) * f64::from(gain)).collect()
        }
        None => x.iter().map(|&x| f64::from(x)).collect(),
    };
    w.chunks_exact(x.len())
        .map(|row| row.iter().zip(&x_normed).map(|(&w, &x)| f64::from(w) * x).sum())
        .collect()
}

/// The epilogue of [`gemv`], or of one row of [`gemm`](super::gemm).
pub fn finish(sums: &[f64], how: Finish<'_>) -> Vec<f64> {
    match how {
        Finish::Store(None) => sums.to_vec(),
        Finish::Store(Some(other)) | Finish::Add(other) => {
            sums.iter().zip(other).map(|(&sum, &other)| sum + f64::from(other)).collect()
        }
        Finish::Relu(bias) => finish(sums, Finish::Store(bias)).into_iter().map(|y| y.max(0.0)).collect(),
        Finish::AddScaled(y, weight) => {
            sums.iter().zip(y).map(|(&sum, &y)| f64::from(y) + f64::from(weight) * sum).collect()
        }
        Finish::StoreScaled(scale, of_row) => {
            sums.iter().zip(scale).map(|(&sum, &scale)| f64::from(scale) * f64::from(of_row) * sum).collect()
        }
        Finish::SiluMul => {
            let n_outputs = sums.len() / 2;
            let place = |part, output| RowOrder::GateUp.place([n_outputs; 2], part, output);
            let pairs = (0..n_outputs).map(|output| (sums[place(0, output)], sums[place(1, output)]));
            pairs.map(|(gate, up)| gate / (1.0 + (-gate).exp()) * up).collect()
        }
    }
}

/// The order of rows that the `silu_mul` epilogue wants, as indices into the rows of gate and of up. `None` is a row of
/// zeros that fills the last run.
///
/// Returns `[RowOrder::GateUp.rows_on_device([n_outputs; 2])]` of (0: gate, 1: up; row).
pub fn interleave_gate_up(n_outputs: usize) -> Vec<Option<(usize, usize)>> {
    let (order, parts) = (RowOrder::GateUp, [n_outputs; 2]);
    let mut rows = vec![None; order.rows_on_device(parts)];
    for part in 0..parts.len() {
        for row in 0..n_outputs {
            rows[order.place(parts, part, row)] = Some((part, row));
        }
    }
    rows
}
