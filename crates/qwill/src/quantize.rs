//! Writes models as GGUF files, converted to another number format on the way.

use std::io::Write;
use std::path::Path;

use qwill_engine::find;
use qwill_models::{Plan, TensorRef, gguf_from_config};
use qwill_weights::{ByteSource, Container, DType, Tensors, Value, gguf};

use crate::files::Opened;
use crate::gguf_file::{KeyValue, file_tensors, tokenizer_metadata};
use crate::new_file::{Existing, NewFile, failed};
use crate::templates::DEFAULT;
use crate::weight_format::{TensorFormats, WeightFormat};
use crate::{Control, Error, LoadProgress, ModelFiles, RandomModel, RandomTokenizer};

/// Bytes that are in memory at a time, as f32.
const CHUNK: usize = 16 << 20;

/// Writes a model as one GGUF file that llama.cpp and this library read, its matrices in another format.
///
/// Layers of GPTQ, AWQ and FP8 are converted like floats, since GGUF has no such blocks; what is in a block format of GGUF
/// stays as it is, since quantising twice only loses. `progress` is told about bytes that were read and may stop it.
///
/// # Errors
/// [`Error::Files`] if the file is there already or cannot be written, [`Error::Weights`] with the tensor and the row for
/// weights that are not finite or too large for the format, and whatever opening the files says.
pub async fn quantize(
    files: ModelFiles,
    format: WeightFormat,
    to: &Path,
    existing: Existing,
    progress: &mut dyn FnMut(LoadProgress) -> Control,
) -> Result<(), Error> {
    let opened = files.open().await?;
    let plan = crate::opened::plan(&opened)?;
    let tensors = crate::opened::tensors(&opened)?;
    let bytes_total = crate::opened::total_bytes(&crate::opened::stored_rows(&opened, &plan)?);
    let mut writer = gguf::Writer::new();
    for (key, value) in metadata(&opened, &plan)? {
        writer.metadata(key, value);
    }
    writer.metadata("general.quantization_version", 2u32);
    writer.metadata("general.file_type", format.file_type());
    let formats = TensorFormats::of_model(format, &plan);
    let announced = file_tensors(&plan);
    let mut dtypes = Vec::new();
    for tensor in &announced {
        let dtype = stored_dtype(&tensors, &plan, &formats, tensor.parts[0])?;
        writer.tensor(&tensor.name, &tensor.shape, dtype)?;
        dtypes.push(dtype);
    }

    let mut file = NewFile::create(to, existing)?;
    let mut body = writer.start(&mut file).map_err(|e| failed(to, e))?;
    let mut bytes_done = 0;
    for (tensor, dtype) in announced.iter().zip(dtypes) {
        for part in &tensor.parts {
            let (stored, all_rows) = find(&tensors, plan.architecture, part)?;
            let reader = stored.clone().converted(dtype)?.open().await?;
            let chunk = (CHUNK / 4 / stored.row_len().max(1)).max(1);
            for first in all_rows.clone().step_by(chunk) {
                let rows = first..(first + chunk).min(all_rows.end);
                let blocks = reader.blocks(rows.clone()).await?;
                body.write(&tensor.name, &blocks).map_err(|e| failed(to, e))?;
                bytes_done += stored.bytes_of(rows);
                if progress(LoadProgress { bytes_done, bytes_total }) == Control::Stop {
                    return Err(Error::Aborted);
                }
            }
        }
    }
    body.finish().map_err(|e| failed(to, e))?;
    file.finish()
}

impl RandomModel {
    /// Writes the model as a GGUF file, with a tokenizer of bytes. `progress` is told about bytes that were written and may
    /// stop it.
    ///
    /// # Errors
    /// [`Error::Files`] if the file is there already or cannot be written.
    pub async fn write(
        &self,
        to: &Path,
        existing: Existing,
        progress: &mut dyn FnMut(LoadProgress) -> Control,
    ) -> Result<(), Error> {
        let source = self.source(RandomTokenizer::Bytes)?;
        let mut file = NewFile::create(to, existing)?;
        for start in (0..source.len()).step_by(CHUNK) {
            let end = (start + CHUNK as u64).min(source.len());
            file.write_all(&source.read(start..end).await?).map_err(|e| file.failed(e))?;
            if progress(LoadProgress { bytes_done: end, bytes_total: source.len() }) == Control::Stop {
                return Err(Error::Aborted);
            }
        }
        file.finish()
    }
}

/// The type that a tensor has in the new file.
fn stored_dtype(
    tensors: &Tensors<'_>,
    plan: &Plan,
    formats: &TensorFormats,
    part: &TensorRef,
) -> Result<DType, Error> {
    let own = find(tensors, plan.architecture, part)?.0.dtype();
    Ok(match (formats.dtype(part), own) {
        (Some(_), Some(own)) if own.block_len() > 1 => own,
        (Some(dtype), _) => dtype,
        (None, _) => DType::F32,
    })
}

/// What the new file says about the model: all that a GGUF file said, or what the files beside safetensors mean.
fn metadata(opened: &Opened, plan: &Plan) -> Result<Vec<KeyValue>, Error> {
    if opened.checkpoint.container() == Container::Gguf {
        let old = opened.checkpoint.metadata().iter();
        let kept = old.filter(|(key, _)| !key.starts_with("split."));
        return Ok(kept.map(|(key, value)| (key.to_owned(), value.clone())).collect());
    }
    let mut all = gguf_from_config(&opened.config, plan);
    all.push(("general.type".to_owned(), Value::from("model")));
    all.push(("general.name".to_owned(), Value::from(opened.name.as_str())));
    let Some(tokenizer) = &opened.tokenizer else { return Ok(all) };
    all.extend(tokenizer_metadata(tokenizer.to_gguf(plan.dims.vocab_size)?));
    let mut put = |key: &str, value: Value| all.push((key.to_owned(), value));

    let generation = &opened.generation;
    // Qwen1 names no first token; llama.cpp would take token 11, a comma. Its converter takes the end of a text.
    let bos = opened.config.get("bos_token_id").and_then(serde_json::Value::as_u64);
    let ids = [
        ("bos", bos.map(|id| id as u32).or_else(|| tokenizer.id_of("<|endoftext|>"))),
        ("eos", generation.eos_ids.first().copied()),
        ("eot", generation.eos_ids.get(1).copied()),
        ("padding", generation.pad_id),
    ];
    for (name, id) in ids {
        if let Some(id) = id {
            put(&format!("tokenizer.ggml.{name}_token_id"), Value::U32(id));
        }
    }
    if !tokenizer.encode_for_embedding("")?.is_empty() {
        put("tokenizer.ggml.add_eos_token", Value::Bool(true));
    }
    if generation.do_sample {
        put("general.sampling.temp", Value::F32(generation.temperature));
        put("general.sampling.top_k", Value::I32(generation.top_k as i32));
        put("general.sampling.top_p", Value::F32(generation.top_p));
        put("general.sampling.min_p", Value::F32(generation.min_p));
    }
    for (name, source) in opened.templates.sources() {
        let name = if name == DEFAULT { String::new() } else { format!(".{name}") };
        put(&format!("tokenizer.chat_template{name}"), Value::from(source));
    }
    Ok(all)
}
