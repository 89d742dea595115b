//! What a GGUF file says of a model: its tensors and the keys of its tokenizer.

use std::collections::HashMap;

use qwill_models::{Plan, TensorRef};
use qwill_text::GgufTokenizer;
use qwill_weights::{Array, Value};
use serde_json::json;

use crate::gguf_metadata::NAMES_KEY;

/// A key of the header.
pub(crate) type KeyValue = (String, Value);

/// A tensor of a GGUF file, and what it is made of: one part, or the matrices of all experts.
pub(crate) struct FileTensor<'p> {
    pub(crate) name: String,
    pub(crate) shape: Vec<usize>,
    pub(crate) parts: Vec<&'p TensorRef>,
}

/// The tensors of a plan as a GGUF file has them, in order of use.
pub(crate) fn file_tensors(plan: &Plan) -> Vec<FileTensor<'_>> {
    let mut tensors: Vec<FileTensor<'_>> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    for part in plan.tensors() {
        let place = *places.entry(&part.gguf).or_insert(tensors.len());
        if let Some(tensor) = tensors.get_mut(place) {
            tensor.parts.push(part);
            continue;
        }
        let shape = match part.expert {
            Some(slice) => [&[slice.n_experts], &part.shape[..]].concat(),
            // llama.cpp has the gate of the shared expert as a vector
            None if part.gguf.ends_with("ffn_gate_inp_shexp.weight") => vec![part.shape[1]],
            None => part.shape.clone(),
        };
        tensors.push(FileTensor { name: part.gguf.clone(), shape, parts: vec![part] });
    }
    tensors
}

/// The keys of a tokenizer.
pub(crate) fn tokenizer_metadata(tokenizer: GgufTokenizer) -> Vec<KeyValue> {
    let list = |strings: &[String]| Value::Array(strings.iter().collect::<Array>());
    let names = (!tokenizer.special_names.is_empty())
        .then(|| (NAMES_KEY.to_owned(), Value::String(json!(tokenizer.special_names).to_string())));
    let all = [
        ("tokenizer.ggml.model", Value::String(tokenizer.model)),
        ("tokenizer.ggml.pre", Value::String(tokenizer.pre)),
        ("tokenizer.ggml.tokens", list(&tokenizer.tokens)),
        ("tokenizer.ggml.token_type", Value::Array(Array::from(&tokenizer.token_types[..]))),
        ("tokenizer.ggml.merges", list(&tokenizer.merges)),
        ("tokenizer.ggml.add_bos_token", Value::Bool(false)),
    ]
    .map(|(key, value)| (key.to_owned(), value));
    names.into_iter().chain(all).collect()
}
