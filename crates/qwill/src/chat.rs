//! Chat completions in OpenAI's shape.

mod checks;
mod choices;
mod effort;
mod field;
mod fields;
mod format;
mod limits;
mod logprobs;
mod message;
mod prompt;
mod reader;
mod stream;
mod tag_places;

use std::collections::BTreeMap;

use qwill_text::StopRules;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use self::choices::{ChatChoices, ChoiceEvent};
use self::effort::Effort;
pub use self::format::{GrammarSyntax, GrammarText, NamedSchema, ResponseFormat, ToolChoice};
use self::limits::Thoughts;
pub use self::logprobs::{CompletionLogprobs, ReplyLogprobs, TokenLogprob, TopLogprob};
pub use self::message::Message;
use self::reader::ReplyReader;
pub use self::stream::ChatStream;
pub use qwill_scheduler::Speculation;

use crate::requests::Generation;
use crate::{AdapterUse, Control, Error, Model, SamplingOptions, Timings};

/// A conversation to be continued.
///
/// As JSON it has OpenAI's shape: `stop` may be one text, `max_completion_tokens` is `max_tokens`, and what is not known or
/// not served yet is refused by name.
///
/// ```
/// use qwill::{ChatRequest, Message};
///
/// let request = ChatRequest {
///     max_tokens: Some(100),
///     ..ChatRequest::new([Message::system("Be brief."), Message::user("Why is the sky blue?")])
/// };
/// let text = r#"{"messages": [{"role": "system", "content": "Be brief."},
///     {"role": "user", "content": "Why is the sky blue?"}], "max_completion_tokens": 100}"#;
/// assert_eq!(serde_json::from_str::<ChatRequest>(text)?, request);
///
/// let wrong = serde_json::from_str::<ChatRequest>(r#"{"temp": 0.5}"#).unwrap_err();
/// assert_eq!(wrong.to_string(), "the field \"temp\" is not known");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Map<String, Value>")]
pub struct ChatRequest {
    /// The conversation so far.
    pub messages: Vec<Message>,
    /// Tools in OpenAI's shape. Calls of one that says `strict` obey its parameters' schema.
    pub tools: Option<Vec<Value>>,
    /// Whether the reply calls tools; absent: as the model likes.
    pub tool_choice: Option<ToolChoice>,
    /// Whether it may call several; absent: yes.
    pub parallel_tool_calls: Option<bool>,
    /// What its text must be.
    pub response_format: Option<ResponseFormat>,
    /// Instead: a regular expression that its text matches as a whole.
    pub regex: Option<String>,
    /// Instead: a grammar that its text follows.
    pub grammar: Option<GrammarText>,
    /// Instead of messages: text that goes to the model as it stands.
    pub prompt: Option<String>,
    /// With a prompt: the text after the gap that the model fills. Code models of Qwen2.5 and later can.
    pub suffix: Option<String>,
    /// Sampling.
    #[serde(flatten)]
    pub sampling: SamplingOptions,
    /// Added to the logits of tokens, by id, before penalties and temperature: -100 to 100, of at most 1024 tokens. At usual
    /// temperatures -100 forbids a token, and 100 forces it.
    pub logit_bias: Option<BTreeMap<u32, f32>>,
    /// Whether to tell how likely each token was: under the softmax of the logits as the model gives them, before biases,
    /// penalties and temperature.
    pub logprobs: Option<bool>,
    /// With logprobs: how many of the most likely tokens to tell in each place, up to 20.
    pub top_logprobs: Option<usize>,
    /// How many replies, 1 to 128, see [`Model::choices`].
    pub n: Option<usize>,
    /// With a prompt and no suffix: whether it is the beginning of the reply's text, and of its logprobs. Then these are told
    /// of the prompt even if max_tokens is 0.
    pub echo: Option<bool>,
    /// Most tokens of the reply.
    pub max_tokens: Option<usize>,
    /// Strings that end the reply.
    pub stop: Vec<String>,
    /// Whether the model thinks first; absent: as the template has it.
    pub enable_thinking: Option<bool>,
    /// Most tokens of the thoughts, at least 1. Longer ones are ended by a sentence that Qwen3 was trained on, and the
    /// answer follows.
    pub thinking_budget: Option<usize>,
    /// Whether names of special tokens that people, tools and programs wrote (`<|im_end|>`, `<think>`, `</tool_call>`) are
    /// ordinary text; absent: they are. `false` makes tokens of them, as transformers does: only for text that nobody else
    /// has a hand in, since a page that a tool returns could forge an answer.
    pub split_special_tokens: Option<bool>,
    /// The name of one of the model's own chat templates; absent: `tool_use` with tools, if there is one, else `default`.
    pub chat_template: Option<String>,
    /// The adapters to answer with; absent: those that [`Model::select_adapters`] named.
    pub adapters: Option<Vec<AdapterUse>>,
    /// Whether tokens are guessed and then checked several a step, which changes how fast a reply comes and not what it is, up to
    /// what [`Model::chat`] says of rounding; absent: they are not. Worth it where a reply repeats its prompt: code that is
    /// edited, texts that are quoted. Nothing is guessed where something limits the reply (a format, strict tools) or where
    /// penalties do, which some models have by default ([`Model::generation_config`]), nor while as many texts run as can.
    pub speculation: Option<Speculation>,
}

impl ChatRequest {
    /// A conversation, with everything else as the model has it.
    pub fn new(messages: impl IntoIterator<Item = Message>) -> Self {
        Self { messages: messages.into_iter().collect(), ..Self::default() }
    }

    /// One question.
    pub fn user(text: &str) -> Self {
        Self::new([Message::user(text)])
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

/// A part of a call of a tool, as in OpenAI's chunks: its name first, then pieces of its arguments.
///
/// A call of a tool on offer is told while it is written, any other at once when it is complete: up to then it may be an
/// example in the text. A call that was begun may still break off, at a limit or by a mistake of the model's; then there is
/// no [`ChatEvent::ToolCall`] of it, and its text follows as content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ToolCallDelta {
    /// Which of the calls that were begun, from 0.
    pub call: usize,
    /// The tool's name, in the first part.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// More of the arguments, JSON text.
    pub arguments: String,
}

/// Why a reply ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    /// The model ended it, a stop string did, or it had the form that was asked for and nothing could follow.
    Stop,
    /// The limit on new tokens or the context was reached. A reply that must have a form may lack the rest of it then; where the
    /// form allows an end, the text has it, but the model did not end it.
    Length,
    /// The model called tools.
    ToolCalls,
    /// The caller stopped it.
    Aborted,
}

/// Something happened while a reply was made.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ChatEvent {
    /// More of a long prompt has been read.
    Progress {
        /// So many tokens.
        n_read: usize,
        /// Of these.
        n_tokens: usize,
    },
    /// The prompt, which is to be echoed.
    Prompt {
        /// The text.
        text: String,
        /// How likely its tokens were, if that was asked for.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        logprobs: Vec<TokenLogprob>,
    },
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
    /// A part of a call of a tool while it is written.
    ToolCallDelta(ToolCallDelta),
    /// A whole call of a tool, behind all its parts.
    ToolCall(ToolCall),
    /// A token was made, whether or not it shows yet: a chance to stop.
    Token {
        /// How likely it was, if that was asked for.
        #[serde(skip_serializing_if = "Option::is_none")]
        logprobs: Option<TokenLogprob>,
    },
}

impl ChatEvent {
    /// The text for the reader, an echoed prompt included, empty for anything else.
    pub fn text(&self) -> &str {
        match self {
            Self::Content { text } | Self::Prompt { text, .. } => text,
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
    /// Tokens of the reply that are thoughts, or begin or end them.
    pub reasoning_tokens: usize,
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
    /// The stop string that ended it, if one did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_string: Option<String>,
    /// Its tokens.
    pub ids: Vec<u32>,
    /// How likely they were, if that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logprobs: Option<ReplyLogprobs>,
    /// Token counts.
    pub usage: Usage,
    /// Times.
    pub timings: Timings,
}

impl ChatReply {
    /// What it adds to a conversation that goes on: text, thoughts and calls.
    pub fn message(&self) -> Message {
        Message::assistant(&*self.text).with_reasoning(&self.reasoning).with_tool_calls(&self.tool_calls)
    }
}

impl Model {
    /// The prompt that a request becomes, as text.
    ///
    /// ```no_run
    /// # async fn example(model: &qwill::Model) -> Result<(), qwill::Error> {
    /// println!("{}", model.render(&qwill::ChatRequest::user("Hi"))?); // <|im_start|>user …
    /// # Ok(()) }
    /// ```
    pub fn render(&self, request: &ChatRequest) -> Result<String, Error> {
        Ok(self.prompt(request)?.text)
    }

    /// The prompt that a request becomes, as token ids.
    ///
    /// ```no_run
    /// # async fn example(model: &qwill::Model) -> Result<(), qwill::Error> {
    /// let n_tokens = model.prompt_ids(&qwill::ChatRequest::user("Hi"))?.len();
    /// # Ok(()) }
    /// ```
    pub fn prompt_ids(&self, request: &ChatRequest) -> Result<Vec<u32>, Error> {
        Ok(self.prompt(request)?.ids)
    }

    /// Starts to answer a request: the reply is a stream of events, and whole with [`ChatStream::reply`].
    ///
    /// The same seed gives the same tokens, up to what the last bits of sums decide: they depend on what else runs.
    ///
    /// ```no_run
    /// # async fn example(model: &qwill::Model) -> Result<(), qwill::Error> {
    /// use qwill::{ChatEvent, ChatRequest};
    ///
    /// let mut stream = model.chat(&ChatRequest::user("Why is the sky blue?"))?;
    /// while let Some(event) = stream.next().await {
    ///     match event? {
    ///         ChatEvent::Content { text } => print!("{text}"),
    ///         ChatEvent::ToolCall(call) => println!("{}({})", call.name, call.arguments),
    ///         _ => {}
    ///     }
    /// }
    /// println!("{:?}", stream.reply().await?.finish_reason);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// If the request makes no sense, or asks for several replies.
    pub fn chat(&self, request: &ChatRequest) -> Result<ChatStream, Error> {
        match request.n_choices()? {
            1 => self.start_reply(request, request.sampling.seed.unwrap_or_else(fresh_seed)),
            n => Err(Error::Request(format!("n is {n}, but chat gives one reply; choices gives several"))),
        }
    }

    /// Starts all replies that a request asks for with [`ChatRequest::n`]. They run together, and their prompt is read once.
    ///
    /// The first has the request's seed, each other one the seed after that of the one before: a reply is what its seed
    /// gives alone, up to what [`Self::chat`] says.
    ///
    /// # Errors
    /// If the request makes no sense.
    pub fn choices(&self, request: &ChatRequest) -> Result<ChatChoices, Error> {
        let seed = request.sampling.seed.unwrap_or_else(fresh_seed);
        let start = |i| self.start_reply(request, seed.wrapping_add(i));
        let streams = (0..request.n_choices()? as u64).map(start).collect::<Result<_, _>>()?;
        Ok(ChatChoices::new(streams))
    }

    fn start_reply(&self, request: &ChatRequest, seed: u64) -> Result<ChatStream, Error> {
        if request.thinking_budget == Some(0) {
            return Err(Error::Request(
                "thinking_budget is 0, but must be at least 1; enable_thinking: false answers without thoughts".into(),
            ));
        }
        let (logprobs, echoed) = (request.n_top()?, request.echoed()?);
        let adapters = self.resolve_adapters(request.adapters.as_deref())?;
        let prompt = self.prompt(request)?;
        let thoughts = match request.prompt {
            Some(_) => Thoughts::None,
            None => match (Thoughts::behind(&prompt.text), request.enable_thinking) {
                (Thoughts::Possible, Some(false)) => Thoughts::None,
                (thoughts, _) => thoughts,
            },
        };
        let tokenizer = self.tokenizer()?;
        let config = self.generation_config();
        let sampler = request.sampling.resolve(config, tokenizer.n_tokens())?;
        let ends = [&config.eos_ids[..], &prompt.eos_ids].concat();
        let stop = StopRules::new(ends.clone(), [&request.stop[..], &prompt.stop].concat());
        let reader = ReplyReader::new(tokenizer, stop, prompt.form, request.thinking_budget);
        let max_tokens = request.max_tokens.unwrap_or(usize::MAX);
        let bias = request.biases(tokenizer.n_tokens())?;
        let limits = self.limits(request, thoughts, &ends)?;
        let (constraint, mask_times) = limits.map(|limits| (limits.constraint, limits.times)).unzip();
        let prompt = prompt.ids;
        let speculation = request.speculation.unwrap_or_default();
        let generation = Generation {
            prompt,
            adapters,
            sampler,
            bias,
            logprobs,
            constraint,
            speculation,
            seed,
            max_tokens,
            ends,
        };
        ChatStream::start(self, generation, max_tokens, reader, echoed, mask_times)
    }

    /// Answers a request, telling `on_event` about every piece of the reply; it may stop the reply.
    ///
    /// ```no_run
    /// # async fn example(model: &qwill::Model) -> Result<(), qwill::Error> {
    /// use qwill::{ChatRequest, Control};
    ///
    /// let (request, mut pieces) = (ChatRequest::user("Count."), 0);
    /// let reply = model.chat_with(&request, |event| {
    ///     print!("{}", event.text());
    ///     pieces += 1;
    ///     if pieces < 100 { Control::Continue } else { Control::Stop }
    /// });
    /// println!("{:?}", reply.await?.finish_reason);
    /// # Ok(()) }
    /// ```
    pub async fn chat_with(
        &self,
        request: &ChatRequest,
        on_event: impl FnMut(ChatEvent) -> Control,
    ) -> Result<ChatReply, Error> {
        self.chat(request)?.reply_with(on_event).await
    }
}

/// A seed that differs from run to run.
fn fresh_seed() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    let now = web_time::SystemTime::now().duration_since(web_time::UNIX_EPOCH).unwrap_or_default();
    RandomState::new().hash_one(now.as_nanos())
}
