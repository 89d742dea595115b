//! Settings of a reply, under Ollama's names.

use qwill::{ChatRequest, Model, ResponseFormat};
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::fields::{Fields, shown};

/// What only says how to load and run a model, which the server's start has said.
const SET_UP: [&str; 10] = [
    "num_keep",
    "num_batch",
    "num_gpu",
    "main_gpu",
    "num_thread",
    "use_mmap",
    "use_mlock",
    "low_vram",
    "numa",
    "f16_kv",
];

/// A reply's settings, and the context that it asks for.
pub(super) struct Settings {
    pub(super) request: ChatRequest,
    context: Option<usize>,
}

impl Settings {
    /// Takes out what all routes that generate have in common.
    pub(super) fn take(fields: &mut Fields) -> Result<Self, Failure> {
        let mut request = ChatRequest {
            response_format: format(fields.any("format"))?,
            logprobs: fields.take("logprobs", "true or false")?,
            top_logprobs: fields.count("top_logprobs")?,
            ..ChatRequest::default()
        };
        think(&mut request, fields.any("think"))?;
        // What is too long is refused, whatever this says.
        fields.only("truncate", &[json!(true), json!(false)])?;
        fields.only("shift", &[json!(true), json!(false)])?;
        let mut context = None;
        if let Some(mut options) = fields.object("options")? {
            options.ignore(&SET_UP);
            context = options.count("num_ctx")?;
            take_options(&mut request, &mut options)?;
            options.end()?;
        }
        Ok(Self { request, context })
    }

    /// Refuses a context that the model was not loaded with.
    pub(super) fn check(&self, model: &Model) -> Result<(), Failure> {
        let loaded = model.info().context_length;
        match self.context {
            Some(wanted) if wanted > loaded => Err(Failure::invalid(format!(
                "options.num_ctx is {wanted}, but the model is served with a context of {loaded}; qwill serve --context sets it"
            ))),
            _ => Ok(()),
        }
    }
}

fn take_options(request: &mut ChatRequest, options: &mut Fields) -> Result<(), Failure> {
    let sampling = &mut request.sampling;
    sampling.temperature = options.number("temperature")?;
    sampling.top_k = options.take("top_k", "a whole number from 0 on")?;
    sampling.top_p = options.number("top_p")?;
    sampling.min_p = options.number("min_p")?;
    sampling.repetition_penalty = options.number("repeat_penalty")?;
    sampling.presence_penalty = options.number("presence_penalty")?;
    sampling.frequency_penalty = options.number("frequency_penalty")?;
    // a negative one means any
    sampling.seed = options.take::<i64>("seed", "a whole number")?.and_then(|seed| u64::try_from(seed).ok());
    let most: Option<i64> = options.take("num_predict", "a whole number; -1 is as many as fit")?;
    request.max_tokens = most.and_then(|most| usize::try_from(most).ok());
    request.stop = options.texts("stop")?;
    options.only("mirostat", &[json!(0)])?;
    options.only("tfs_z", &[json!(1), json!(1.0)])?;
    options.only("typical_p", &[json!(1), json!(1.0)])?;
    // Penalties look at the whole text.
    options.only("repeat_last_n", &[json!(-1)])?;
    options.only("penalize_newline", &[json!(true)])
}

/// Whether to think, and how much.
fn think(request: &mut ChatRequest, value: Value) -> Result<(), Failure> {
    request.enable_thinking = match &value {
        Value::Null => None,
        Value::Bool(thinks) => Some(*thinks),
        Value::String(effort) if ["low", "medium", "high"].contains(&effort.as_str()) => Some(true),
        other => {
            let message =
                format!("think must be true, false, \"low\", \"medium\" or \"high\", not {}", shown(other));
            return Err(Failure::invalid(message));
        }
    };
    request.thinking_budget = match value.as_str() {
        Some("low") => Some(1024),
        Some("medium") => Some(4096),
        Some("high") => Some(16_384),
        _ => None,
    };
    Ok(())
}

fn format(value: Value) -> Result<Option<ResponseFormat>, Failure> {
    match value {
        Value::Null => Ok(None),
        Value::String(format) if format.is_empty() => Ok(None),
        Value::String(format) if format == "json" => Ok(Some(ResponseFormat::JsonObject)),
        schema @ Value::Object(_) => Ok(Some(ResponseFormat::schema(schema))),
        other => {
            Err(Failure::invalid(format!("format must be \"json\" or a JSON schema, not {}", shown(&other))))
        }
    }
}
