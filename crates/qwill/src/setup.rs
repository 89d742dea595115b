//! The sizes of an engine: what is asked for, what the model allows and what the device holds.

use qwill_engine::{EngineOptions, MAX_OUTPUTS, widest_row_bytes};
use qwill_kernels::{KvType, PAGE};
use qwill_models::{Direction, Plan, Rope};

use crate::{DeviceMemory, Error, LoadOptions};

/// Context that is set up when nobody asks for another; the model's own when that is shorter.
const DEFAULT_CONTEXT: usize = 8192;
/// Texts that run at a time when nobody asks for another number; fewer where steps are shorter.
const DEFAULT_SEQUENCES: usize = 8;
/// Most tokens of a prefill step.
const MAX_CHUNK: usize = 4096;

/// Tokens of a prefill step when nobody asks for another number. CPU devices gain nothing from long steps, except that
/// a mixture's experts then share their weights between more tokens.
fn default_chunk(device: &DeviceMemory, plan: &Plan) -> usize {
    let is_dense = plan.mixtures().next().is_none();
    if device.is_software && is_dense { 128 } else { 512 }
}

/// How an engine is set up for a plan.
pub(crate) struct Setup {
    /// The plan's positions without what a context of this size does not need.
    pub(crate) rope: Rope,
    pub(crate) engine: EngineOptions,
}

/// Chooses the sizes of an engine.
pub(crate) fn set_up(plan: &Plan, device: &DeviceMemory, options: &LoadOptions) -> Result<Setup, Error> {
    let longest = plan.dims.context_length;
    let default = if plan.direction == Direction::Both { MAX_CHUNK } else { DEFAULT_CONTEXT };
    let context_length = options.context_length.unwrap_or(longest.min(default));
    if context_length == 0 {
        return Err(Error::Request("a context of 0 tokens was asked for; it takes at least 1".into()));
    }
    // Extended positions have no hard end; plain ones were never trained past theirs.
    if context_length > longest && plan.rope.extension.is_none() {
        return Err(Error::ContextTooLong { context_length, longest });
    }
    let rope = plan.rope.clone().for_context(context_length);
    let mut chunk = options.prefill_chunk.unwrap_or_else(|| default_chunk(device, plan));
    if chunk == 0 || chunk > MAX_CHUNK {
        return Err(Error::Request(format!(
            "a prefill chunk of {chunk} tokens was asked for; 1 to {MAX_CHUNK} are possible"
        )));
    }
    let rows = device.max_binding_bytes / widest_row_bytes(plan, &rope) as u64 / 64 * 64;
    let largest = rows.min(MAX_CHUNK as u64) as usize;
    if largest == 0 {
        return Err(Error::Request(format!(
            "a step of 64 tokens does not fit a binding of this device, {} bytes",
            device.max_binding_bytes
        )));
    }
    if plan.direction == Direction::Both {
        if context_length > largest {
            return Err(Error::Request(format!(
                "a context of {context_length} tokens was asked for; this model looks both ways, so that a text must fit \
                 one step of at most {largest} on this device"
            )));
        }
        chunk = context_length;
    }
    let chunk = chunk.min(context_length).min(largest);
    let kv = options.kv_type.unwrap_or(KvType::F16);
    // a step has a token for each text that is decoded
    let most_slots = chunk.min(MAX_OUTPUTS);
    let n_slots = options.max_sequences.unwrap_or(DEFAULT_SEQUENCES.min(most_slots));
    if n_slots == 0 || n_slots > most_slots {
        return Err(Error::Request(format!(
            "{n_slots} texts at a time were asked for; 1 to {most_slots} are possible in steps of {chunk} tokens"
        )));
    }
    let n_pages = options.cache_tokens.unwrap_or(0).max(context_length).div_ceil(PAGE);
    Ok(Setup { rope, engine: EngineOptions { context_length, kv, chunk, n_slots, n_pages } })
}
