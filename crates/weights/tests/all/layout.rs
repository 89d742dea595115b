//! Device layouts: packing is lossless and lies as documented.

use crate::common::Random;
use qwill_weights::{DType, Error, Layout, dequantize, quantize, repack, unpack};

const WITH_LAYOUT: [DType; 5] = [DType::F32, DType::F16, DType::BF16, DType::Q8_0, DType::Q4_0];

#[test]
fn repacking_and_unpacking_gives_the_dequantised_bits() {
    let mut random = Random(1);
    for dtype in WITH_LAYOUT {
        let layout = Layout::of(dtype).unwrap();
        for (n_rows, units) in [(0, 1), (1, 0), (1, 1), (3, 1), (2, 3), (5, 33), (7, 64), (2, 127)] {
            let k = units * dtype.block_len();
            let values: Vec<f32> = (0..n_rows * k).map(|_| random.normal()).collect();
            let bytes = quantize(dtype, &values).unwrap();
            let mut expected = vec![0.0; values.len()];
            dequantize(dtype, &bytes, &mut expected).unwrap();

            let streams = repack(dtype, &bytes, n_rows, k).unwrap();
            assert_eq!(streams.len(), layout.n_streams());
            for (i, stream) in streams.iter().enumerate() {
                assert_eq!(stream.len(), n_rows * layout.stream_row_words(i, k), "{dtype} {i}");
            }
            let found = unpack(layout, &streams, n_rows, k);
            assert_eq!(found.len(), expected.len());
            for (i, (a, b)) in found.iter().zip(&expected).enumerate() {
                assert_eq!(a.to_bits(), b.to_bits(), "{dtype} {n_rows}x{k} element {i}");
            }
        }
    }
}

#[test]
fn rows_are_padded_with_zeros_to_32_elements() {
    let streams = repack(DType::F16, &quantize(DType::F16, &[1.0; 6]).unwrap(), 2, 3).unwrap();
    let mut row = [0u32; 16];
    row[0] = 0x3C00_3C00;
    row[1] = 0x0000_3C00;
    assert_eq!(streams, [[row, row].concat()]);

    let streams = repack(DType::F32, &quantize(DType::F32, &[2.0; 66]).unwrap(), 2, 33).unwrap();
    let mut row = [0u32; 64];
    row[..33].fill(2f32.to_bits());
    assert_eq!(streams, [[row, row].concat()]);
}

#[test]
fn q8_words_are_in_element_order_and_scales_in_pairs() {
    // Three blocks, so that the last word of scales is half empty.
    let mut bytes = Vec::new();
    for block in 0..3u8 {
        bytes.extend([0x01 + block, 0x3C]);
        bytes.extend((0..32).map(|i| block * 32 + i));
    }
    let streams = repack(DType::Q8_0, &bytes, 1, 96).unwrap();
    let quants: Vec<u8> = streams[0].iter().flat_map(|w| w.to_le_bytes()).collect();
    assert_eq!(quants, (0..96).collect::<Vec<u8>>());
    assert_eq!(streams[1], [0x3C02_3C01, 0x0000_3C03]);
}

#[test]
fn q4_words_hold_eight_neighbours_each() {
    // Element i has nibble i & 15: the low nibbles of the bytes are 0..16, and so are the high.
    let mut bytes = vec![0x00, 0x3C];
    bytes.extend((0..16).map(|i| i | i << 4));
    let streams = repack(DType::Q4_0, &bytes, 1, 32).unwrap();
    assert_eq!(streams[0], [0x7362_5140, 0xFBEA_D9C8, 0x7362_5140, 0xFBEA_D9C8]);
    assert_eq!(streams[1], [0x0000_3C00]);
}

#[test]
fn what_cannot_be_repacked_is_refused() {
    let message = |r: Result<_, Error>| r.map(|_: Vec<Vec<u32>>| ()).unwrap_err().to_string();
    assert_eq!(
        message(repack(DType::IQ4_NL, &[0; 18], 1, 32)),
        "repacking for the device is not supported for IQ4_NL"
    );
    assert_eq!(
        message(repack(DType::Q8_0, &[0; 34], 1, 33)),
        "elements of a row to repack: 33 given, a multiple of 32 needed"
    );
    assert_eq!(
        message(repack(DType::Q8_0, &[0; 34], 2, 32)),
        "bytes to repack: 34 given, 2 rows of 32 elements as Q8_0 needed"
    );
    assert_eq!(
        message(repack(DType::F32, &[0; 4], usize::MAX, 32)),
        format!("bytes to repack: 4 given, {} rows of 32 elements as F32 needed", usize::MAX)
    );
}
