use super::inverse_rms;
use crate::Rotate;

/// What [`rotate_heads`] makes of the projected rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Rotated {
    /// Queries `[n_tokens, rows.n_queries, n_heads, head_dim]`, scaled.
    pub q: Vec<f64>,
    /// Keys `[n_tokens, n_kv_heads, head_dim]`.
    pub k: Vec<f64>,
    /// Values `[n_tokens, n_kv_heads, head_dim]`.
    pub v: Vec<f64>,
}

/// Turns projected rows into queries and cache entries.
///
/// - QK-norm: `h *= weight / sqrt(mean(h^2) + eps)` on query and key heads, with `qk_norm` = (query weights, key
///   weights).
/// - Rotary embedding over the first `R = rotary_dim` elements: for `i < R / 2`,
///   `h'[i] = h[i] cos - h[i + R/2] sin`, `h'[i + R/2] = h[i + R/2] cos + h[i] sin`, with `cos = rope[token, row, 0, i]`,
///   `sin = rope[token, row, 1, i]`; the other elements pass. Keys take row 0, queries each of `shape.rows`.
/// - Queries are multiplied by `scale`.
///
/// `qkv` is `[n_tokens, (n_heads + 2 n_kv_heads) head_dim]`, queries first, and `rope` is
/// `[n_tokens, rows.per_position, 2, R / 2]`.
pub fn rotate_heads(shape: &Rotate, qkv: &[f32], rope: &[f32], qk_norm: Option<(&[f32], &[f32])>) -> Rotated {
    let Rotate { n_heads, n_kv_heads, head_dim, rotary_dim, rows, .. } = *shape;
    let half = rotary_dim / 2;
    let mut out = Rotated { q: Vec::new(), k: Vec::new(), v: Vec::new() };
    let tokens = qkv.chunks_exact((n_heads + 2 * n_kv_heads) * head_dim);
    for (row, angles) in tokens.zip(rope.chunks_exact(rows.per_position * rotary_dim)) {
        let heads: Vec<Vec<f64>> = row
            .chunks_exact(head_dim)
            .enumerate()
            .map(|(index, head)| {
                let mut h: Vec<f64> = head.iter().map(|&h| f64::from(h)).collect();
                if let (Some((q_norm, k_norm)), true) = (qk_norm, index < n_heads + n_kv_heads) {
                    let rms = inverse_rms(head, f64::from(shape.eps));
                    let weights = if index < n_heads { q_norm } else { k_norm };
                    h.iter_mut().zip(weights).for_each(|(h, &weight)| *h *= rms * f64::from(weight));
                }
                h
            })
            .collect();
        let rotated = |head: &[f64], row: usize| {
            let angles = &angles[row * rotary_dim..];
            let mut h = head.to_vec();
            for i in 0..half {
                let (cos, sin) = (f64::from(angles[i]), f64::from(angles[half + i]));
                h[i] = head[i] * cos - head[half + i] * sin;
                h[half + i] = head[half + i] * cos + head[i] * sin;
            }
            h
        };
        for row in rows.first_query..rows.first_query + rows.n_queries {
            let queries = heads[..n_heads].iter().flat_map(|head| rotated(head, row));
            out.q.extend(queries.map(|h| h * f64::from(shape.scale)));
        }
        out.k.extend(heads[n_heads..][..n_kv_heads].iter().flat_map(|head| rotated(head, 0)));
        out.v.extend(heads[n_heads + n_kv_heads..].iter().flatten());
    }
    out
}
