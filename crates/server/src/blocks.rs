//! Replies as blocks that begin, grow and end, one at a time: what the younger interfaces stream.

use qwill::ChatEvent;

/// What a block holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Block {
    Thoughts,
    Text,
    /// A call of the tool of this name.
    Call(String),
}

/// What happens to blocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Told {
    Begin(Block),
    /// More of the block that is open: text, or JSON of arguments.
    More(String),
    End,
}

/// The block that is open, if one is.
#[derive(Debug, Default)]
pub(crate) struct Blocks(Option<Block>);

impl Blocks {
    /// What an event does.
    pub(crate) fn take(&mut self, event: ChatEvent) -> Vec<Told> {
        match event {
            ChatEvent::Reasoning { text } => self.grow(Block::Thoughts, text),
            ChatEvent::Content { text } => self.grow(Block::Text, text),
            ChatEvent::ToolCallDelta(part) => {
                let mut told = Vec::new();
                if let Some(name) = part.name {
                    told = self.begin(Block::Call(name));
                }
                if !part.arguments.is_empty() {
                    told.push(Told::More(part.arguments));
                }
                told
            }
            ChatEvent::ToolCall(_) => self.end(),
            ChatEvent::Progress { .. } | ChatEvent::Prompt { .. } | ChatEvent::Token { .. } => Vec::new(),
        }
    }

    /// The reply has ended.
    pub(crate) fn end(&mut self) -> Vec<Told> {
        self.0.take().map(|_| Told::End).into_iter().collect()
    }

    fn begin(&mut self, block: Block) -> Vec<Told> {
        let mut told = self.end();
        self.0 = Some(block.clone());
        told.push(Told::Begin(block));
        told
    }

    fn grow(&mut self, block: Block, text: String) -> Vec<Told> {
        let mut told = if self.0.as_ref() == Some(&block) { Vec::new() } else { self.begin(block) };
        told.push(Told::More(text));
        told
    }
}

#[cfg(test)]
mod tests {
    use qwill::{ToolCall, ToolCallDelta};

    use super::*;

    #[test]
    fn one_block_is_open_at_a_time() {
        let mut blocks = Blocks::default();
        let part = |call, name: Option<&str>, arguments: &str| {
            let name = name.map(str::to_owned);
            ChatEvent::ToolCallDelta(ToolCallDelta { call, name, arguments: arguments.into() })
        };
        let call = ToolCall { name: "f".into(), arguments: "{}".into() };
        let events = [
            ChatEvent::Reasoning { text: "a".into() },
            ChatEvent::Token { logprobs: None },
            ChatEvent::Reasoning { text: "b".into() },
            ChatEvent::Content { text: "c".into() },
            part(0, Some("f"), ""),
            part(0, None, "{}"),
            ChatEvent::ToolCall(call.clone()),
            part(1, Some("f"), "{}"),
            ChatEvent::ToolCall(call),
            ChatEvent::Content { text: "d".into() },
        ];
        let mut told: Vec<Told> = events.into_iter().flat_map(|event| blocks.take(event)).collect();
        told.extend(blocks.end());
        told.extend(blocks.end());
        let more = |text: &str| Told::More(text.into());
        let begin = |block: Block| Told::Begin(block);
        let f = || Block::Call("f".into());
        let wanted = [
            [begin(Block::Thoughts), more("a"), more("b"), Told::End].to_vec(),
            [begin(Block::Text), more("c"), Told::End].to_vec(),
            [begin(f()), more("{}"), Told::End].to_vec(),
            [begin(f()), more("{}"), Told::End].to_vec(),
            [begin(Block::Text), more("d"), Told::End].to_vec(),
        ];
        assert_eq!(told, wanted.concat());
    }
}
