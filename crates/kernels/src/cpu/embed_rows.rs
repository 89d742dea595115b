/// Embedding lookup: `y[t, j] = table[tokens[t], j]`, times `scale[j]` where given.
///
/// `table` is `[vocabulary, k]`, `scale` is `[k]`; returns `[n_tokens, k]`.
pub fn embed_rows(table: &[f32], k: usize, tokens: &[u32], scale: Option<&[f32]>) -> Vec<f64> {
    tokens
        .iter()
        .flat_map(|&token| table[token as usize * k..][..k].iter().enumerate())
        .map(|(j, &value)| f64::from(value) * scale.map_or(1.0, |scale| f64::from(scale[j])))
        .collect()
}
