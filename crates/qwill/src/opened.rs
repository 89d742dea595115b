//! What the opened files of a model say: its plan, and where its tensors lie.

use std::collections::{HashMap, HashSet};

use qwill_engine::{StoredRows, find};
use qwill_models::{Outputs, Plan};
use qwill_weights::{Container, DType, Tensors};

use crate::files::Opened;
use crate::weight_format::TensorFormats;
use crate::{Error, LoadOptions, ModelFiles};

/// A model's files with what `options` say about its configuration.
pub(crate) async fn open(files: ModelFiles, options: &LoadOptions) -> Result<Opened, Error> {
    let mut opened = files.open().await?;
    if let Some(scaling) = options.rope_scaling {
        opened.config = scaling.apply(&opened.config).map_err(|source| opened.config_error(source))?;
    }
    Ok(opened)
}

/// The plan of a model's files.
pub(crate) fn plan(opened: &Opened) -> Result<Plan, Error> {
    let plan = qwill_models::plan(&opened.config).map_err(|source| opened.config_error(source))?;
    check_all_used(opened, &plan)?;
    if plan.head.outputs == Outputs::Logits && !has_output_matrix(opened, &plan)? {
        return Ok(plan.without_logits());
    }
    Ok(plan)
}

/// Whoever made a GGUF file put into it what the model needs: a tensor that the plan has no use for, such as
/// `rope_freqs.weight` or a bias, would be missing from the results.
fn check_all_used(opened: &Opened, plan: &Plan) -> Result<(), Error> {
    let checkpoint = &opened.checkpoint;
    if checkpoint.container() != Container::Gguf {
        return Ok(());
    }
    let used: HashSet<&str> = plan.tensors().into_iter().map(|part| part.gguf.as_str()).collect();
    // An embedding model may bring the matrix that it does without, a reranker rows of its own a second time.
    let copies = ["output.weight", "cls.output.weight"];
    let is_used = |name: &str| used.contains(name) || copies.contains(&name);
    match checkpoint.tensors().find(|tensor| !is_used(&tensor.name)) {
        None => Ok(()),
        Some(tensor) => Err(qwill_weights::Error::Tensor {
            file: checkpoint.sources()[tensor.source].name().to_owned(),
            tensor: tensor.name.clone(),
            reason: format!(
                "it is no part of a {} model as this version knows it, and without it replies would be wrong",
                plan.architecture
            ),
        }
        .into()),
    }
}

/// Embedding models are saved as the bare decoder, whatever class their configuration names: `embed_tokens.weight`
/// without the prefix `model.`, and no `lm_head.weight` even where it is not tied.
fn has_output_matrix(opened: &Opened, plan: &Plan) -> Result<bool, Error> {
    let tensors = tensors(opened)?;
    let is_bare_decoder = tensors.get("embed_tokens.weight")?.is_some();
    let mut parts = plan.head.layers.iter().flat_map(|layer| &layer.weight.parts);
    Ok(!is_bare_decoder || parts.all(|part| find(&tensors, plan.architecture, part).is_ok()))
}

/// The types that tensors are converted to while they are loaded.
pub(crate) fn conversions(plan: &Plan, options: &LoadOptions) -> HashMap<String, DType> {
    let formats = options.quantize.map(|format| TensorFormats::of_model(format, plan));
    formats.map(|formats| formats.by_name(plan)).unwrap_or_default()
}

/// The tensors of a model's files.
pub(crate) fn tensors(opened: &Opened) -> Result<Tensors<'_>, Error> {
    Ok(Tensors::new(&opened.checkpoint, opened.config.get("quantization_config"))?)
}

/// Finds all tensors of a plan, in its order, and checks their shapes.
pub(crate) fn stored_rows<'c>(opened: &'c Opened, plan: &Plan) -> Result<Vec<StoredRows<'c>>, Error> {
    let tensors = tensors(opened)?;
    plan.tensors().into_iter().map(|tensor| Ok(find(&tensors, plan.architecture, tensor)?)).collect()
}

/// Bytes of the files that rows stand for.
pub(crate) fn total_bytes(stored: &[StoredRows<'_>]) -> u64 {
    stored.iter().map(|(tensor, rows)| tensor.bytes_of(rows.clone())).sum()
}
