use super::{Finish, finish};

/// `y[r, i] = silu(gate of i) * (up of i)` for rows of `n_rows` numbers in which gate and up take turns as in
/// [`RowOrder::GateUp`](crate::RowOrder::GateUp); returns `[rows, n_rows / 2]`.
pub fn silu_mul(x: &[f32], n_rows: usize) -> Vec<f64> {
    x.chunks_exact(n_rows)
        .flat_map(|row| {
            let row: Vec<f64> = row.iter().map(|&x| x.into()).collect();
            finish(&row, Finish::SiluMul)
        })
        .collect()
}
