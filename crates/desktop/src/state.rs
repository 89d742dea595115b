//! What the window shows, and what may be done about it.

mod message;
mod models;
#[cfg(test)]
mod tests;

use std::time::{SystemTime, UNIX_EPOCH};

pub use self::message::{Action, Effect, Export, ModelFacts, ModelReport, Plan, Report};
pub use self::models::ModelState;
use crate::conversation::{Author, Conversation, Turn};
use crate::settings::Settings;
use crate::shelf::Contents;

/// What lies over the conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Panel {
    /// Settings.
    Settings,
    /// Choosing a model.
    Models,
    /// The keys.
    Keys,
}

/// A reply that is being made.
#[derive(Debug, Clone, PartialEq)]
pub struct Running {
    /// Its number.
    pub id: u64,
    /// The conversation that it belongs to.
    pub conversation: u64,
    /// How much of the prompt has been read, of how much.
    pub read: Option<(usize, usize)>,
    /// Tokens a second, so far.
    pub tokens_per_second: f64,
    /// It is to end.
    pub is_stopping: bool,
}

/// A title that is being changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renaming {
    /// The conversation.
    pub id: u64,
    /// What stands in the field.
    pub title: String,
}

/// All that the window shows.
#[derive(Debug, Default)]
pub struct State {
    /// What was chosen.
    pub settings: Settings,
    /// The newest first.
    pub conversations: Vec<Conversation>,
    /// The place of the one that is open; none while it is new and empty.
    pub open: Option<u64>,
    /// What is looked for among them.
    pub search: String,
    /// A title that is being changed.
    pub renaming: Option<Renaming>,
    /// A conversation that is about to be removed.
    pub removing: Option<u64>,
    /// What is being written.
    pub draft: String,
    /// The message that it takes the place of.
    pub editing: Option<usize>,
    /// The model.
    pub model: ModelState,
    /// The reply that is being made.
    pub running: Option<Running>,
    /// What lies over the conversation.
    pub panel: Option<Panel>,
    /// The model that is being chosen.
    pub wanted_model: String,
    /// Whether it fits, if that was asked.
    pub plan: Option<Plan>,
    /// Models in the hub's cache.
    pub cached: Vec<String>,
    /// The GPUs of this machine.
    pub gpus: Vec<String>,
    /// What went wrong, until it is dismissed.
    pub notice: Option<String>,
    n_replies: u64,
}

impl State {
    /// As the program begins.
    pub fn new(settings: Settings, contents: Contents) -> Self {
        let notice = (!contents.unread.is_empty()).then(|| contents.unread.join("\n"));
        Self { settings, conversations: contents.conversations, notice, ..Self::default() }
    }

    /// The conversation that is open.
    pub fn conversation(&self) -> Option<&Conversation> {
        self.conversations.iter().find(|conversation| Some(conversation.id) == self.open)
    }

    /// The conversations that are shown.
    pub fn found(&self) -> impl Iterator<Item = &Conversation> {
        self.conversations.iter().filter(|conversation| conversation.mentions(&self.search))
    }

    /// Whether what was written could be sent now.
    pub fn can_send(&self) -> bool {
        self.running.is_none() && matches!(self.model, ModelState::Ready(_)) && !self.draft.trim().is_empty()
    }

    /// Whether a reply to the open conversation is being made.
    pub fn is_replying_here(&self) -> bool {
        self.running.as_ref().is_some_and(|running| Some(running.conversation) == self.open)
    }

    /// Does what a person wants, as far as this is a matter of the state; what else is to be done.
    pub fn act(&mut self, action: Action) -> Vec<Effect> {
        match action {
            Action::Send => return self.send(),
            Action::Stop => return self.stop(),
            Action::Regenerate => return self.regenerate(),
            Action::Edit(turn) => self.edit(turn),
            Action::EditLast => {
                let turns =
                    self.conversation().map(|conversation| &conversation.turns[..]).unwrap_or_default();
                if let Some(last) = turns.iter().rposition(|turn| turn.author == Author::User) {
                    self.edit(last);
                }
            }
            Action::CancelEdit => {
                if self.editing.take().is_some() {
                    self.draft.clear();
                }
            }
            Action::Fork(turn) => return self.fork(turn),
            Action::New => self.show(None),
            Action::Open(id) => self.show(Some(id)),
            Action::Rename => return self.rename(),
            Action::Remove(id) => return self.remove(id),
            Action::Export(export) => {
                let conversation = self.conversation().cloned();
                return conversation.map(|c| Effect::Export(Box::new(c), export)).into_iter().collect();
            }
            Action::Choose(settings) => return self.choose(*settings),
            Action::Show(panel) => {
                self.panel = panel;
                if panel == Some(Panel::Models) {
                    return vec![Effect::ListCached];
                }
            }
            Action::Plan => return self.plan_model(),
            Action::Load => return self.load_wanted(),
            Action::LoadAgain => {
                return self.load(self.settings.model.clone().unwrap_or_else(|| "demo".into()));
            }
            Action::CancelLoad => return vec![Effect::CancelLoad],
            Action::Dismiss => self.notice = None,
        }
        Vec::new()
    }

    /// Takes in what has happened; what is to be done about it.
    pub fn hear(&mut self, report: Report) -> Vec<Effect> {
        match report {
            Report::Read { id, n_read, n_tokens } => self.with_reply(id, |running, _| {
                running.read = Some((n_read, n_tokens));
            }),
            Report::Thought { id, text } => self.with_reply(id, |running, reply| {
                running.read = None;
                reply.reasoning.push_str(&text);
            }),
            Report::Text { id, text } => self.with_reply(id, |running, reply| {
                running.read = None;
                reply.text.push_str(&text);
            }),
            Report::Speed { id, tokens_per_second } => self.with_reply(id, |running, _| {
                running.tokens_per_second = tokens_per_second;
            }),
            Report::Done { id, outcome } => {
                self.with_reply(id, |_, reply| reply.outcome = Some(outcome));
                return self.end_reply(id);
            }
            Report::ReplyFailed { id, reason } => {
                self.notice = Some(reason);
                return self.end_reply(id);
            }
            Report::Cached(cached) => self.cached = cached,
            Report::Exported(path) => self.notice = Some(format!("Written to {}", path.display())),
            Report::Problem(reason) => self.notice = Some(reason),
            Report::Model(report) => return self.hear_of_model(report),
        }
        Vec::new()
    }

    fn show(&mut self, id: Option<u64>) {
        (self.open, self.renaming, self.removing) = (id, None, None);
        if self.editing.take().is_some() {
            self.draft.clear();
        }
    }

    fn conversation_mut(&mut self, id: u64) -> Option<&mut Conversation> {
        self.conversations.iter_mut().find(|conversation| conversation.id == id)
    }

    /// A number above those of all conversations, which tells when it was made.
    fn fresh_id(&self) -> u64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let newest = self.conversations.iter().map(|conversation| conversation.id).max().unwrap_or(0);
        u64::try_from(now).unwrap_or(0).max(newest + 1)
    }

    fn send(&mut self) -> Vec<Effect> {
        if !self.can_send() {
            return Vec::new();
        }
        let text = std::mem::take(&mut self.draft);
        let edited = self.editing.take();
        let id = match self.open {
            Some(id) => id,
            None => {
                let id = self.fresh_id();
                self.conversations.insert(0, Conversation::new(id));
                self.open = Some(id);
                id
            }
        };
        let Some(conversation) = self.conversation_mut(id) else { return Vec::new() };
        if let Some(turn) = edited {
            conversation.turns.truncate(turn);
        }
        conversation.ask(text.trim());
        self.reply(id)
    }

    /// Asks the model for a reply to a conversation, whose last message is a question.
    fn reply(&mut self, conversation: u64) -> Vec<Effect> {
        self.n_replies += 1;
        let (id, system_prompt) = (self.n_replies, self.settings.system_prompt.clone());
        let Some(asked) = self.conversation_mut(conversation) else { return Vec::new() };
        let messages = asked.messages(&system_prompt);
        asked.turns.push(Turn::assistant());
        let kept = Effect::Keep(Box::new(asked.clone()));
        let request = Box::new(self.settings.request(messages));
        self.running =
            Some(Running { id, conversation, read: None, tokens_per_second: 0.0, is_stopping: false });
        vec![kept, Effect::Reply { id, request }]
    }

    fn stop(&mut self) -> Vec<Effect> {
        match &mut self.running {
            Some(running) if !running.is_stopping => {
                running.is_stopping = true;
                vec![Effect::StopReply(running.id)]
            }
            _ => Vec::new(),
        }
    }

    fn regenerate(&mut self) -> Vec<Effect> {
        let (None, Some(id), ModelState::Ready(_)) = (&self.running, self.open, &self.model) else {
            return Vec::new();
        };
        let Some(conversation) = self.conversation_mut(id) else { return Vec::new() };
        let Some(last) = conversation.turns.iter().rposition(|turn| turn.author == Author::User) else {
            return Vec::new();
        };
        conversation.turns.truncate(last + 1);
        self.reply(id)
    }

    fn edit(&mut self, turn: usize) {
        let text =
            self.conversation().and_then(|conversation| conversation.turns.get(turn)).map(|t| t.text.clone());
        if let Some(text) = text.filter(|_| !self.is_replying_here()) {
            (self.draft, self.editing) = (text, Some(turn));
        }
    }

    /// A conversation of its own that begins like the open one, up to a message.
    fn fork(&mut self, turn: usize) -> Vec<Effect> {
        let Some(mut fork) = self.conversation().cloned() else { return Vec::new() };
        fork.turns.truncate(turn + 1);
        fork.id = self.fresh_id();
        fork.title = format!("{} (fork)", fork.shown_title());
        self.show(Some(fork.id));
        self.conversations.insert(0, fork.clone());
        vec![Effect::Keep(Box::new(fork))]
    }

    fn rename(&mut self) -> Vec<Effect> {
        let Some(Renaming { id, title }) = self.renaming.take() else { return Vec::new() };
        let Some(conversation) = self.conversation_mut(id) else { return Vec::new() };
        conversation.title = title.trim().to_owned();
        vec![Effect::Keep(Box::new(conversation.clone()))]
    }

    fn remove(&mut self, id: u64) -> Vec<Effect> {
        let mut effects = vec![Effect::Remove(id)];
        if self.running.as_ref().is_some_and(|running| running.conversation == id) {
            effects.splice(0..0, self.stop());
        }
        self.conversations.retain(|conversation| conversation.id != id);
        self.removing = None;
        if self.open == Some(id) {
            self.show(None);
        }
        effects
    }

    fn choose(&mut self, settings: Settings) -> Vec<Effect> {
        let needs_reload = self.settings.needs_reload(&settings);
        self.settings = settings.clone();
        let mut effects = vec![Effect::KeepSettings(Box::new(settings))];
        let source = match &self.model {
            ModelState::Ready(facts) => Some(facts.source.clone()),
            ModelState::Loading { source, .. } => Some(source.clone()),
            ModelState::None | ModelState::Failed { .. } => None,
        };
        if let Some(source) = source.filter(|_| needs_reload) {
            effects.extend(self.load(source));
        }
        effects
    }

    /// Changes the reply of that number, if it is still being made.
    fn with_reply(&mut self, id: u64, change: impl FnOnce(&mut Running, &mut Turn)) {
        let Some(running) = self.running.as_mut().filter(|running| running.id == id) else { return };
        let conversation = self.conversations.iter_mut().find(|c| c.id == running.conversation);
        if let Some(reply) = conversation.and_then(|conversation| conversation.turns.last_mut()) {
            change(running, reply);
        }
    }

    /// A reply is over. One without a word leaves the question.
    fn end_reply(&mut self, id: u64) -> Vec<Effect> {
        let Some(running) = self.running.take_if(|running| running.id == id) else { return Vec::new() };
        let Some(conversation) = self.conversation_mut(running.conversation) else { return Vec::new() };
        conversation.turns.pop_if(|turn| {
            turn.author == Author::Assistant && turn.text.is_empty() && turn.reasoning.is_empty()
        });
        vec![Effect::Keep(Box::new(conversation.clone()))]
    }
}
