//! The decode loop: steps run ahead on the GPU while tokens are read late.

use std::collections::VecDeque;

use qwill_models::Outputs;
use qwill_models::step::{Answer, Begin, Output, Sampler, Source, Want};
use serde::Serialize;
use web_time::Instant;

use crate::cache::{AdapterSet, Sequence};
use crate::engine::Engine;
use crate::{Control, Error};

/// Why a reply ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    /// The model ended it, or a stop string did.
    Stop,
    /// The limit on new tokens or the context was reached.
    Length,
    /// The model called tools.
    ToolCalls,
    /// The caller stopped it.
    Aborted,
}

/// How long it took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Timings {
    /// From files to a model that can run.
    pub load_ms: f64,
    /// Until the first token was there.
    pub prefill_ms: f64,
    /// Prompt tokens (without those already in the cache) a second.
    pub prefill_tps: f64,
    /// From the first token to the last.
    pub decode_ms: f64,
    /// Tokens after the first a second.
    pub decode_tps: f64,
}

/// What to generate.
pub(crate) struct Generation<'a> {
    pub(crate) prompt: &'a [u32],
    pub(crate) adapters: &'a AdapterSet,
    pub(crate) sampler: Sampler,
    pub(crate) seed: u64,
    pub(crate) max_tokens: usize,
}

/// What came of it.
pub(crate) struct Generated {
    pub(crate) ids: Vec<u32>,
    pub(crate) cached_tokens: usize,
    pub(crate) timings: Timings,
    pub(crate) limit_reached: bool,
}

impl Generated {
    /// Joins what was generated afterwards, with this as its context.
    pub(crate) fn append(&mut self, rest: Self) {
        let (first, then) = (self.timings, rest.timings);
        let decode_ms = first.decode_ms + then.prefill_ms + then.decode_ms;
        let decoded = first.decode_tps * first.decode_ms + then.decode_tps * then.decode_ms;
        self.timings = Timings { decode_ms, decode_tps: (decoded + 1e3) / decode_ms, ..first };
        self.ids.extend(rest.ids);
        self.limit_reached = rest.limit_reached;
    }
}

/// Steps submitted before a token is waited for. A browser's event loop answers later than a driver does.
const DEPTH: usize = if cfg!(target_arch = "wasm32") { 4 } else { 2 };

/// Refuses a model that has no tokens to give.
pub(crate) fn check_generates(engine: &Engine) -> Result<(), Error> {
    if engine.plan.head.outputs == Outputs::Logits {
        return Ok(());
    }
    Err(Error::Request(
        "this model has no output matrix for tokens: it embeds or scores texts and cannot generate".into(),
    ))
}

/// Generates tokens until `on_token` says stop or the limit is reached. The token that `on_token` stopped at is part
/// of the result.
pub(crate) async fn generate(
    engine: &mut Engine,
    sequence: &mut Sequence,
    generation: Generation<'_>,
    on_token: &mut dyn FnMut(u32) -> Control,
) -> Result<Generated, Error> {
    engine.gpu.check()?;
    check_generates(engine)?;
    let started = Instant::now();
    let prompt = generation.prompt;
    let context_length = engine.options.context_length;
    if prompt.is_empty() {
        return Err(Error::Request("the prompt is empty".into()));
    }
    if let Some(&id) = prompt.iter().find(|&&id| id as usize >= engine.plan.dims.vocab_size) {
        let n = engine.plan.dims.vocab_size;
        return Err(Error::Request(format!("token id {id} is outside the model's vocabulary of {n}")));
    }
    if prompt.len() >= context_length {
        let longest = engine.plan.dims.context_length;
        let hint = if longest > context_length {
            format!("; the model allows a context of up to {longest}")
        } else {
            String::new()
        };
        return Err(Error::PromptTooLong { prompt_tokens: prompt.len(), context_length, hint });
    }
    // A token that is sampled but never fed needs no room of its own.
    let max_tokens = generation.max_tokens.min(context_length - prompt.len() + 1);
    let seed = (generation.seed ^ (generation.seed >> 32)) as u32;
    let cached_tokens = engine.start(sequence, prompt, generation.adapters);
    let mut ids = Vec::new();
    let mut timings = Timings::default();
    if max_tokens == 0 {
        return Ok(Generated { ids, cached_tokens, timings, limit_reached: true });
    }
    let mut begin =
        Some(Begin { slot: 0, sampler: generation.sampler, prompt: prompt.to_vec(), drawn: Vec::new() });
    let draw = |row, index| Output { row, want: Want::Token { seed, index: index as u32 } };

    let mut in_flight = VecDeque::new();
    let mut read = cached_tokens;
    let mut submitted = 0;
    let mut first_token = None;
    let mut stopped = false;
    loop {
        while !stopped && submitted < max_tokens && in_flight.len() < DEPTH {
            let mut step = if read < prompt.len() {
                let part = &prompt[read..prompt.len().min(read + engine.options.chunk)];
                let outputs =
                    if read + part.len() == prompt.len() { vec![draw(part.len() - 1, 0)] } else { vec![] };
                let tokens = part.iter().map(|&id| Source::Id(id)).collect();
                let step = engine.span(sequence, read, tokens, outputs)?;
                sequence.push(part);
                read += part.len();
                step
            } else {
                let position = prompt.len() + submitted - 1;
                engine.span(sequence, position, vec![Source::Next], vec![draw(0, submitted)])?
            };
            submitted += step.spans[0].outputs.len();
            step.begins.extend(begin.take());
            in_flight.push_back(engine.submit(&step).await?);
        }
        let Some(step) = in_flight.pop_front() else { break };
        let Some(Answer::Token(token)) = step.answers().await?.pop() else { continue };
        if stopped {
            // ran ahead of the stop
            continue;
        }
        first_token.get_or_insert_with(Instant::now);
        ids.push(token);
        stopped = on_token(token) == Control::Stop;
        if stopped {
            timings.decode_ms = first_token.map_or(0.0, |t| t.elapsed().as_secs_f64() * 1e3);
        }
    }
    // Keys and values of every token that was fed are in the cache; the last one was not fed for sure.
    sequence.push(&ids[..ids.len().saturating_sub(1)]);
    let fed = sequence.len();
    sequence.truncate(fed, &mut engine.pool);
    if let Some(first_token) = first_token {
        timings.prefill_ms = (first_token - started).as_secs_f64() * 1e3;
        timings.prefill_tps = (prompt.len() - cached_tokens) as f64 / timings.prefill_ms * 1e3;
        if !stopped {
            timings.decode_ms = first_token.elapsed().as_secs_f64() * 1e3;
        }
        if ids.len() > 1 {
            timings.decode_tps = (ids.len() - 1) as f64 / timings.decode_ms * 1e3;
        }
    }
    Ok(Generated { ids, cached_tokens, timings, limit_reached: !stopped })
}
