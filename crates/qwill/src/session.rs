//! Conversations that go on: forked, rewound, saved and restored.

mod file;

use crate::{AdapterUse, ChatEvent, ChatReply, ChatRequest, ChatStream, Control, Error, Message, Model};

/// A conversation with a model. What it has in common with what the model read before is not read again: each turn reads
/// what is new, and so do forks, and conversations that were rewound.
///
/// A session holds no memory of the device by itself. The keys and values of its texts stay in the model's cache as long as
/// there is room, and are read again when they are needed and gone.
///
/// ```no_run
/// # async fn example(model: qwill::Model) -> Result<(), qwill::Error> {
/// use qwill::{ChatRequest, Control};
///
/// let mut session = model.session(ChatRequest::default());
/// session.say("My name is Ada.", |_| Control::Continue).await?;
/// let mut other = session.fork();
/// other.say("What is my name?", |_| Control::Continue).await?;
/// std::fs::write("ada.session", session.save().await?).ok();
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Session {
    model: Model,
    request: ChatRequest,
    /// What the model read and wrote, turn by turn; a turn that is taken back is forgotten.
    turns: Vec<Turn>,
}

/// A reply that became part of a conversation.
#[derive(Debug, Clone)]
struct Turn {
    /// Messages up to the reply.
    n_messages: usize,
    read: Read,
}

/// A text with what its keys and values depend on.
#[derive(Debug, Clone, Default, PartialEq)]
struct Read {
    tokens: Vec<u32>,
    n_prompt: usize,
    adapters: Vec<AdapterUse>,
}

impl Model {
    /// Starts a conversation. The request's messages are its beginning, such as a system message; what else it says, tools
    /// and sampling among it, holds for every turn. [`Session`] has an example.
    pub fn session(&self, request: ChatRequest) -> Session {
        Session { model: self.clone(), request, turns: Vec::new() }
    }
}

impl Session {
    /// The messages so far.
    pub fn messages(&self) -> &[Message] {
        &self.request.messages
    }

    /// What holds for every turn.
    pub fn request(&self) -> &ChatRequest {
        &self.request
    }

    /// Changes what holds for every turn, or the messages.
    pub fn request_mut(&mut self) -> &mut ChatRequest {
        &mut self.request
    }

    /// Adds a message: one of the user, or what a tool answered.
    pub fn push(&mut self, message: Message) {
        self.request.messages.push(message);
    }

    /// Starts the reply to the messages. [`Self::take`] makes it part of the conversation.
    pub fn reply(&self) -> Result<ChatStream, Error> {
        self.model.chat(&self.request)
    }

    /// Makes a reply part of the conversation, which it must be the reply to.
    pub fn take(&mut self, reply: &ChatReply) -> Result<(), Error> {
        let mut tokens = self.model.prompt_ids(&self.request)?;
        let n_prompt = tokens.len();
        tokens.extend(&reply.ids);
        let adapters = self.model.used_adapters(self.request.adapters.as_deref());
        self.push(reply.message());
        self.add_turn(Read { tokens, n_prompt, adapters });
        Ok(())
    }

    /// A turn: says something, and makes the reply part of the conversation. If the reply fails, the conversation is as it
    /// was.
    pub async fn say(
        &mut self,
        text: &str,
        on_event: impl FnMut(ChatEvent) -> Control,
    ) -> Result<ChatReply, Error> {
        let n = self.messages().len();
        self.push(Message::user(text));
        let reply = match self.reply() {
            Ok(stream) => stream.reply_with(on_event).await,
            Err(error) => Err(error),
        };
        match reply {
            Ok(reply) => {
                self.take(&reply)?;
                Ok(reply)
            }
            Err(error) => {
                self.rewind(n);
                Err(error)
            }
        }
    }

    /// A conversation of its own that begins like this one.
    #[must_use]
    pub fn fork(&self) -> Self {
        self.clone()
    }

    /// Forgets all messages behind the first `n`; how many are left.
    pub fn rewind(&mut self, n: usize) -> usize {
        self.request.messages.truncate(n);
        let n = self.messages().len();
        self.turns.retain(|turn| turn.n_messages <= n);
        n
    }

    /// Notes what was read up to the last message.
    fn add_turn(&mut self, read: Read) {
        self.turns.push(Turn { n_messages: self.messages().len(), read });
    }

    /// The text that the model read and wrote last, as far as it is of this conversation.
    fn read(&self) -> Read {
        self.turns.last().map_or_else(Read::default, |turn| turn.read.clone())
    }

    /// Forgets the last thing that the user said, and what followed; whether there was any.
    pub fn undo(&mut self) -> bool {
        let last = self.messages().iter().rposition(|message| message.role() == "user");
        last.is_some_and(|index| {
            self.rewind(index);
            true
        })
    }
}
