//! What a request says to the model, as token ids, and how the reply to it is to be read.

use qwill_text::{
    ChatInput, ChatTemplate, FIM_STOP_TOKENS, Family, GenerationPrompt, REACT_STOP, ReactParser, ReplyEvent,
    ReplyParser, ReplyStart, ReplyTag, Specials, SpecialsOut, TagTokens, TemplateUse, Thinking, Tokenizer,
    Visibility, fim_ids, fim_prompt, qwen1_prompt, unguarded,
};

use super::{ChatRequest, Message, ToolChoice};
use crate::{Error, Model};

/// Tokens that Qwen1 keeps of earlier turns where its files do not say.
const QWEN1_WINDOW: usize = 6144;

/// A prompt.
pub(super) struct Prompt {
    pub(super) text: String,
    pub(super) ids: Vec<u32>,
    pub(super) form: ReplyForm,
    /// Tokens that end the reply besides those of the checkpoint.
    pub(super) eos_ids: Vec<u32>,
    /// Strings that end the reply besides those of the request.
    pub(super) stop: Vec<String>,
}

/// What a reply consists of.
pub(super) enum ReplyForm {
    /// Text and nothing else.
    Text,
    /// Thoughts and calls between tags, some of which are tokens.
    Tags(Box<ReplyParser>, TagTokens),
    /// Thoughts, actions and answers in prose, as Qwen1 writes them.
    React(ReactParser),
}

impl ReplyForm {
    pub(super) fn push(&mut self, text: &str) -> Vec<ReplyEvent> {
        match self {
            Self::Text if text.is_empty() => vec![],
            Self::Text => vec![ReplyEvent::Content(text.to_owned())],
            Self::Tags(parser, _) => parser.push(text),
            Self::React(parser) => parser.push(text),
        }
    }

    /// The tag that a token is.
    pub(super) fn tag(&self, id: u32) -> Option<(ReplyTag, Visibility)> {
        if let Self::Tags(_, tokens) = self { tokens.get(id) } else { None }
    }

    pub(super) fn push_tag(&mut self, tag: ReplyTag, visibility: Visibility) -> Vec<ReplyEvent> {
        if let Self::Tags(parser, _) = self { parser.push_tag(tag, visibility) } else { vec![] }
    }

    /// The model ended the reply.
    pub(super) fn finish(&mut self) -> Vec<ReplyEvent> {
        match self {
            Self::Text => vec![],
            Self::Tags(parser, _) => parser.finish(),
            Self::React(parser) => parser.finish(),
        }
    }

    /// The reply was cut off.
    pub(super) fn cut(&mut self) -> Vec<ReplyEvent> {
        if let Self::Tags(parser, _) = self { parser.cut() } else { self.finish() }
    }
}

impl Model {
    pub(super) fn prompt(&self, request: &ChatRequest) -> Result<Prompt, Error> {
        let tokenizer = self.tokenizer()?;
        let Some(text) = &request.prompt else {
            if request.suffix.is_some() {
                return Err(Error::Request("a suffix needs a prompt: the text before the gap".into()));
            }
            if request.messages.is_empty() {
                return Err(Error::Request("the request has no messages".into()));
            }
            return self.conversation(request, tokenizer);
        };
        if request.thinking_budget.is_some() {
            return Err(Error::Request(
                "a thinking budget needs messages; a raw prompt has no thoughts".into(),
            ));
        }
        let (text, ids) = match &request.suffix {
            Some(after) => (fim_prompt(text, after), fim_ids(tokenizer, text, after)?),
            None => (text.clone(), tokenizer.encode(text, Specials::Parse)?),
        };
        let fills_gap = ids.last().is_some_and(|&id| tokenizer.id_of("<|fim_middle|>") == Some(id));
        let ends = if fills_gap { &FIM_STOP_TOKENS[..] } else { &[] };
        let eos_ids = ends.iter().filter_map(|name| tokenizer.id_of(name)).collect();
        Ok(Prompt { text, ids, form: ReplyForm::Text, eos_ids, stop: vec![] })
    }

    fn conversation(&self, request: &ChatRequest, tokenizer: &Tokenizer) -> Result<Prompt, Error> {
        let is_shown = request.tool_choice != Some(ToolChoice::None);
        let tools = request.tools.clone().filter(|tools| is_shown && !tools.is_empty());
        let mut input = ChatInput {
            messages: request.messages.iter().map(Message::to_json).collect(),
            tools,
            add_generation_prompt: GenerationPrompt::Add,
            thinking: match request.enable_thinking {
                None => Thinking::Default,
                Some(true) => Thinking::On,
                Some(false) => Thinking::Off,
            },
            extra: tokenizer.config().special_names().clone(),
        };
        let for_what = if input.tools.is_some() { TemplateUse::Tools } else { TemplateUse::Plain };
        let templates = &self.facts().templates;
        let other;
        let template = match (&request.chat_template, templates.usual(for_what)) {
            (Some(name), _) => {
                other = templates.named(name)?;
                &other
            }
            (None, Some(template)) => template,
            (None, None) => {
                match Family::of(self.facts().plan.architecture, &self.facts().name, tokenizer)? {
                    Family::Qwen1 => return self.qwen1_conversation(&input, tokenizer),
                    family => {
                        other = ChatTemplate::builtin(family)?;
                        &other
                    }
                }
            }
        };
        input.prepare_for(template);
        let tools = input.tools.clone();
        if request.split_special_tokens.unwrap_or(true) {
            input.guard_specials(tokenizer);
        }
        let guarded = template.render(&input)?;
        let ids = tokenizer.encode(&guarded, Specials::ParseUnguarded)?;
        let text = unguarded(&guarded);
        let start = match guarded.trim_end().ends_with("<think>") {
            true => ReplyStart::Thinking,
            false => ReplyStart::Content,
        };
        let tokens = TagTokens::of(tokenizer);
        let parser = ReplyParser::new(start)
            .with_tools(tools.as_deref().unwrap_or_default())
            .ending_thoughts_at(tokens.thoughts_end());
        Ok(Prompt {
            text,
            ids,
            form: ReplyForm::Tags(Box::new(parser), tokens),
            eos_ids: vec![],
            stop: vec![],
        })
    }

    fn qwen1_conversation(&self, input: &ChatInput, tokenizer: &Tokenizer) -> Result<Prompt, Error> {
        if self.generation_config().chat_format.as_deref() == Some("raw") {
            return Err(Error::Request(
                "this is a base model, which knows no conversations (chat_format \"raw\"): give a prompt instead of messages".into(),
            ));
        }
        let window = self.generation_config().max_window_size.map_or(QWEN1_WINDOW, |n| n as usize);
        // What the context cannot hold would be refused later.
        let ids = qwen1_prompt(tokenizer, input, window.min(self.facts().engine.context_length))?;
        let last_role = input.messages.last().and_then(|message| message["role"].as_str());
        let form = match last_role {
            Some("tool" | "function") => ReplyForm::React(ReactParser::new(ReplyStart::Thinking)),
            _ if input.tools.is_some() => ReplyForm::React(ReactParser::new(ReplyStart::Content)),
            _ => ReplyForm::Text,
        };
        let stop = match form {
            ReplyForm::React(_) => vec![REACT_STOP.to_owned()],
            _ => vec![],
        };
        let text = tokenizer.decode(&ids, SpecialsOut::Keep);
        // Its own code ends replies at all of them; a GGUF file names fewer.
        let ends = ["<|im_end|>", "<|im_start|>", "<|endoftext|>"];
        let eos_ids = ends.iter().filter_map(|name| tokenizer.id_of(name)).collect();
        Ok(Prompt { text, ids, form, eos_ids, stop })
    }
}
