/// Embedding lookup: `y[t, j] = table[tokens[t], j]`, times `columns[j] * rows[t]` where given.
///
/// `table` is `[vocabulary, k]`, `scaling` is (columns `[k]`, rows `[n_tokens]`); returns `[n_tokens, k]`.
pub fn embed_rows(table: &[f32], k: usize, tokens: &[u32], scaling: Option<(&[f32], &[f32])>) -> Vec<f64> {
    let factor = |t: usize, j: usize| {
        scaling.map_or(1.0, |(columns, rows)| f64::from(columns[j]) * f64::from(rows[t]))
    };
    let row = |(t, &token): (usize, &u32)| {
        let values = &table[token as usize * k..][..k];
        values.iter().enumerate().map(move |(j, &value)| f64::from(value) * factor(t, j)).collect::<Vec<_>>()
    };
    tokens.iter().enumerate().flat_map(row).collect()
}
