//! The same checkpoint as GGUF, in every format this version reads, single or mixed within one weight.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pollster::block_on;
use qwill::{Control, EvalCase, KvType, LoadOptions, Model, ModelFiles, WantedLogits};
use qwill_models::{Config, Plan, TensorRef};
use qwill_weights::{
    ByteSource, Checkpoint, DType, FileSource, MemorySource, Value as Metadata, dequantize, gguf, quantize,
};
use serde_json::Value;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden").join(name)
}

fn json(path: PathBuf) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Writes the checkpoint as GGUF; `format` says how each matrix is stored. Values are rounded to that format.
fn as_gguf(name: &str, format: &dyn Fn(&TensorRef) -> DType) -> ModelFiles {
    let config = json(golden(name).join("config.json"));
    let plan: Plan = qwill_models::plan(&Config::new(config.clone())).unwrap();
    let shard = FileSource::open(golden(name).join("model.safetensors")).unwrap();
    let checkpoint = block_on(Checkpoint::open_safetensors(vec![Arc::new(shard)], None)).unwrap();
    let mut writer = gguf::Writer::new();
    let architecture = plan.architecture;
    writer.metadata("general.architecture", Metadata::String(architecture.into()));
    let dims = &plan.dims;
    for (key, value) in [
        ("block_count", dims.n_layers),
        ("context_length", dims.context_length),
        ("embedding_length", dims.hidden_size),
        ("feed_forward_length", dims.intermediate_size),
        ("attention.head_count", dims.n_heads),
        ("attention.head_count_kv", dims.n_kv_heads),
        ("attention.key_length", dims.head_dim),
    ] {
        writer.metadata(format!("{architecture}.{key}"), Metadata::U32(value as u32));
    }
    let float = |key: &str| config[key].as_f64().unwrap() as f32;
    writer.metadata(format!("{architecture}.rope.freq_base"), Metadata::F32(float("rope_theta")));
    let eps = Metadata::F32(float("rms_norm_eps"));
    writer.metadata(format!("{architecture}.attention.layer_norm_rms_epsilon"), eps);
    let stored = |tensor: &TensorRef| if tensor.shape.len() == 1 { DType::F32 } else { format(tensor) };
    for tensor in plan.tensors() {
        writer.tensor(&tensor.gguf, &tensor.shape, stored(tensor)).unwrap();
    }
    let mut body = writer.start(Vec::new()).unwrap();
    for tensor in plan.tensors() {
        let info = checkpoint.tensor(&tensor.hf).unwrap();
        let bytes = block_on(checkpoint.read_rows(info, 0..info.n_rows())).unwrap();
        let mut values = vec![0.0; tensor.shape.iter().product()];
        dequantize(info.dtype, &bytes, &mut values).unwrap();
        body.write(&tensor.gguf, &quantize(stored(tensor), &values).unwrap()).unwrap();
    }
    let bytes = body.finish().unwrap();
    let source: Arc<dyn ByteSource> = Arc::new(MemorySource::new("made.gguf", bytes));
    ModelFiles::from_sources("made", vec![source])
}

fn logits(files: ModelFiles, ids: &[u32], mask: &str) -> Vec<f32> {
    let options = LoadOptions {
        kv_type: Some(KvType::F32),
        context_length: Some(256),
        caps_mask: mask.into(),
        ..LoadOptions::default()
    };
    let model = block_on(Model::load(files, &options, &mut |_| Control::Continue)).unwrap();
    let case = EvalCase { ids: ids.to_vec(), logits: WantedLogits::All, ..EvalCase::default() };
    let prefill = block_on(model.eval(&case)).unwrap().logits;
    let steps = block_on(model.eval(&EvalCase { chunk: Some(1), ..case })).unwrap().logits;
    let apart = difference(&prefill, &steps);
    assert!(apart <= 5e-5, "decode and prefill differ by {apart:e}");
    prefill
}

fn difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

fn prompt(name: &str) -> Vec<u32> {
    let expected = json(golden(name).join("expected.json"));
    serde_json::from_value(expected["prompts"]["L33"].clone()).unwrap()
}

/// Float formats hold these checkpoints exactly, so the logits are those of the safetensors file.
#[test]
fn float_formats_change_nothing() {
    for (name, format) in [
        ("qwen3-f32", DType::F32),
        ("qwen3-tied", DType::BF16),
        ("qwen2-tied", DType::BF16),
        ("qwen2-headdim", DType::F32),
    ] {
        let ids = prompt(name);
        let original = logits(ModelFiles::from_path(golden(name)).unwrap(), &ids, "");
        let converted = logits(as_gguf(name, &|_| format), &ids, "");
        let worst = difference(&original, &converted);
        assert!(worst <= 1e-5, "{name} as {format}: logits differ by {worst:e}");
    }
}

/// Formats that differ between the parts of a stacked weight: each part is dequantised on its own.
#[test]
fn mixed_formats_within_a_weight() {
    let mixed = |tensor: &TensorRef| match &tensor.gguf {
        n if n.contains("attn_v") || n.contains("ffn_up") => DType::Q8_0,
        n if n.contains("attn_k") || n.contains("token_embd") => DType::F16,
        n if n.contains("ffn_down") => DType::Q4_0,
        _ => DType::F32,
    };
    for name in ["qwen3-tied", "qwen2-tied"] {
        let ids = prompt(name);
        // what the mixed file holds, in f32
        let rounded = |files: ModelFiles| logits(files, &ids, "");
        let truth = rounded(dequantised(name, &mixed));
        for mask in ["", "no-software", "max-binding=384KiB"] {
            let worst = difference(&truth, &logits(as_gguf(name, &mixed), &ids, mask));
            assert!(worst <= 1e-4, "{name} [{mask}]: logits differ by {worst:e}");
        }
    }
}

/// The GGUF of [`as_gguf`] with every matrix dequantised to f32 again.
fn dequantised(name: &str, format: &dyn Fn(&TensorRef) -> DType) -> ModelFiles {
    let config = Config::new(json(golden(name).join("config.json")));
    let plan = qwill_models::plan(&config).unwrap();
    let mut files: Vec<Arc<dyn ByteSource>> = Vec::new();
    let shard = FileSource::open(golden(name).join("model.safetensors")).unwrap();
    let checkpoint = block_on(Checkpoint::open_safetensors(vec![Arc::new(shard)], None)).unwrap();
    let mut tensors = Vec::new();
    for tensor in plan.tensors() {
        let info = checkpoint.tensor(&tensor.hf).unwrap();
        let bytes = block_on(checkpoint.read_rows(info, 0..info.n_rows())).unwrap();
        let mut values = vec![0.0; tensor.shape.iter().product()];
        dequantize(info.dtype, &bytes, &mut values).unwrap();
        if tensor.shape.len() == 2 {
            let stored = quantize(format(tensor), &values).unwrap();
            dequantize(format(tensor), &stored, &mut values).unwrap();
        }
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        tensors.push((tensor.hf.clone(), tensor.shape.clone(), bytes));
    }
    let views = tensors.iter().map(|(name, shape, bytes)| {
        (name, safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape.clone(), bytes).unwrap())
    });
    let bytes = safetensors::serialize(views, None).unwrap();
    files.push(Arc::new(MemorySource::new("model.safetensors", bytes)));
    files.push(Arc::new(FileSource::open(golden(name).join("config.json")).unwrap()));
    ModelFiles::from_sources(name, files)
}

/// A file split in three, of which any part may be named.
#[test]
fn a_split_file_is_one_model() {
    let whole = golden("g-qwen2/g-qwen2-Q8_0.gguf");
    let checkpoint =
        block_on(Checkpoint::open_gguf(vec![Arc::new(FileSource::open(&whole).unwrap())])).unwrap();
    let tensors: Vec<_> = checkpoint.tensors().collect();
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let part = |n: usize| directory.join(format!("tiny-{n:05}-of-00003.gguf"));
    for (at, tensors) in tensors.chunks(tensors.len().div_ceil(3)).enumerate() {
        let mut writer = gguf::Writer::new();
        if at == 0 {
            for (key, value) in checkpoint.metadata().iter() {
                writer.metadata(key, value.clone());
            }
        }
        writer.metadata("split.no", at as u16);
        writer.metadata("split.count", 3u16);
        for tensor in tensors {
            writer.tensor(&tensor.name, &tensor.shape, tensor.dtype).unwrap();
        }
        let mut body = writer.start(Vec::new()).unwrap();
        for tensor in tensors {
            let bytes = block_on(checkpoint.read_rows(tensor, 0..tensor.n_rows())).unwrap();
            body.write(&tensor.name, &bytes).unwrap();
        }
        std::fs::write(part(at + 1), body.finish().unwrap()).unwrap();
    }
    let ids: Vec<u32> = (1..20).collect();
    let wanted = logits(ModelFiles::from_path(&whole).unwrap(), &ids, "");
    for n in 1..=3 {
        assert_eq!(logits(ModelFiles::from_path(part(n)).unwrap(), &ids, ""), wanted);
    }
    std::fs::remove_file(part(2)).unwrap();
    let error = ModelFiles::from_path(part(1)).unwrap_err().to_string();
    assert!(error.contains("tiny-00002-of-00003.gguf"), "{error}");
}
