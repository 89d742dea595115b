//! Chat completions in OpenAI's shape.

mod prompt;
mod reader;

use qwill_text::{Specials, StopRules, THINKING_BUDGET_END, Tokenizer};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::reader::ReplyReader;
use crate::generate::{Generation, generate};
use crate::{AdapterUse, Control, Error, FinishReason, Model, SamplingOptions, Timings};

/// A conversation to be continued.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChatRequest {
    /// Messages in OpenAI's shape.
    pub messages: Vec<Value>,
    /// Tools in OpenAI's shape.
    pub tools: Option<Vec<Value>>,
    /// Instead of messages: text that goes to the model as it stands.
    pub prompt: Option<String>,
    /// With a prompt: the text after the gap that the model fills. Code models of Qwen2.5 and later can.
    pub suffix: Option<String>,
    /// Sampling.
    #[serde(flatten)]
    pub sampling: SamplingOptions,
    /// Most tokens of the reply.
    pub max_tokens: Option<usize>,
    /// Strings that end the reply.
    pub stop: Vec<String>,
    /// Whether the model thinks first; absent: as the template has it.
    pub enable_thinking: Option<bool>,
    /// Most tokens of the thoughts, at least 1. Longer ones are ended by a sentence that Qwen3 was trained on, and the
    /// answer follows.
    pub thinking_budget: Option<usize>,
    /// The adapters to answer with; absent: those that [`Model::select_adapters`] named.
    pub adapters: Option<Vec<AdapterUse>>,
}

impl ChatRequest {
    /// One question.
    pub fn user(text: &str) -> Self {
        Self { messages: vec![serde_json::json!({"role": "user", "content": text})], ..Self::default() }
    }
}

/// A call of a tool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ToolCall {
    /// The tool's name.
    pub name: String,
    /// Its arguments, a JSON object as text.
    pub arguments: String,
}

/// Something happened while a reply was made.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ChatEvent {
    /// More of the thoughts.
    Reasoning {
        /// The text.
        text: String,
    },
    /// More of the text.
    Content {
        /// The text.
        text: String,
    },
    /// A whole call of a tool.
    ToolCall(ToolCall),
    /// A token was made, whether or not it shows yet: a chance to stop.
    Token,
}

impl ChatEvent {
    /// The text for the reader, empty for anything else.
    pub fn text(&self) -> &str {
        match self {
            Self::Content { text } => text,
            _ => "",
        }
    }
}

/// Token counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// Tokens of the prompt.
    pub prompt_tokens: usize,
    /// Tokens of the reply, its end included.
    pub completion_tokens: usize,
    /// Prompt tokens that were in the cache already.
    pub cached_tokens: usize,
}

/// A whole reply.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ChatReply {
    /// The text for the reader.
    pub text: String,
    /// The thoughts.
    pub reasoning: String,
    /// Calls of tools.
    pub tool_calls: Vec<ToolCall>,
    /// Why it ended.
    pub finish_reason: FinishReason,
    /// Its tokens.
    pub ids: Vec<u32>,
    /// Token counts.
    pub usage: Usage,
    /// Times.
    pub timings: Timings,
}

impl Model {
    /// The prompt that a request becomes, as text.
    pub fn render(&self, request: &ChatRequest) -> Result<String, Error> {
        Ok(self.prompt(request)?.text)
    }

    /// Answers a request, telling `on_event` about every piece of the reply; it may stop the reply.
    pub async fn chat(
        &mut self,
        request: &ChatRequest,
        on_event: &mut dyn FnMut(ChatEvent) -> Control,
    ) -> Result<ChatReply, Error> {
        if request.thinking_budget == Some(0) {
            return Err(Error::Request(
                "thinking_budget is 0, but must be at least 1; enable_thinking: false answers without thoughts".into(),
            ));
        }
        let adapters = &self.engine.resolve_adapters(request.adapters.as_deref())?;
        let prompt = self.prompt(request)?;
        let tokenizer = self.tokenizer()?.clone();
        let sampler = request.sampling.resolve(&self.generation, tokenizer.n_tokens())?;
        let mut reply = ChatReply {
            text: String::new(),
            reasoning: String::new(),
            tool_calls: Vec::new(),
            finish_reason: FinishReason::Stop,
            ids: Vec::new(),
            usage: Usage { prompt_tokens: prompt.ids.len(), ..Usage::default() },
            timings: Timings::default(),
        };
        let stop = StopRules::new(
            [&self.generation.eos_ids[..], &prompt.eos_ids].concat(),
            [&request.stop[..], &prompt.stop].concat(),
        );
        let budget = request.thinking_budget;
        let mut reader = ReplyReader::new(&tokenizer, stop, prompt.form, budget, &mut reply, on_event);
        let seed = request.sampling.seed.unwrap_or_else(fresh_seed);
        let max_tokens = request.max_tokens.unwrap_or(usize::MAX);
        let generation = Generation { prompt: &prompt.ids, adapters, sampler, seed, max_tokens };
        let (engine, sequence) = (&mut self.engine, &mut self.sequence);
        let mut made = generate(engine, sequence, generation, &mut |id| reader.token(id)).await?;
        if reader.budget_is_spent() {
            reader.end_thoughts();
            end_thoughts(&tokenizer, &mut made.ids)?;
            let context = [&prompt.ids[..], &made.ids].concat();
            let max_tokens = max_tokens.saturating_sub(made.ids.len());
            if max_tokens == 0 || context.len() >= engine.options.context_length {
                made.limit_reached = true;
            } else {
                // The same seed would draw the same numbers again.
                let seed = seed.wrapping_add(1);
                let generation = Generation { prompt: &context, adapters, sampler, seed, max_tokens };
                made.append(generate(engine, sequence, generation, &mut |id| reader.token(id)).await?);
            }
        }
        let control = reader.finish();
        reply.finish_reason = match control {
            Control::Stop => FinishReason::Aborted,
            Control::Continue if made.limit_reached => FinishReason::Length,
            Control::Continue if !reply.tool_calls.is_empty() => FinishReason::ToolCalls,
            Control::Continue => FinishReason::Stop,
        };
        reply.usage.completion_tokens = made.ids.len();
        reply.usage.cached_tokens = made.cached_tokens;
        reply.ids = made.ids;
        reply.timings = Timings { load_ms: self.load_ms, ..made.timings };
        Ok(reply)
    }
}

/// Ends thoughts that have used up their budget: takes their last line breaks away, which may be a part of a token,
/// and appends the sentence that the model was trained on.
fn end_thoughts(tokenizer: &Tokenizer, ids: &mut Vec<u32>) -> Result<(), Error> {
    let mut kept = String::new();
    while let Some(bytes) =
        ids.last().and_then(|&id| tokenizer.token_bytes(id)).filter(|b| b.ends_with(b"\n"))
    {
        ids.pop();
        let text = String::from_utf8_lossy(&bytes);
        kept = text.trim_end_matches('\n').to_owned();
        if !kept.is_empty() {
            break;
        }
    }
    ids.extend(tokenizer.encode(&(kept + THINKING_BUDGET_END), Specials::Parse)?);
    Ok(())
}

/// A seed that differs from run to run.
fn fresh_seed() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    let now = web_time::SystemTime::now().duration_since(web_time::UNIX_EPOCH).unwrap_or_default();
    RandomState::new().hash_one(now.as_nanos())
}

#[cfg(test)]
mod tests {
    use qwill_text::SpecialsOut;

    use super::*;

    #[test]
    fn cut_thoughts_lose_their_line_breaks_and_nothing_else() {
        let file = include_bytes!("../../../tests/golden/tokenizers/tokenizer.json");
        let tokenizer = Tokenizer::from_json(file, None).unwrap();
        for text in ["hm.\n\n", "let (a) {\n", "def f()\n\n\n", "\n\n", "", "one\n two", "字\n"] {
            let mut ids = tokenizer.encode(text, Specials::AsText).unwrap();
            let n = ids.len();
            end_thoughts(&tokenizer, &mut ids).unwrap();
            let kept = text.trim_end_matches('\n');
            assert_eq!(tokenizer.decode(&ids, SpecialsOut::Keep), format!("{kept}{THINKING_BUDGET_END}"));
            assert!(ids.len() > n, "{text:?}");
        }
        // Some of these tokens end in a line break without being one.
        let mixed = tokenizer.encode(" {\n", Specials::AsText).unwrap();
        assert_eq!(mixed.len(), 1);
    }
}
