//! Plain tensors seen through [`Tensors`]: rows of experts, damaged scales, types without a layout.

use std::sync::Arc;

use pollster::block_on;
use qwill_weights::{
    ByteSource, Checkpoint, DType, FileSource, Layout, TensorReader, Tensors, dequantize, gguf, quantize,
    unpack,
};
use serde_json::json;

use crate::common::{Part, Random, message, open_gguf, open_safetensors, safetensors_with, streams};

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

#[test]
fn a_converted_tensor_reads_as_if_it_were_stored_so() {
    let mut random = Random(5);
    let values: Vec<f32> = (0..7 * 512).map(|_| random.normal()).collect();
    let plain = gguf_file("w", &[7, 512], DType::BF16, &quantize(DType::BF16, &values).unwrap());
    let plain = Tensors::new(&plain, None).unwrap().get("w").unwrap().unwrap();
    let mut rounded = vec![0.0; values.len()];
    dequantize(DType::BF16, &quantize(DType::BF16, &values).unwrap(), &mut rounded).unwrap();
    for dtype in [DType::F32, DType::F16, DType::Q8_0, DType::Q4_0, DType::Q4_K, DType::Q3_K, DType::Q6_K] {
        let blocks = quantize(dtype, &rounded).unwrap();
        let stored = gguf_file("w", &[7, 512], dtype, &blocks);
        let stored = Tensors::new(&stored, None).unwrap().get("w").unwrap().unwrap();
        let converted = plain.clone().converted(dtype).unwrap();
        assert_eq!((converted.layout, converted.dtype()), (stored.layout, Some(dtype)));
        assert_eq!((&converted.shape, converted.byte_len), (&plain.shape, plain.byte_len));
        let (stored, converted) = (block_on(stored.open()).unwrap(), block_on(converted.open()).unwrap());
        for rows in [0..7, 2..5, 6..6] {
            let of = |reader: &TensorReader<'_>, layout| streams(reader, rows.clone(), layout).unwrap();
            let row_bytes = blocks.len() / 7;
            let part = &blocks[rows.start * row_bytes..rows.end * row_bytes];
            assert_eq!(block_on(converted.blocks(rows.clone())).unwrap(), part, "{dtype}");
            assert_eq!(block_on(stored.blocks(rows.clone())).unwrap(), part, "{dtype}");
            for layout in [Layout::of(dtype).unwrap(), Layout::F32] {
                assert_eq!(of(&converted, layout), of(&stored, layout), "{dtype} {layout:?}");
            }
        }
    }
    assert_eq!(plain.clone().converted(DType::BF16).unwrap().dtype(), Some(DType::BF16));
    assert_eq!(
        message(plain.clone().converted(DType::IQ2_S).map(drop)),
        "tensor \"w\": weights of type IQ2_S are not supported"
    );
}

#[test]
fn what_a_format_cannot_hold_is_refused_by_row() {
    for (dtype, value, reason) in [
        (DType::Q8_0, f32::NAN, "holds NaN, which no Q8_0 can stand for"),
        (DType::Q4_K, f32::INFINITY, "holds inf, which no Q4_K can stand for"),
        (DType::F16, -70_000.0, "holds 7e4, which is too large for F16"),
        (DType::Q4_0, 1e6, "holds 1e6, which is too large for Q4_0"),
        (DType::Q6_K, -1e30, "holds 1e30, which is too large for Q6_K"),
        (DType::BF16, f32::MAX, "holds 3.4028235e38, which is too large for BF16"),
    ] {
        let mut values = [0.5; 4 * 256];
        values[2 * 256 + 131] = value;
        let file = gguf_file("w", &[4, 256], DType::F32, &quantize(DType::F32, &values).unwrap());
        let tensor = Tensors::new(&file, None).unwrap().get("w").unwrap().unwrap();
        let reader = block_on(tensor.converted(dtype).unwrap().open()).unwrap();
        assert!(block_on(reader.blocks(0..2)).is_ok());
        let expected = format!("tensor \"w\": row 2 {reason}");
        assert_eq!(message(block_on(reader.blocks(1..4))), expected);
        assert_eq!(message(block_on(reader.values(2..3))), expected);
    }
    let narrow = gguf_file("w", &[2, 48], DType::F32, &[0; 384]);
    let narrow = Tensors::new(&narrow, None).unwrap().get("w").unwrap().unwrap();
    assert_eq!(
        message(narrow.converted(DType::Q8_0).map(drop)),
        "tensor \"w\": rows of 48 elements cannot be Q8_0, which comes in blocks of 32"
    );
}

#[test]
fn rows_that_are_not_whole_blocks_get_another_format() {
    for (dtype, row_len, expected) in [
        (DType::Q4_K, 512, DType::Q4_K),
        (DType::Q4_K, 896, DType::Q5_0),
        (DType::Q5_K, 896, DType::Q5_1),
        (DType::Q6_K, 96, DType::Q8_0),
        (DType::Q3_K, 96, DType::Q4_0),
        (DType::IQ4_XS, 96, DType::IQ4_NL),
        (DType::Q4_K, 100, DType::F16),
        (DType::Q8_0, 33, DType::F16),
        (DType::BF16, 33, DType::BF16),
    ] {
        assert_eq!(dtype.for_rows_of(row_len), expected, "{dtype}, {row_len}");
    }
}

#[test]
fn files_on_the_disk_read_as_from_memory() {
    let mut random = Random(9);
    let path = std::env::temp_dir().join(format!("qwill-tensors-{}.safetensors", std::process::id()));
    // Rows that no 32 divides, more than a thread takes at once, and in the last piece fewer than in the others.
    let (n_rows, k) = (3007_usize, 1047_usize);
    let values: Vec<f32> = (0..n_rows * k).map(|_| random.normal()).collect();
    let blocks = n_rows.div_ceil(128) * k.div_ceil(128);
    let scales: Vec<f32> = (0..blocks).map(|_| random.normal()).collect();
    let grid = [n_rows.div_ceil(128), k.div_ceil(128)];
    // Every byte but the two that are no numbers.
    let eighths = (0..n_rows * k).map(|_| random.next() as u8).map(|b| if b & 0x7F == 0x7F { 0 } else { b });
    let file = safetensors_with(&[
        Part::floats("f32", DType::F32, &[n_rows, k], &values),
        Part::floats("bf16", DType::BF16, &[n_rows, k], &values),
        Part::new("f8", DType::F8E4M3, &[n_rows, k], eighths.collect()),
        Part::floats("f8_scale_inv", DType::F32, &grid, &scales),
    ]);
    std::fs::write(&path, &file).unwrap();
    let disk: Arc<dyn ByteSource> = Arc::new(FileSource::open(&path).unwrap());
    let disk = block_on(Checkpoint::open_safetensors(vec![disk], None)).unwrap();
    let memory = open_safetensors(file).unwrap();
    let config = json!({ "quant_method": "fp8", "weight_block_size": [128, 128] });
    for name in ["f32", "bf16", "f8"] {
        let [disk, memory] = [&disk, &memory]
            .map(|file| Tensors::new(file, Some(&config)).unwrap().get(name).unwrap().expect("it is there"));
        let parts = disk.file_parts(5..n_rows);
        assert_eq!(
            parts.iter().map(|part| part.path.clone()).collect::<Vec<_>>(),
            vec![path.clone(); parts.len()]
        );
        let in_parts: u64 = parts.iter().map(|part| part.range.end - part.range.start).sum();
        let row_bytes = (memory.byte_len - if name == "f8" { 4 * blocks as u64 } else { 0 }) / n_rows as u64;
        assert_eq!(in_parts, memory.byte_len - 5 * row_bytes, "{name}");
        assert_eq!(memory.file_parts(5..n_rows), []);
        let layout = disk.layout;
        let [disk, memory] = [disk, memory].map(|tensor| block_on(tensor.open()).unwrap());
        for rows in [0..n_rows, 5..n_rows - 1, 8..9, 4..4] {
            let found = streams(&disk, rows.clone(), layout).unwrap();
            assert!(found == streams(&memory, rows.clone(), layout).unwrap(), "{name} {rows:?}");
            let wanted = &block_on(memory.values(rows.clone())).unwrap();
            assert!(unpack(layout, &found, rows.len(), k) == *wanted, "{name} {rows:?}");
        }
    }
    std::fs::remove_file(path).unwrap();
}
