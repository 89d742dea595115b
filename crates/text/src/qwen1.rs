//! Prompts of Qwen1, which are put together from ids and not from text.

use crate::react::{self, Flat, Message};
use crate::{ChatInput, Error, GenerationPrompt, Specials, Tokenizer};

/// What Qwen1 is told when a conversation has no system message.
const DEFAULT_SYSTEM: &str = "You are a helpful assistant.";

/// The prompt of a Qwen1 chat model.
///
/// Every part is encoded by itself and without special tokens, so a `<|im_end|>` that a user types
/// is only text. Of the earlier turns the newest are kept while system text and turns stay below
/// `max_window_size` tokens.
///
/// Tools are offered in prose (ReAct, section "Tool usage" of Qwen1's documentation): the reply is
/// for [`ReactParser`](crate::ReactParser) and must end at [`REACT_STOP`](crate::REACT_STOP). After
/// a tool's result the prompt ends in `Thought:`.
pub fn qwen1_prompt(
    tokenizer: &Tokenizer,
    chat: &ChatInput,
    max_window_size: usize,
) -> Result<Vec<u32>, Error> {
    let writer = Writer::new(tokenizer)?;
    let Flat { messages, generation_prompt } = react::flatten(chat)?;
    let n_systems = messages.iter().take_while(|message| message.role == "system").count();
    let (systems, messages) = messages.split_at(n_systems);
    let system: Vec<&str> = systems.iter().map(|message| message.text.as_str()).collect();
    let system = if system.is_empty() { DEFAULT_SYSTEM.to_owned() } else { system.join("\n\n") };
    let system = writer.turn("system", &system)?;
    // A turn is a user message and what follows it; the last one is always kept.
    let mut turns: Vec<Vec<u32>> = Vec::new();
    for (at, Message { role, text }) in messages.iter().enumerate() {
        let mut ids = writer.newline.clone();
        ids.extend(writer.turn(role, text)?);
        if at + 1 == messages.len() && generation_prompt == GenerationPrompt::Continue {
            ids.pop();
        }
        match turns.last_mut() {
            Some(turn) if role != "user" => turn.extend(ids),
            _ => turns.push(ids),
        }
    }
    let (earlier, last) = turns.split_at(turns.len().saturating_sub(1));
    let mut size = system.len();
    let kept = earlier
        .iter()
        .rev()
        .take_while(|turn| {
            size += turn.len();
            size < max_window_size
        })
        .count();
    let mut ids = system;
    ids.extend(earlier[earlier.len() - kept..].iter().chain(last).flatten());
    if generation_prompt == GenerationPrompt::Add {
        ids.extend(&writer.newline);
        ids.extend(writer.head("assistant")?);
    }
    Ok(ids)
}

struct Writer<'t> {
    tokenizer: &'t Tokenizer,
    start: u32,
    end: u32,
    newline: Vec<u32>,
}

impl<'t> Writer<'t> {
    fn new(tokenizer: &'t Tokenizer) -> Result<Self, Error> {
        let id = |name: &str| {
            tokenizer
                .id_of(name)
                .ok_or_else(|| Error::tokenizer("the tokenizer", format!("ChatML needs the token {name}")))
        };
        let (start, end) = (id("<|im_start|>")?, id("<|im_end|>")?);
        let newline = tokenizer.encode("\n", Specials::AsText)?;
        Ok(Self { tokenizer, start, end, newline })
    }

    /// `<|im_start|>{role}\n`
    fn head(&self, role: &str) -> Result<Vec<u32>, Error> {
        let mut ids = vec![self.start];
        ids.extend(self.tokenizer.encode(role, Specials::AsText)?);
        ids.extend(&self.newline);
        Ok(ids)
    }

    /// `<|im_start|>{role}\n{text}<|im_end|>`
    fn turn(&self, role: &str, text: &str) -> Result<Vec<u32>, Error> {
        let mut ids = self.head(role)?;
        ids.extend(self.tokenizer.encode(text, Specials::AsText)?);
        ids.push(self.end);
        Ok(ids)
    }
}
