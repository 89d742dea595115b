//! Files written by gguf-py and ggml (see `data/make_blocks.py`): what they dequantise, quantise
//! and write, this crate must agree with to the bit.

use std::sync::Arc;

use pollster::block_on;
use qwill_weights::{
    ByteSource, Checkpoint, Container, DType, MemorySource, TensorInfo, dequantize, quantize,
};

fn golden() -> Checkpoint {
    let bytes: &'static [u8] = include_bytes!("data/blocks.safetensors");
    let source: Arc<dyn ByteSource> = Arc::new(MemorySource::new("blocks.safetensors", bytes));
    block_on(Checkpoint::open_safetensors(vec![source], None)).unwrap()
}

fn bytes(checkpoint: &Checkpoint, tensor: &TensorInfo) -> Vec<u8> {
    block_on(checkpoint.read_rows(tensor, 0..tensor.n_rows())).unwrap()
}

fn floats(checkpoint: &Checkpoint, tensor: &TensorInfo) -> Vec<f32> {
    let mut out = vec![0.0; tensor.n_rows() * tensor.row_len()];
    dequantize(tensor.dtype, &bytes(checkpoint, tensor), &mut out).unwrap();
    out
}

fn by_name(name: &str) -> DType {
    *DType::ALL.iter().find(|t| t.name() == name).unwrap()
}

#[test]
fn every_format_dequantises_as_in_gguf_py() {
    let golden = golden();
    let mut n = 0;
    for raw in golden.tensors() {
        let Some(name) = raw.name.strip_prefix("raw.") else {
            continue;
        };
        let expected = floats(&golden, golden.tensor(&format!("values.{name}")).unwrap());
        let mut values = vec![f32::NAN; expected.len()];
        dequantize(by_name(name), &bytes(&golden, raw), &mut values).unwrap();
        for (i, (a, b)) in values.iter().zip(&expected).enumerate() {
            // gguf-py's NVFP4 makes +0.0 of what is -0.0 elsewhere; nothing can tell them apart.
            assert!(a == b, "{name} element {i}: {a} instead of {b}");
        }
        n += 1;
    }
    assert_eq!(n, 16);
}

#[test]
fn every_format_quantises_as_in_ggml() {
    let golden = golden();
    let input = floats(&golden, golden.tensor("quantize").unwrap());
    let mut n = 0;
    for tensor in golden.tensors() {
        let Some(name) = tensor.name.strip_prefix("quantized.") else {
            continue;
        };
        let dtype = by_name(name);
        let expected = bytes(&golden, tensor);
        let found = quantize(dtype, &input).unwrap();
        let size = dtype.block_bytes();
        for (i, (a, b)) in found.chunks(size).zip(expected.chunks(size)).enumerate() {
            assert_eq!(a, b, "{name} block {i}");
        }
        n += 1;
    }
    assert_eq!(n, 7);
}

#[test]
fn a_file_of_gguf_pys_is_read() {
    let bytes: &'static [u8] = include_bytes!("data/metadata.gguf");
    let source: Arc<dyn ByteSource> = Arc::new(MemorySource::new("metadata.gguf", bytes));
    let file = block_on(Checkpoint::open_gguf(vec![source])).unwrap();
    assert_eq!(file.container(), Container::Gguf);

    let meta = file.metadata();
    assert_eq!(meta.get_str("general.architecture").unwrap(), Some("qwen3"));
    assert_eq!(meta.get_u64("qwen3.block_count").unwrap(), Some(28));
    assert_eq!(meta.get_f64("qwen3.attention.layer_norm_rms_epsilon").unwrap(), Some(f64::from(1e-6f32)));
    assert_eq!(meta.get_strings("tokenizer.ggml.tokens").unwrap().unwrap(), ["a", "", "Ġé", "<|im_end|>"]);
    assert_eq!(meta.get_i32s("tokenizer.ggml.token_type").unwrap(), Some(vec![1, 1, 1, 3]));
    assert_eq!(meta.get_bool("tokenizer.ggml.add_bos_token").unwrap(), Some(false));
    assert_eq!(meta.get_bools("flags").unwrap(), Some(vec![true, false]));
    assert_eq!(meta.get_i64("negative").unwrap(), Some(-5));
    assert_eq!(meta.get_f64("double").unwrap(), Some(0.1));

    let matrix = file.tensor("matrix").unwrap();
    assert_eq!((&matrix.shape[..], matrix.dtype), (&[2, 3][..], DType::F16));
    assert_eq!(floats(&file, matrix), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
    assert_eq!(floats(&file, file.tensor("norm").unwrap()), [1.0, 2.0, 3.0]);

    let quants = file.tensor("quants").unwrap();
    assert_eq!((&quants.shape[..], quants.dtype), (&[3, 64][..], DType::Q8_0));
    assert_eq!((quants.n_rows(), quants.row_len(), quants.row_bytes()), (3, 64, 68));
    let golden = golden();
    let input = floats(&golden, golden.tensor("quantize").unwrap());
    let row = block_on(file.read_rows(quants, 2..3)).unwrap();
    assert_eq!(row, quantize(DType::Q8_0, &input[512..576]).unwrap());
}
