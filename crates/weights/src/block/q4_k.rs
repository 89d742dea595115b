//! Q4_K: `d` and `dmin` f16, 12 bytes of six-bit scales and minima, 128 bytes of nibbles.
//! Value `d * scale * nibble - dmin * min`, scale and minimum per 32 elements.

use super::{f16_at, put_f16};

pub(crate) fn quants(block: &[u8; 144]) -> [u8; 256] {
    let mut quants = [0; 256];
    for (quants, bytes) in quants.as_chunks_mut::<64>().0.iter_mut().zip(block[16..].as_chunks::<32>().0) {
        let (low, high) = quants.split_at_mut(32);
        for ((low, high), &b) in low.iter_mut().zip(high).zip(bytes) {
            (*low, *high) = (b & 15, b >> 4);
        }
    }
    quants
}

pub(super) fn dequantize(block: &[u8; 144], out: &mut [f32; 256]) {
    dequantize_parts(&block[..16], &quants(block), out);
}

/// The values of quants from the 16 bytes of scales that Q4_K and Q5_K start with.
pub(super) fn dequantize_parts(scales: &[u8], quants: &[u8; 256], out: &mut [f32; 256]) {
    let d = f16_at(scales, 0);
    let dmin = f16_at(scales, 2);
    for (b, (out, quants)) in out.chunks_mut(32).zip(quants.chunks(32)).enumerate() {
        let (scale, min) = scale_min(&scales[4..], b);
        let (scale, min) = (d * f32::from(scale), dmin * f32::from(min));
        for (out, &q) in out.iter_mut().zip(quants) {
            *out = scale * f32::from(q) - min;
        }
    }
}

/// The six-bit scale and minimum of the 32 elements `b` in the 12 bytes that Q4_K and Q5_K share.
pub(crate) fn scale_min(s: &[u8], b: usize) -> (u8, u8) {
    if b < 4 {
        (s[b] & 63, s[b + 4] & 63)
    } else {
        (s[b + 4] & 15 | s[b - 4] >> 6 << 4, s[b + 4] >> 4 | s[b] >> 6 << 4)
    }
}

/// The inverse of [`scale_min`], for all eight.
fn put_scales_mins(out: &mut [u8], scales: &[u8; 8], mins: &[u8; 8]) {
    for b in 0..4 {
        out[b] = scales[b] | scales[b + 4] >> 4 << 6;
        out[b + 4] = mins[b] | mins[b + 4] >> 4 << 6;
        out[b + 8] = scales[b + 4] & 15 | (mins[b + 4] & 15) << 4;
    }
}

pub(super) fn quantize(values: &[f32; 256], block: &mut [u8; 144]) {
    let parts = values.as_chunks::<32>().0;
    let mut scales = [0.0; 8];
    let mut mins = [0.0; 8];
    let mut levels = [[0; 32]; 8];
    for (b, part) in parts.iter().enumerate() {
        (scales[b], mins[b], levels[b]) = fit(part);
    }
    let max_scale = scales.iter().copied().fold(0.0, f32::max);
    let max_min = mins.iter().copied().fold(0.0, f32::max);
    let six_bits = |v: f32, max: f32| {
        let inverse = if max > 0.0 { 63.0 / max } else { 0.0 };
        ((inverse * v).round_ties_even() as u8).min(63)
    };
    let scales = scales.map(|v| six_bits(v, max_scale));
    let mins = mins.map(|v| six_bits(v, max_min));
    put_f16(block, 0, max_scale / 63.0);
    put_f16(block, 2, max_min / 63.0);
    put_scales_mins(&mut block[4..16], &scales, &mins);

    let d = f16_at(block, 0);
    let dmin = f16_at(block, 2);
    let qs = &mut block[16..];
    qs.fill(0);
    for (b, part) in parts.iter().enumerate() {
        let scale = d * f32::from(scales[b]);
        let min = dmin * f32::from(mins[b]);
        let shift = b % 2 * 4;
        if scale != 0.0 {
            levels[b] = part.map(|v| nibble((v + min) / scale));
        }
        for (q, level) in qs[b / 2 * 32..].iter_mut().zip(levels[b]) {
            *q |= level << shift;
        }
    }
}

/// Rounds to a nibble.
fn nibble(v: f32) -> u8 {
    (v.round_ties_even().max(0.0) as u8).min(15)
}

/// Scale, negated minimum and levels for 32 values, so that the weighted squared error of 16 levels
/// is small: ggml's `make_qkx2_quants`, with its 21 attempts around the obvious scale. As there,
/// a better minimum takes effect on the attempts after it.
fn fit(values: &[f32; 32]) -> (f32, f32, [u8; 32]) {
    let sum_squares = values.iter().fold(0.0, |sum, &v| sum + v * v);
    let rms = (sum_squares / 32.0f32).sqrt();
    let weights = values.map(|v| rms + v.abs());

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
        return (0.0, -min, [0; 32]);
    }

    let levels_of = |inverse: f32, min: f32| values.map(|v| nibble(inverse * (v - min)));
    let error = |levels: &[u8; 32], scale: f32, min: f32| {
        let mut error = 0.0;
        for ((&l, &v), &w) in levels.iter().zip(values).zip(&weights) {
            let diff = scale * f32::from(l) + min - v;
            error += w * (diff * diff);
        }
        error
    };

    let inverse = 15.0 / (max - min);
    let mut scale = 1.0 / inverse;
    let mut levels = levels_of(inverse, min);
    let mut best = error(&levels, scale, min);
    for step in 0..=20u8 {
        let inverse = (-1.0 + 0.1 * f32::from(step) + 15.0) / (max - min);
        let attempt = levels_of(inverse, min);
        let (mut sum_l, mut sum_l2, mut sum_xl) = (0.0, 0.0, 0.0);
        for ((&l, &v), &w) in attempt.iter().zip(values).zip(&weights) {
            let l = f32::from(l);
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
    (scale, -min, levels)
}
