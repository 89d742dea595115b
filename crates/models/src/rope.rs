//! Rotary position embedding: inverse frequencies and tables.

/// Positions of a model.
#[derive(Debug, Clone, PartialEq)]
pub struct Rope {
    /// Leading elements of a head that rotate.
    pub rotary_dim: usize,
    /// One for each rotated pair.
    pub inv_freq: Vec<f32>,
    /// Cosines and sines are multiplied by this (YaRN).
    pub attention_factor: f32,
}

impl Rope {
    /// Plain RoPE: `theta^(-2i / rotary_dim)`.
    pub fn plain(theta: f64, rotary_dim: usize) -> Self {
        let inv_freq =
            (0..rotary_dim / 2).map(|i| theta.powf(-2.0 * i as f64 / rotary_dim as f64) as f32).collect();
        Self { rotary_dim, inv_freq, attention_factor: 1.0 }
    }

    /// Cosines, then sines, of positions `range`: `[positions, 2, rotary_dim / 2]`.
    ///
    /// The angle is the f32 product that the reference computes; its cosine is taken in f64, since WGSL promises no
    /// more than 2^-11 for its own.
    pub fn table(&self, range: std::ops::Range<usize>) -> Vec<f32> {
        let half = self.inv_freq.len();
        let mut table = Vec::with_capacity(range.len() * 2 * half);
        let factor = f64::from(self.attention_factor);
        for position in range {
            let angles = self.inv_freq.iter().map(|f| f64::from(position as f32 * f));
            table.extend(angles.clone().map(|a| (a.cos() * factor) as f32));
            table.extend(angles.map(|a| (a.sin() * factor) as f32));
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Vector T-20 of the specification: D = 4, theta = 10000, position 3, x = [1, 2, 3, 4].
    #[test]
    fn rotates_half_split_pairs() {
        let rope = Rope::plain(10_000.0, 4);
        assert_eq!(rope.inv_freq, [1.0, 0.01]);
        let t = rope.table(3..4);
        let x = [1.0f32, 2.0, 3.0, 4.0];
        let y: Vec<f32> = (0..2)
            .map(|i| x[i] * t[i] - x[i + 2] * t[i + 2])
            .chain((0..2).map(|i| x[i + 2] * t[i] + x[i] * t[i + 2]))
            .collect();
        for (a, b) in y.iter().zip([-1.413_352_5, 1.879_118_1, -2.828_857_5, 4.058_191]) {
            assert!((a - b).abs() < 1e-6, "{y:?}");
        }
    }
}
