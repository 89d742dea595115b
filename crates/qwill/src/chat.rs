//! Chat completions in OpenAI's shape.

use qwill_text::{
    ChatInput, ChatTemplate, DecodeStream, Family, GenerationPrompt, ReplyEvent, ReplyParser, ReplyStart,
    Specials, StopRules, Thinking,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::generate::{Generation, generate};
use crate::{Control, Error, FinishReason, Model, SamplingOptions, Timings};

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
    /// Sampling.
    #[serde(flatten)]
    pub sampling: SamplingOptions,
    /// Most tokens of the reply.
    pub max_tokens: Option<usize>,
    /// Strings that end the reply.
    pub stop: Vec<String>,
    /// Whether the model thinks first; absent: as the template has it.
    pub enable_thinking: Option<bool>,
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

/// From tokens to events: detokenises, watches for stop strings, takes the reply apart.
struct ReplyReader<'a> {
    decoder: Option<DecodeStream>,
    stop: StopRules,
    parser: Option<ReplyParser>,
    reply: &'a mut ChatReply,
    on_event: &'a mut dyn FnMut(ChatEvent) -> Control,
    control: Control,
}

impl ReplyReader<'_> {
    fn token(&mut self, id: u32) -> Control {
        if self.stop.is_eos(id) {
            return Control::Stop;
        }
        let text = self.decoder.as_mut().map(|decoder| decoder.push(id)).unwrap_or_default();
        let step = self.stop.push(&text);
        self.text(&step.emit);
        self.tell(ChatEvent::Token);
        if step.stopped.is_some() { Control::Stop } else { self.control }
    }

    fn text(&mut self, text: &str) {
        let events = match &mut self.parser {
            Some(parser) => parser.push(text),
            None if text.is_empty() => vec![],
            None => vec![ReplyEvent::Content(text.to_owned())],
        };
        self.events(events);
    }

    fn events(&mut self, events: Vec<ReplyEvent>) {
        for event in events {
            let event = match event {
                ReplyEvent::Reasoning(text) => {
                    self.reply.reasoning.push_str(&text);
                    ChatEvent::Reasoning { text }
                }
                ReplyEvent::Content(text) => {
                    self.reply.text.push_str(&text);
                    ChatEvent::Content { text }
                }
                ReplyEvent::ToolCall { name, arguments } => {
                    let call = ToolCall { name, arguments };
                    self.reply.tool_calls.push(call.clone());
                    ChatEvent::ToolCall(call)
                }
            };
            self.tell(event);
        }
    }

    fn tell(&mut self, event: ChatEvent) {
        if (self.on_event)(event) == Control::Stop {
            self.control = Control::Stop;
        }
    }

    fn finish(mut self) -> Control {
        let tail = self.decoder.take().map(DecodeStream::finish).unwrap_or_default();
        let step = self.stop.push(&tail);
        let held = step.emit + &self.stop.finish();
        self.text(&held);
        let rest = self.parser.as_mut().map(ReplyParser::finish).unwrap_or_default();
        self.events(rest);
        self.control
    }
}

impl Model {
    /// The prompt that a request becomes, as text.
    pub fn render(&self, request: &ChatRequest) -> Result<String, Error> {
        if let Some(prompt) = &request.prompt {
            return Ok(prompt.clone());
        }
        if request.messages.is_empty() {
            return Err(Error::Request("the request has no messages".into()));
        }
        let has_tools = request.tools.as_ref().is_some_and(|tools| !tools.is_empty());
        let own = if has_tools { &self.templates.tools } else { &self.templates.plain };
        let builtin;
        let template = match own {
            Some(template) => template,
            None => {
                let family =
                    if self.engine.plan.architecture == "qwen3" { Family::Qwen3 } else { Family::Qwen2_5 };
                builtin = ChatTemplate::builtin(family)?;
                &builtin
            }
        };
        let mut input = ChatInput {
            messages: request.messages.clone(),
            tools: request.tools.clone().filter(|_| has_tools),
            add_generation_prompt: GenerationPrompt::Add,
            thinking: match request.enable_thinking {
                None => Thinking::Default,
                Some(true) => Thinking::On,
                Some(false) => Thinking::Off,
            },
            extra: self.tokenizer.as_ref().map(|t| t.config().special_names().clone()).unwrap_or_default(),
        };
        input.prepare_for(template);
        Ok(template.render(&input)?)
    }

    /// Answers a request, telling `on_event` about every piece of the reply; it may stop the reply.
    pub async fn chat(
        &mut self,
        request: &ChatRequest,
        on_event: &mut dyn FnMut(ChatEvent) -> Control,
    ) -> Result<ChatReply, Error> {
        let prompt = self.render(request)?;
        let tokenizer = self.tokenizer()?.clone();
        let ids = tokenizer.encode(&prompt, Specials::Parse)?;
        let sampler = request.sampling.resolve(&self.generation, tokenizer.n_tokens())?;
        let mut reply = ChatReply {
            text: String::new(),
            reasoning: String::new(),
            tool_calls: Vec::new(),
            finish_reason: FinishReason::Stop,
            ids: Vec::new(),
            usage: Usage { prompt_tokens: ids.len(), ..Usage::default() },
            timings: Timings::default(),
        };
        let start =
            if prompt.trim_end().ends_with("<think>") { ReplyStart::Thinking } else { ReplyStart::Content };
        let parser = || ReplyParser::new(start).with_tools(request.tools.as_deref().unwrap_or_default());
        let mut reader = ReplyReader {
            decoder: Some(tokenizer.stream()),
            stop: StopRules::new(self.generation.eos_ids.clone(), request.stop.clone()),
            parser: request.prompt.is_none().then(parser),
            reply: &mut reply,
            on_event,
            control: Control::Continue,
        };
        let generation = Generation {
            prompt: &ids,
            sampler,
            seed: request.sampling.seed.unwrap_or_else(fresh_seed),
            max_tokens: request.max_tokens.unwrap_or(usize::MAX),
        };
        let made =
            generate(&mut self.engine, &mut self.sequence, generation, &mut |id| reader.token(id)).await?;
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

/// A seed that differs from run to run.
fn fresh_seed() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    let now = web_time::SystemTime::now().duration_since(web_time::UNIX_EPOCH).unwrap_or_default();
    RandomState::new().hash_one(now.as_nanos())
}
