use super::inverse_rms;
use crate::Rotate;

/// What [`rotate_heads`] makes of the projected rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Rotated {
    /// Queries `[n_tokens, n_heads, head_dim]`, scaled.
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
///   `h'[i] = h[i] cos - h[i + R/2] sin`, `h'[i + R/2] = h[i + R/2] cos + h[i] sin`, with `cos = rope[position, 0, i]`,
///   `sin = rope[position, 1, i]`; the other elements pass.
/// - Queries are multiplied by `scale`.
///
/// `qkv` is `[n_tokens, (n_heads + 2 n_kv_heads) head_dim]`, queries first, `rope` is `[positions, 2, R / 2]`, and
/// `position` that of the first token.
pub fn rotate_heads(
    shape: &Rotate,
    qkv: &[f32],
    rope: &[f32],
    position: usize,
    qk_norm: Option<(&[f32], &[f32])>,
) -> Rotated {
    let Rotate { n_heads, n_kv_heads, head_dim, rotary_dim, .. } = *shape;
    let half = rotary_dim / 2;
    let mut out = Rotated { q: Vec::new(), k: Vec::new(), v: Vec::new() };
    for (token, row) in qkv.chunks_exact((n_heads + 2 * n_kv_heads) * head_dim).enumerate() {
        let rope = &rope[(position + token) * rotary_dim..][..rotary_dim];
        for (index, head) in row.chunks_exact(head_dim).enumerate() {
            let mut h: Vec<f64> = head.iter().map(|&h| f64::from(h)).collect();
            if index >= n_heads + n_kv_heads {
                out.v.extend(h);
                continue;
            }
            let is_query = index < n_heads;
            if let Some((q_norm, k_norm)) = qk_norm {
                let rms = inverse_rms(head, f64::from(shape.eps));
                let weights = if is_query { q_norm } else { k_norm };
                h.iter_mut().zip(weights).for_each(|(h, &weight)| *h *= rms * f64::from(weight));
            }
            for i in 0..half {
                let (cos, sin) = (f64::from(rope[i]), f64::from(rope[half + i]));
                let (a, b) = (h[i], h[half + i]);
                h[i] = a * cos - b * sin;
                h[half + i] = b * cos + a * sin;
            }
            if is_query {
                out.q.extend(h.iter().map(|h| h * f64::from(shape.scale)));
            } else {
                out.k.extend(h);
            }
        }
    }
    out
}
