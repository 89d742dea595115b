//! Block formats against vectors that were computed with other implementations.

use qwill_weights::{DType, Error, dequantize, quantize};

/// One block of bytes `(37 k + 11) & 255`, with `d` set to 0.25 and a second scale, where there is
/// one, to -0.5.
fn block(dtype: DType, d_at: Option<usize>, second_at: Option<usize>) -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..dtype.block_bytes()).map(|k| (37 * k + 11) as u8).collect();
    if let Some(at) = d_at {
        bytes[at..at + 2].copy_from_slice(&0x3400u16.to_le_bytes());
    }
    if let Some(at) = second_at {
        bytes[at..at + 2].copy_from_slice(&0xB800u16.to_le_bytes());
    }
    bytes
}

fn check(dtype: DType, bytes: &[u8], expected: &[(usize, f32)], sum: f32) {
    let mut values = vec![f32::NAN; dtype.block_len()];
    dequantize(dtype, bytes, &mut values).unwrap();
    for &(i, value) in expected {
        assert_eq!(values[i], value, "{dtype} element {i}");
    }
    assert_eq!(values.iter().sum::<f32>(), sum, "sum of {dtype}");
}

#[test]
fn blocks_of_32_have_the_values_of_the_format() {
    const AT: [usize; 5] = [0, 1, 15, 16, 31];
    let cases: [(DType, Option<usize>, [f32; 5], f32); 6] = [
        (DType::Q4_0, None, [-0.75, 0.5, -2.0, -0.75, 0.0], -5.25),
        (DType::Q4_1, Some(2), [3.25, 0.5, 2.0, 1.75, 2.5], 45.25),
        (DType::Q5_0, None, [2.25, -0.5, -3.0, 3.5, 0.25], 3.75),
        (DType::Q5_1, Some(2), [4.25, 5.5, 7.0, 4.25, 0.75], 110.25),
        (DType::Q8_0, None, [21.25, 30.5, -32.0, -22.75, -12.0], -44.0),
        (DType::IQ4_NL, None, [-8.75, 6.25, -31.75, -8.75, 0.25], -64.25),
    ];
    for (dtype, second_at, values, sum) in cases {
        let expected: Vec<_> = AT.into_iter().zip(values).collect();
        check(dtype, &block(dtype, Some(0), second_at), &expected, sum);
    }

    let mut mxfp4 = block(DType::MXFP4, None, None);
    mxfp4[0] = 128;
    let expected: Vec<_> = AT.into_iter().zip([0.0, 6.0, -3.0, 3.0, 6.0]).collect();
    check(DType::MXFP4, &mxfp4, &expected, 25.0);
}

/// Type, offset of `d`, offset of the second scale, values, sum.
type Case256 = (DType, usize, Option<usize>, [f32; 8], f32);

#[test]
fn blocks_of_256_have_the_values_of_the_format() {
    const AT: [usize; 8] = [0, 1, 16, 32, 64, 128, 200, 255];
    let cases: [Case256; 8] = [
        (DType::Q2_K, 80, Some(82), [8.25, 0.0, 1.5, 5.0, 8.25, 3.75, 9.5, 3.0], 1564.75),
        (DType::Q3_K, 108, None, [20.25, -27.0, -24.0, -5.5, 8.5, 0.5, 6.25, 10.5], 239.5),
        (DType::Q4_K, 0, Some(2), [110.75, 25.5, 110.75, 17.0, 143.25, 113.25, 45.25, 34.0], 18890.0),
        (DType::Q5_K, 0, Some(2), [234.75, 25.5, 234.75, 43.0, 143.25, 269.25, 45.25, 49.0], 34334.0),
        (DType::Q6_K, 208, None, [-357.75, 424.0, -108.0, 57.75, -760.0, -87.75, 272.25, -15.0], 1153.0),
        (DType::IQ4_XS, 0, None, [16.25, -0.25, 16.25, 113.75, 195.0, -146.25, 285.0, -4.0], -2751.25),
        (DType::TQ1_0, 52, None, [-0.25, -0.25, 0.0, -0.25, 0.0, 0.0, 0.0, -0.25], -0.5),
        (DType::TQ2_0, 64, None, [0.5, -0.25, 0.5, 0.25, -0.25, 0.5, 0.0, -0.25], 32.25),
    ];
    for (dtype, d_at, second_at, values, sum) in cases {
        let expected: Vec<_> = AT.into_iter().zip(values).collect();
        check(dtype, &block(dtype, Some(d_at), second_at), &expected, sum);
    }
}

#[test]
fn nvfp4_halves_the_scale_and_splits_parts_of_16() {
    let mut bytes = vec![0u8; DType::NVFP4.block_bytes()];
    // Scales 1, 2, and the two codes that mean zero.
    bytes[..4].copy_from_slice(&[0x38, 0x40, 0x00, 0x7F]);
    bytes[4..].fill(0x72);
    let mut values = [f32::NAN; 64];
    dequantize(DType::NVFP4, &bytes, &mut values).unwrap();
    // Nibble 2 is 1.0 in e2m1, nibble 7 is 6.0.
    assert_eq!(values[..8], [1.0; 8]);
    assert_eq!(values[8..16], [6.0; 8]);
    assert_eq!(values[16..24], [2.0; 8]);
    assert_eq!(values[24..32], [12.0; 8]);
    assert_eq!(values[32..], [0.0; 32]);
}

#[test]
fn mxfp4_reaches_the_smallest_exponents() {
    let mut bytes = [0u8; 17];
    bytes[1] = 2;
    for (e, power) in [(0, -127), (1, -126), (2, -125), (254, 127)] {
        bytes[0] = e;
        let mut values = [f32::NAN; 32];
        dequantize(DType::MXFP4, &bytes, &mut values).unwrap();
        assert_eq!(f64::from(values[0]), 2f64.powi(power), "exponent {e}");
    }
}

#[test]
fn plain_floats_convert_exactly() {
    let mut out = [0.0];
    let mut one = |dtype, bytes: &[u8]| {
        dequantize(dtype, bytes, &mut out).unwrap();
        out[0]
    };
    assert_eq!(one(DType::F32, &1.5f32.to_le_bytes()), 1.5);
    assert_eq!(one(DType::F16, &0x3E00u16.to_le_bytes()), 1.5);
    assert_eq!(one(DType::F16, &0x0001u16.to_le_bytes()), 2f32.powi(-24));
    assert_eq!(one(DType::BF16, &0xBFC0u16.to_le_bytes()), -1.5);
    assert_eq!(one(DType::F64, &0.1f64.to_le_bytes()), 0.1);
    assert_eq!(one(DType::F8E4M3, &[0x7E]), 448.0);

    // More than one piece of the bulk conversion, and a rest.
    let values: Vec<f32> = (0..1300).map(|i| i as f32 - 650.0).collect();
    for dtype in [DType::F32, DType::F16] {
        let bytes = quantize(dtype, &values).unwrap();
        let mut back = vec![0.0; values.len()];
        dequantize(dtype, &bytes, &mut back).unwrap();
        assert_eq!(back, values);
    }
    assert_eq!(quantize(DType::BF16, &[1.0 + 1.0 / 128.0]).unwrap(), [0x81, 0x3F]);
    // Halfway between two bf16: to the even one.
    assert_eq!(quantize(DType::BF16, &[1.0 + 1.0 / 256.0]).unwrap(), [0x80, 0x3F]);
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[test]
fn quantising_gives_ggmls_bytes() {
    let ramp: Vec<f32> = (0..32).map(|i| i as f32 - 15.5).collect();
    let cases = [
        (DType::Q4_0, "c03f809191a2a2b3b3c4c4d5d5e6e6f7f7f8"),
        (DType::Q8_0, "d02f8189919aa2aab2bac3cbd3dbe3ecf4fc040c141d252d353d464e565e666f777f"),
        (DType::Q5_1, "003cc0cb0000ffff00112233445566778899aabbccddeeff"),
    ];
    for (dtype, expected) in cases {
        assert_eq!(hex(&quantize(dtype, &ramp).unwrap()), expected, "{dtype}");
    }
}

#[test]
fn a_block_of_zeros_stays_zero() {
    for &dtype in DType::ALL {
        let Ok(bytes) = quantize(dtype, &vec![0.0; dtype.block_len()]) else { continue };
        let mut values = vec![f32::NAN; dtype.block_len()];
        dequantize(dtype, &bytes, &mut values).unwrap();
        assert!(values.iter().all(|&v| v == 0.0), "{dtype}: {values:?}");
    }
}

#[test]
fn wrong_lengths_and_types_are_refused() {
    let message = |r: Result<(), Error>| r.unwrap_err().to_string();
    assert_eq!(
        message(dequantize(DType::Q4_0, &[0; 17], &mut [0.0; 32])),
        "bytes to dequantise: 17 given, a multiple of 18 needed"
    );
    assert_eq!(
        message(dequantize(DType::Q4_0, &[0; 36], &mut [0.0; 32])),
        "elements to dequantise into: 32 given, 2 blocks of 32 needed"
    );
    assert_eq!(
        message(dequantize(DType::IQ2_XXS, &[0; 66], &mut [0.0; 256])),
        "dequantising is not supported for IQ2_XXS"
    );
    assert_eq!(
        message(quantize(DType::Q8_0, &[0.0; 31]).map(drop)),
        "values to quantise: 31 given, a multiple of 32 needed"
    );
    assert_eq!(
        message(quantize(DType::TQ2_0, &[0.0; 256]).map(drop)),
        "quantising is not supported for TQ2_0"
    );
}
