//! The searches of the quantisers whose blocks have few levels: which scale, and where there is one which minimum,
//! leaves the smallest weighted squared error.
//!
//! Both try a range of obvious scales, let each choose the level of every value, and solve for the scale (and minimum)
//! that suits those levels best: weighted least squares, one step of it for every attempt.

use super::signed_max;

/// Rounds to the nearest of the whole numbers from `least` to `most`, ties to even; not a number becomes `least`.
///
/// Adding 1.5 * 2^23 leaves no bits for a fraction. `f32::round_ties_even` is a call into the C library on many targets.
pub(super) fn level(v: f32, least: f32, most: f32) -> f32 {
    const NO_FRACTION: f32 = 12_582_912.0;
    (v.max(least).min(most) + NO_FRACTION) - NO_FRACTION
}

/// What an error costs: large values decide more of a product than small ones.
fn weights<const N: usize>(values: &[f32; N]) -> [f32; N] {
    let sum_squares = values.iter().fold(0.0, |sum, &v| sum + v * v);
    let rms = (sum_squares / N as f32).sqrt();
    values.map(|v| rms + v.abs())
}

/// The levels 0 to `top` of some values, with what they mean: `scale * level - min`.
pub(super) struct Affine<const N: usize> {
    pub(super) scale: f32,
    /// Never negative.
    pub(super) min: f32,
    pub(super) levels: [u8; N],
}

/// Finds scale and minimum in 21 attempts around the scale that puts the extremes on the outermost levels. A better
/// minimum takes effect on the attempts after it, as in ggml's `make_qkx2_quants`.
pub(super) fn affine<const N: usize>(values: &[f32; N], top: u8) -> Affine<N> {
    let weights = weights(values);
    let top = f32::from(top);
    let (mut min, mut max) = (values[0], values[0]);
    let (mut sum_w, mut sum_x) = (weights[0], weights[0] * values[0]);
    for (&v, &w) in values.iter().zip(&weights).skip(1) {
        min = min.min(v);
        max = max.max(v);
        sum_w += w;
        sum_x += w * v;
    }
    min = min.min(0.0);
    if max == min {
        return Affine { scale: 0.0, min: -min, levels: [0; N] };
    }

    let levels_of = |inverse: f32, min: f32| values.map(|v| level(inverse * (v - min), 0.0, top));
    let error = |levels: &[f32; N], scale: f32, min: f32| {
        let mut error = 0.0;
        for ((&l, &v), &w) in levels.iter().zip(values).zip(&weights) {
            let diff = scale * l + min - v;
            error += w * (diff * diff);
        }
        error
    };

    let inverse = top / (max - min);
    let mut scale = 1.0 / inverse;
    let mut levels = levels_of(inverse, min);
    let mut best = error(&levels, scale, min);
    for step in 0..=20u8 {
        let inverse = (-1.0 + 0.1 * f32::from(step) + top) / (max - min);
        let attempt = levels_of(inverse, min);
        let (mut sum_l, mut sum_l2, mut sum_xl) = (0.0, 0.0, 0.0);
        for ((&l, &v), &w) in attempt.iter().zip(values).zip(&weights) {
            sum_l += w * l;
            sum_l2 += w * l * l;
            sum_xl += w * l * v;
        }
        let determinant = sum_w * sum_l2 - sum_l * sum_l;
        if determinant <= 0.0 {
            continue;
        }
        let mut this_scale = (sum_w * sum_xl - sum_x * sum_l) / determinant;
        let mut this_min = (sum_l2 * sum_x - sum_l * sum_xl) / determinant;
        if this_min > 0.0 {
            this_min = 0.0;
            this_scale = sum_xl / sum_l2;
        }
        let this_error = error(&attempt, this_scale, this_min);
        if this_error < best {
            best = this_error;
            scale = this_scale;
            min = this_min;
            levels = attempt;
        }
    }
    Affine { scale, min: -min, levels: levels.map(|l| l as u8) }
}

/// The scale whose products with levels come closest to some values, for formats without a minimum.
///
/// `nearest` gives the level that is nearest to a number. The value of largest magnitude is tried on `lowest`, the lowest
/// level, and on 9 places up to `reach` to either side of it.
pub(super) fn scale<const N: usize>(
    values: &[f32; N],
    lowest: f32,
    reach: f32,
    nearest: impl Fn(f32) -> f32,
) -> f32 {
    let weights = weights(values);
    let extreme = signed_max(values);
    // Below this an f16 scale is zero anyway, and the inverse overflows.
    if extreme.abs() < 1e-15 {
        return 0.0;
    }
    // Where squares overflow this stays, and overflows the f16.
    let (mut best, mut scale) = (0.0, extreme / lowest);
    for step in -9..=9i8 {
        let inverse = (lowest + reach * f32::from(step) / 9.0) / extreme;
        let (mut sum_l2, mut sum_xl) = (0.0, 0.0);
        for (&v, &w) in values.iter().zip(&weights) {
            let l = nearest(v * inverse);
            sum_l2 += w * l * l;
            sum_xl += w * l * v;
        }
        // With the best scale for these levels, the error is the sum of squares less this.
        let explained = sum_xl * sum_xl / sum_l2;
        if explained > best {
            best = explained;
            scale = sum_xl / sum_l2;
        }
    }
    scale
}

#[cfg(test)]
mod tests {
    use super::level;

    #[test]
    fn levels_are_rounded_as_the_standard_library_rounds() {
        for quarters in -300i16..=300 {
            for near in [-1e-6, 0.0, 1e-6] {
                let v = f32::from(quarters) / 4.0 + near;
                assert_eq!(level(v, -32.0, 31.0), v.round_ties_even().clamp(-32.0, 31.0), "{v}");
            }
        }
        assert_eq!(
            [level(f32::NAN, 0.0, 15.0), level(1e30, 0.0, 15.0), level(-1e30, 0.0, 15.0)],
            [0.0, 15.0, 0.0]
        );
    }
}
