//! Properties of the quantisers: how much they may lose, and what they must not do.

use qwill_weights::{DType, dequantize, quantize};

use crate::common::Random;

const QUANTISED: [DType; 13] = [
    DType::Q4_0,
    DType::Q4_1,
    DType::Q5_0,
    DType::Q5_1,
    DType::Q8_0,
    DType::Q2_K,
    DType::Q3_K,
    DType::Q4_K,
    DType::Q5_K,
    DType::Q6_K,
    DType::IQ4_NL,
    DType::IQ4_XS,
    DType::MXFP4,
];

fn round_trip(dtype: DType, values: &[f32]) -> Vec<f32> {
    let mut back = vec![f32::NAN; values.len()];
    dequantize(dtype, &quantize(dtype, values).unwrap(), &mut back).unwrap();
    back
}

fn error(dtype: DType, values: &[f32]) -> f64 {
    let squares = values.iter().zip(round_trip(dtype, values));
    let squares: f64 = squares.map(|(a, b)| (f64::from(*a) - f64::from(b)).powi(2)).sum();
    (squares / values.len() as f64).sqrt()
}

/// Values as weights have them, values with long tails, and values around another mean than zero.
fn sets() -> [Vec<f32>; 3] {
    let mut random = Random(7);
    let mut set = |shape: fn(f32) -> f32| (0..256 * 200).map(|_| shape(random.normal())).collect();
    [set(|x| x * 0.02), set(|x| 0.02 * x * x * x), set(|x| x * 0.02 + 0.01)]
}

/// The errors of ggml's `quantize_row_*_ref` (the tree in llama-cpp-python 0.3.36) for the same values.
#[test]
fn errors_are_no_larger_than_those_of_ggml() {
    let sets = sets();
    for (dtype, ggml) in [
        (DType::Q4_0, [1.692_266e-3, 8.236_827e-3, 1.860_018e-3]),
        (DType::Q8_0, [1.050_364e-4, 6.375_004e-4, 1.161_389e-4]),
        (DType::Q2_K, [5.859_329e-3, 2.877_185e-2, 5.738_192e-3]),
        (DType::Q3_K, [2.980_951e-3, 1.142_371e-2, 3.212_916e-3]),
        (DType::Q4_K, [1.405_097e-3, 6.677_734e-3, 1.402_106e-3]),
        (DType::Q5_K, [7.129_571e-4, 3.665_341e-3, 7.073_964e-4]),
        (DType::Q6_K, [3.490_624e-4, 1.809_792e-3, 3.868_037e-4]),
        (DType::IQ4_NL, [1.556_933e-3, 6.840_405e-3, 1.709_371e-3]),
        (DType::IQ4_XS, [1.515_644e-3, 6.911_327e-3, 1.662_092e-3]),
        (DType::MXFP4, [2.260_506e-3, 1.033_215e-2, 2.585_693e-3]),
    ] {
        for (i, (set, ggml)) in sets.iter().zip(ggml).enumerate() {
            let error = error(dtype, set);
            assert!(error <= ggml * 1.000_001, "{dtype}, set {i}: {error:e}, ggml has {ggml:e}");
        }
    }
}

/// Q4_1 and Q5_1 put the extremes on the outermost levels and round to the nearest: what a search must beat although
/// its scales are rounded to 6 bits.
#[test]
fn searches_beat_rounding_to_the_nearest() {
    for set in sets() {
        for (searched, nearest) in [
            (DType::Q4_K, DType::Q4_1),
            (DType::Q5_K, DType::Q5_1),
            (DType::IQ4_NL, DType::Q4_0),
            (DType::IQ4_XS, DType::Q4_0),
        ] {
            let (a, b) = (error(searched, &set), error(nearest, &set));
            assert!(a < 0.96 * b, "{searched} has an error of {a:e}, {nearest} of {b:e}");
        }
    }
}

#[test]
fn rounding_errs_by_half_a_step() {
    let mut random = Random(3);
    for magnitude in [1e-3, 1.0, 300.0] {
        let values: Vec<f32> = (0..32 * 50).map(|_| random.normal() * magnitude).collect();
        for (dtype, n_steps) in
            [(DType::Q4_0, 16), (DType::Q4_1, 15), (DType::Q5_0, 32), (DType::Q5_1, 31), (DType::Q8_0, 254)]
        {
            let back = round_trip(dtype, &values);
            for (values, back) in values.chunks(32).zip(back.chunks(32)) {
                let (min, max) =
                    values.iter().fold((f32::MAX, f32::MIN), |(min, max), &v| (min.min(v), max.max(v)));
                let is_symmetric = [DType::Q4_0, DType::Q5_0, DType::Q8_0].contains(&dtype);
                let range = if is_symmetric { 2.0 * max.max(-min) } else { max - min };
                let step = range / n_steps as f32;
                // the highest level is a step below the largest magnitude
                let top = if is_symmetric && dtype != DType::Q8_0 { range / 2.0 - step } else { f32::MAX };
                // scale and minimum are rounded to halves: subnormal ones to multiples of 2^-24
                let rounding = (range + min.abs()) * 2f32.powi(-11) + 300.0 * 2f32.powi(-25);
                for (&v, &b) in values.iter().zip(back) {
                    let clipped = (v.abs() - top).max(0.0);
                    let allowed = f32::max(step / 2.0, clipped) * 1.0001 + rounding;
                    assert!((v - b).abs() <= allowed, "{dtype}: {v} became {b}, allowed are {allowed:e}");
                }
            }
        }
    }
}

/// What was quantised once is on the levels, so that doing it again moves nothing.
#[test]
fn rounding_twice_is_rounding_once() {
    for set in sets() {
        for dtype in [DType::Q4_0, DType::Q4_1, DType::Q5_0, DType::Q5_1, DType::Q8_0, DType::MXFP4] {
            let once = round_trip(dtype, &set);
            assert_eq!(round_trip(dtype, &once), once, "{dtype}");
        }
        // A search may find the same levels under another scale, which is rounded in another way.
        for dtype in [DType::Q2_K, DType::Q3_K, DType::Q4_K, DType::Q5_K, DType::Q6_K, DType::IQ4_NL] {
            let (first, again) = (error(dtype, &set), error(dtype, &round_trip(dtype, &set)));
            assert!(again < 0.35 * first, "{dtype}: {first:e} at first, {again:e} again");
        }
    }
}

#[test]
fn awkward_values_neither_panic_nor_leave_their_block() {
    let mut random = Random(11);
    for dtype in QUANTISED {
        let n = dtype.block_len();
        let good: Vec<f32> = (0..n).map(|_| random.normal()).collect();
        let alone = quantize(dtype, &good).unwrap();
        for awkward in
            [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN, f32::MIN_POSITIVE, 1e-45, -0.0]
        {
            for place in [0, n / 2 + 1, n - 1] {
                let mut bad = good.clone();
                bad[place] = awkward;
                let all = [&good[..], &bad, &vec![awkward; n], &good].concat();
                let blocks = quantize(dtype, &all).unwrap();
                let size = dtype.block_bytes();
                assert_eq!(blocks[..size], alone, "{dtype} before {awkward}");
                assert_eq!(blocks[3 * size..], alone, "{dtype} after {awkward}");
            }
        }
        // beside zeros, the same
        let one: Vec<f32> = (0..n).map(|i| if i == n - 1 { -1.0 } else { 0.0 }).collect();
        let back = round_trip(dtype, &one);
        assert!((back[n - 1] + 1.0).abs() < 0.01, "{dtype}: {back:?}");
        assert!(back[..n - 1].iter().all(|v| v.abs() < 0.02), "{dtype}: {back:?}");
    }
}

/// Blocks of values whose magnitudes have nothing to do with each other, as no model has them.
#[test]
fn no_error_is_larger_than_the_largest_value() {
    let mut random = Random(13);
    for dtype in QUANTISED {
        for _ in 0..300 {
            let values: Vec<f32> = (0..dtype.block_len())
                .map(|_| match random.below(4) {
                    0 => 0.0,
                    1 => random.normal() * 1e3,
                    2 => random.normal() * 2f32.powi(random.below(40) as i32 - 30),
                    _ => random.normal(),
                })
                .collect();
            let largest = values.iter().fold(0.0, |max: f32, v| max.max(v.abs()));
            for (v, b) in values.iter().zip(round_trip(dtype, &values)) {
                assert!((v - b).abs() <= largest, "{dtype}: {v} became {b}, beside {largest}");
            }
        }
    }
}
