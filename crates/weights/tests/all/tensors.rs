//! Plain tensors seen through [`Tensors`]: rows of experts, damaged scales, types without a layout.

use pollster::block_on;
use qwill_weights::{Checkpoint, DType, Layout, Tensors, dequantize, gguf, unpack};

use crate::common::{Random, message, open_gguf};

fn gguf_file(name: &str, shape: &[usize], dtype: DType, bytes: &[u8]) -> Checkpoint {
    let mut writer = gguf::Writer::new();
    writer.tensor(name, shape, dtype).unwrap();
    let mut body = writer.start(Vec::new()).unwrap();
    body.write(name, bytes).unwrap();
    open_gguf(body.finish().unwrap()).unwrap()
}

#[test]
fn rows_of_experts_count_on() {
    let mut random = Random(1);
    // 3 experts of 5 rows of two super-blocks; scales are small and finite.
    let mut bytes: Vec<u8> =
        (0..3 * 5 * 2 * DType::Q4_K.block_bytes()).map(|_| random.next() as u8).collect();
    for block in bytes.chunks_exact_mut(DType::Q4_K.block_bytes()) {
        block[1] &= 0x9F;
        block[3] &= 0x9F;
    }
    let mut values = vec![0.0; 15 * 512];
    dequantize(DType::Q4_K, &bytes, &mut values).unwrap();

    let checkpoint = gguf_file("w", &[3, 5, 512], DType::Q4_K, &bytes);
    let tensor = Tensors::new(&checkpoint, None).unwrap().get("w").unwrap().unwrap();
    assert_eq!((tensor.n_rows(), tensor.row_len(), tensor.layout), (15, 512, Layout::Q4K));
    assert_eq!(tensor.format(), "Q4_K");
    assert_eq!((&tensor.shape[..], tensor.byte_len), (&[3, 5, 512][..], bytes.len() as u64));
    let reader = block_on(tensor.open()).unwrap();
    // The end of expert 1 and the start of expert 2.
    let wanted = &values[8 * 512..12 * 512];
    assert_eq!(block_on(reader.values(8..12)).unwrap(), wanted);
    for layout in [Layout::Q4K, Layout::F32] {
        let streams = block_on(reader.streams(8..12, layout)).unwrap();
        assert_eq!(unpack(layout, &streams, 4, 512), wanted, "{layout:?}");
    }
    assert_eq!(
        message(block_on(reader.streams(0..1, Layout::Q8))),
        "tensor \"w\": rows in Q8 asked for, but they are Q4K or F32"
    );
    assert!(
        message(block_on(reader.streams(14..16, Layout::Q4K))).contains("rows 14..16 asked for, it has 15")
    );
}

#[test]
fn scales_that_are_not_finite_are_refused_by_row() {
    for (dtype, at) in [
        (DType::Q4_0, 0),
        (DType::Q4_1, 2),
        (DType::Q5_0, 0),
        (DType::Q5_1, 2),
        (DType::Q8_0, 0),
        (DType::Q2_K, 82),
        (DType::Q3_K, 108),
        (DType::Q4_K, 2),
        (DType::Q5_K, 0),
        (DType::Q6_K, 208),
        (DType::IQ4_NL, 0),
        (DType::IQ4_XS, 0),
    ] {
        let size = dtype.block_bytes();
        let mut bytes = vec![0x35; 4 * 2 * size];
        // The last block of row 2.
        for half in [0x7C00u16, 0xFC00, 0x7E01] {
            bytes[5 * size + at..][..2].copy_from_slice(&half.to_le_bytes());
            let checkpoint = gguf_file("w", &[4, 2 * dtype.block_len()], dtype, &bytes);
            let tensor = Tensors::new(&checkpoint, None).unwrap().get("w").unwrap().unwrap();
            let reader = block_on(tensor.open()).unwrap();
            assert!(block_on(reader.streams(0..2, tensor.layout)).is_ok(), "{dtype}");
            assert_eq!(
                message(block_on(reader.streams(1..4, tensor.layout))),
                "model.gguf: tensor \"w\": the file is damaged: a scale in row 2 is infinite or not a number",
                "{dtype}"
            );
        }
    }
}

#[test]
fn types_without_a_layout_are_refused_by_name() {
    for dtype in [DType::IQ1_S, DType::IQ2_XXS, DType::IQ3_S, DType::TQ1_0, DType::NVFP4, DType::I32] {
        let bytes = vec![0; dtype.block_bytes()];
        let checkpoint = gguf_file("w", &[1, dtype.block_len()], dtype, &bytes);
        assert_eq!(
            message(Tensors::new(&checkpoint, None).unwrap().get("w")),
            format!("model.gguf: tensor \"w\": weights of type {dtype} are not supported")
        );
    }
}
