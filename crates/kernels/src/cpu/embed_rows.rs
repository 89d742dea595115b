/// Embedding lookup: `y[t, j] = table[tokens[t], j]`.
///
/// `table` is `[vocabulary, k]`; returns `[n_tokens, k]`.
pub fn embed_rows(table: &[f32], k: usize, tokens: &[u32]) -> Vec<f64> {
    tokens
        .iter()
        .flat_map(|&token| &table[token as usize * k..][..k])
        .map(|&value| f64::from(value))
        .collect()
}
