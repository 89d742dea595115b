//! Device layouts: packing is lossless and lies as documented.

use crate::common::Random;
use qwill_weights::{DType, Error, Group, Layout, dequantize, quantize, repack, unpack};

/// Every type that has a layout.
fn with_layout() -> impl Iterator<Item = (DType, Layout)> {
    DType::ALL.iter().filter_map(|&dtype| Some((dtype, Layout::of(dtype)?)))
}

/// Repacks rows and compares what they unpack to with what they dequantise to, bit for bit (but any
/// NaN equals any NaN).
fn check(dtype: DType, bytes: &[u8], n_rows: usize, k: usize) {
    let layout = Layout::of(dtype).unwrap();
    let mut expected = vec![0.0; n_rows * k];
    dequantize(dtype, bytes, &mut expected).unwrap();
    let streams = repack(dtype, bytes, n_rows, k).unwrap();
    assert_eq!(streams.len(), layout.n_streams());
    for (i, stream) in streams.iter().enumerate() {
        assert_eq!(stream.len(), n_rows * layout.stream_row_words(i, k), "{dtype} {i}");
    }
    let found = unpack(layout, &streams, n_rows, k);
    assert_eq!(found.len(), expected.len());
    for (i, (a, b)) in found.iter().zip(&expected).enumerate() {
        let same = a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan();
        assert!(same, "{dtype} {n_rows}x{k} element {i}: {a} instead of {b}");
    }
}

#[test]
fn every_type_for_the_device_has_a_layout() {
    let names: Vec<_> = with_layout().map(|(dtype, _)| dtype.name()).collect();
    assert_eq!(
        names,
        [
            "F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K",
            "Q6_K", "IQ4_NL", "IQ4_XS", "MXFP4"
        ]
    );
}

#[test]
fn repacking_and_unpacking_gives_the_dequantised_bits() {
    let mut random = Random(1);
    for (dtype, _) in with_layout() {
        for (n_rows, units) in [(0, 1), (1, 0), (1, 1), (3, 1), (2, 3), (5, 33), (7, 64), (2, 127)] {
            let k = units * dtype.block_len();
            // Random bytes are scales of every size: subnormal, negative, infinite, NaN.
            let len = n_rows * units * dtype.block_bytes();
            let bytes: Vec<u8> = (0..len).map(|_| random.next() as u8).collect();
            check(dtype, &bytes, n_rows, k);
        }
    }
}

#[test]
fn every_byte_everywhere_in_a_block_keeps_its_meaning() {
    for (dtype, _) in with_layout() {
        let size = dtype.block_bytes();
        // Row r is all bytes r; then each byte alone differs from its neighbours.
        let uniform: Vec<u8> = (0..=255u8).flat_map(|byte| vec![byte; size]).collect();
        check(dtype, &uniform, 256, dtype.block_len());
        for at in 0..size {
            let bytes: Vec<u8> = (0..=255u8)
                .flat_map(|byte| (0..size).map(move |i| if i == at { byte } else { 0x35 }))
                .collect();
            check(dtype, &bytes, 256, dtype.block_len());
        }
    }
}

#[test]
fn scales_of_every_kind_survive() {
    // Zeros, the smallest and largest subnormals, the smallest normal, 1, the largest, of both signs.
    let halves: Vec<u16> =
        [0u16, 1, 0x3FF, 0x400, 0x3C00, 0x7BFF].into_iter().flat_map(|h| [h, h | 0x8000]).collect();
    for (dtype, layout) in with_layout().filter(|(_, layout)| layout.block_len() > 1) {
        assert_eq!(layout.block_len(), dtype.block_len());
        let fields: &[usize] = match dtype {
            DType::Q4_1 | DType::Q5_1 | DType::Q4_K | DType::Q5_K => &[0, 2],
            DType::Q2_K => &[80, 82],
            DType::Q3_K => &[108],
            DType::Q6_K => &[208],
            DType::MXFP4 => continue,
            _ => &[0],
        };
        let mut rows = Vec::new();
        for (i, _) in halves.iter().enumerate() {
            let mut block: Vec<u8> = (0..dtype.block_bytes()).map(|k| (37 * k + 11 + i) as u8).collect();
            for (j, &at) in fields.iter().enumerate() {
                block[at..at + 2].copy_from_slice(&halves[(i + 5 * j) % halves.len()].to_le_bytes());
            }
            rows.extend(block);
        }
        check(dtype, &rows, halves.len(), dtype.block_len());
        check(dtype, &rows, 1, halves.len() * dtype.block_len());
    }
}

#[test]
fn rows_of_zero_words_are_zeros() {
    let layouts = with_layout().map(|(_, layout)| layout);
    let groups = [Group::Of32, Group::Of64, Group::Of128];
    let packed = groups.into_iter().flat_map(|g| [Layout::Z4(g), Layout::Z8(g)]).chain([Layout::F8]);
    for layout in layouts.chain(packed) {
        let k = 3 * layout.block_len() + if layout.block_len() == 1 { 70 } else { 0 };
        let streams: Vec<Vec<u32>> =
            (0..layout.n_streams()).map(|s| vec![0; 2 * layout.stream_row_words(s, k)]).collect();
        assert!(streams.iter().all(|words| !words.is_empty()), "{layout:?}");
        assert!(unpack(layout, &streams, 2, k).iter().all(|&v| v == 0.0), "{layout:?}");
        assert_eq!(layout.stream_row_words(layout.n_streams(), k), 0);
    }
}

#[test]
fn weights_take_the_memory_that_they_take_in_the_file() {
    for (dtype, layout) in with_layout() {
        let k = 4096;
        let device: usize = (0..layout.n_streams()).map(|s| layout.stream_row_words(s, k) * 4).sum();
        let file = k / dtype.block_len() * dtype.block_bytes();
        assert!(device >= file && device * 1000 <= file * 1019, "{dtype}: {device} instead of {file}");
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
        message(repack(DType::IQ2_XXS, &[0; 66], 1, 256)),
        "repacking for the device is not supported for IQ2_XXS"
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
