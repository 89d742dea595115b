//! Loading takes as much of the heap for a large model as for a small one: weights pass through it piece by piece.
//!
//! What a software GPU calls its own memory is not counted: it does not come from Rust's allocator. The numbers of a
//! file of 4 GB are in `tests/bench/load.json`.

use std::io::BufWriter;
use std::path::{Path, PathBuf};

use peak_alloc::PeakAlloc;
use pollster::block_on;
use qwill::{Control, LoadOptions, Model, ModelFiles};
use qwill_weights::DType;
use qwill_weights::gguf::Writer;

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

const HIDDEN: usize = 1024;
const INNER: usize = 3072;
const VOCAB: usize = 16_384;
const MIB: usize = 1 << 20;

/// Every part of a layer with its rows and columns. The formats are those of a usual mixture.
const LAYER: [(&str, &[usize], DType); 11] = [
    ("attn_norm", &[HIDDEN], DType::F32),
    ("attn_q", &[2048, HIDDEN], DType::Q4_K),
    ("attn_k", &[1024, HIDDEN], DType::Q4_K),
    ("attn_v", &[1024, HIDDEN], DType::Q6_K),
    ("attn_q_norm", &[128], DType::F32),
    ("attn_k_norm", &[128], DType::F32),
    ("attn_output", &[HIDDEN, 2048], DType::Q8_0),
    ("ffn_norm", &[HIDDEN], DType::F32),
    ("ffn_gate", &[INNER, HIDDEN], DType::Q4_0),
    ("ffn_up", &[INNER, HIDDEN], DType::BF16),
    ("ffn_down", &[HIDDEN, INNER], DType::BF16),
];

/// A file that is gone when the test is over.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Bytes that are small numbers in every format: no float among them has a large exponent.
fn random_bytes(n: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let words = (0..n.div_ceil(8)).flat_map(|_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state & 0x3b3b_3b3b_3b3b_3b3b).to_le_bytes()
    });
    words.take(n).collect()
}

/// A Qwen3 of so many layers with random weights; its size in bytes.
fn write_model(path: &Path, n_layers: usize) -> u64 {
    let mut writer = Writer::new();
    writer.metadata("general.architecture", "qwen3");
    for (key, n) in [
        ("embedding_length", HIDDEN),
        ("block_count", n_layers),
        ("feed_forward_length", INNER),
        ("attention.head_count", 16),
        ("attention.head_count_kv", 8),
        ("attention.key_length", 128),
        ("context_length", 4096),
    ] {
        writer.metadata(format!("qwen3.{key}"), n as u32);
    }
    writer.metadata("qwen3.attention.layer_norm_rms_epsilon", 1e-6f32);
    writer.metadata("qwen3.rope.freq_base", 1e6f32);
    let mut tensors = vec![
        ("token_embd.weight".to_owned(), vec![VOCAB, HIDDEN], DType::F16),
        ("output_norm.weight".to_owned(), vec![HIDDEN], DType::F32),
    ];
    for layer in 0..n_layers {
        let parts = LAYER.iter();
        tensors.extend(
            parts.map(|(name, shape, dtype)| (format!("blk.{layer}.{name}.weight"), shape.to_vec(), *dtype)),
        );
    }
    for (name, shape, dtype) in &tensors {
        writer.tensor(name, shape, *dtype).unwrap();
    }
    let mut body = writer.start(BufWriter::new(std::fs::File::create(path).unwrap())).unwrap();
    for (name, shape, dtype) in tensors {
        let columns = *shape.last().unwrap();
        let rows: usize = shape.iter().product::<usize>() / columns;
        let bytes = rows * columns / dtype.block_len() * dtype.block_bytes();
        body.write(&name, &random_bytes(bytes)).unwrap();
    }
    body.finish().unwrap();
    std::fs::metadata(path).unwrap().len()
}

/// Most bytes of the heap while a model loads, beyond those before, and those that the model keeps.
fn load(path: &Path) -> (usize, usize) {
    let before = HEAP.current_usage();
    HEAP.reset_peak_usage();
    let options = LoadOptions { context_length: Some(64), ..LoadOptions::default() };
    let files = ModelFiles::from_path(path).unwrap();
    let model = block_on(Model::load(files, &options, &mut |_| Control::Continue)).unwrap();
    let usage = (HEAP.peak_usage() - before, HEAP.current_usage().saturating_sub(before));
    drop(model);
    usage
}

#[test]
fn the_heap_does_not_grow_with_the_model() {
    let scratch = |name: &str| Scratch(Path::new(env!("CARGO_TARGET_TMPDIR")).join(name));
    let (small, large) = (scratch("peak-small.gguf"), scratch("peak-large.gguf"));
    let (small_bytes, large_bytes) = (write_model(&small.0, 2), write_model(&large.0, 12));
    assert!(large_bytes > 240 * MIB as u64 && small_bytes < large_bytes / 3, "{small_bytes} {large_bytes}");
    // what is made once in a process is there before anything is measured
    load(&small.0);
    let ((small_peak, small_kept), (large_peak, large_kept)) = (load(&small.0), load(&large.0));
    println!(
        "{} MB: peak {} KiB, kept {} KiB; {} MB: peak {} KiB, kept {} KiB",
        small_bytes / 1_000_000,
        small_peak >> 10,
        small_kept >> 10,
        large_bytes / 1_000_000,
        large_peak >> 10,
        large_kept >> 10
    );
    assert!(large_peak < 64 * MIB, "the heap grew by {large_peak} bytes while loading {large_bytes}");
    // Launches and buffers are noted for every layer, weights are not.
    let growth = (large_peak - large_kept).saturating_sub(small_peak - small_kept);
    assert!(growth < MIB, "a model four times as large took {growth} more bytes of the heap for a while");
    assert!(large_kept < 32 * MIB, "a loaded model keeps {large_kept} bytes of the heap");
}
