//! The parser of replies in tags.

mod calls;
mod thoughts;

use serde_json::Value;

use self::thoughts::Draft;
use super::block::Block;
use super::opening::{Found, find_call};
use super::progress::{Ending, Progress};
use super::tag::{END_CALL, END_THINK, ReplyTag, Spelled, THINK, Visibility, without_marks};
use super::teller::{Teller, Voice};
use super::tools::Tools;
use super::{ReplyEvent, ReplyStart, THINKING_BUDGET_END, ThoughtsEnd};

/// Takes a reply apart while it streams.
///
/// Both forms of tool calls are understood: JSON between the tags (Qwen2.5, Qwen3) and
/// `<function=…><parameter=…>` (Qwen3-Coder, Qwen3.5), which is a call even without the tags if it names a declared tool.
/// Slips are mended where only one thing can be meant. What looks like a call and is none comes out as content, unchanged.
/// Line breaks around thoughts and calls only set them apart; nothing else is dropped, and where the text is cut into pushes
/// makes no difference.
///
/// What is held back: white space and beginnings of tags until it is certain what they are; calls until
/// [`ToolCallDelta`](super::ToolCallDelta) says; and thoughts from the begin of a call on, which is a draft if the thoughts
/// are closed later, and meant if they never are.
///
/// ```
/// use qwill_text::{ReplyEvent, ReplyParser, ReplyStart, ReplyTag, ThoughtsEnd, Visibility};
///
/// let mut parser = ReplyParser::new(ReplyStart::Thinking).ending_thoughts_at(ThoughtsEnd::Token);
/// assert_eq!(parser.push("It ends at </think>."), [ReplyEvent::Reasoning("It ends at </think>.".into())]);
/// assert!(parser.push_tag(ReplyTag::EndThink, Visibility::Shown).is_empty());
/// assert_eq!(parser.push("\n\nYes."), [ReplyEvent::Content("Yes.".into())]);
/// ```
#[derive(Clone, Debug)]
pub struct ReplyParser {
    place: Place,
    teller: Teller,
    tools: Tools,
    thoughts_end: ThoughtsEnd,
    /// What ends the thoughts that are being read.
    open_end: Spelled,
    /// Text not yet given out.
    held: String,
    /// White space before the call that is being read.
    space: String,
    /// The text of the call that is being read.
    raw: String,
    /// How much of held thoughts was searched for their end.
    searched: usize,
    /// Nothing but thoughts came so far, so that thoughts may (again) begin.
    may_think: bool,
    /// A call came last; models may close a tag that they did not open, or twice.
    may_close: bool,
}

#[derive(Clone, Debug)]
enum Place {
    /// In thoughts; with the call that the held text begins with, and how much of that was read.
    Thoughts(Option<Draft>),
    Content,
    Call(Block),
    /// In a call that is none, whose text may hold anything, up to its closing tag.
    Mistake,
}

impl ReplyParser {
    /// A parser for one reply.
    #[must_use]
    pub fn new(start: ReplyStart) -> Self {
        let (place, voice) = match start {
            ReplyStart::Content => (Place::Content, Voice::Content),
            ReplyStart::Thinking => (Place::Thoughts(None), Voice::Reasoning),
        };
        Self {
            place,
            teller: Teller::new(voice),
            tools: Tools::default(),
            thoughts_end: ThoughtsEnd::Text,
            open_end: Spelled::Counts,
            held: String::new(),
            space: String::new(),
            raw: String::new(),
            searched: 0,
            may_think: true,
            may_close: false,
        }
    }

    /// Tells the parser the tools on offer. Arguments in XML have no types of their own; those that
    /// a tool declares decide whether `5` is a number or a text.
    #[must_use]
    pub fn with_tools(mut self, tools: &[Value]) -> Self {
        self.tools = Tools::new(tools);
        self
    }

    /// Tells the parser what ends thoughts, if it is not the text `</think>`. Thoughts that the model opened without the
    /// token may end without it.
    #[must_use]
    pub fn ending_thoughts_at(mut self, end: ThoughtsEnd) -> Self {
        self.thoughts_end = end;
        self.open_end = self.end_behind(Spelled::IsText);
        self
    }

    /// Takes the next text.
    pub fn push(&mut self, text: &str) -> Vec<ReplyEvent> {
        self.held.push_str(&without_marks(text));
        self.read()
    }

    /// Takes a tag that is a token of its own.
    pub fn push_tag(&mut self, tag: ReplyTag, visibility: Visibility) -> Vec<ReplyEvent> {
        self.held.push(tag.mark(visibility));
        self.read()
    }

    /// Whether the text so far ends inside thoughts.
    #[must_use]
    pub fn is_thinking(&self) -> bool {
        matches!(self.place, Place::Thoughts(_))
    }

    /// Ends thoughts that are as long as they may be with [`THINKING_BUDGET_END`]; the line breaks that they end in go.
    pub fn end_thoughts(&mut self) -> Vec<ReplyEvent> {
        if !self.is_thinking() {
            return Vec::new();
        }
        self.held.truncate(self.held.trim_end_matches('\n').len());
        self.searched = 0;
        let (sentence, behind) =
            THINKING_BUDGET_END.split_once(END_THINK).unwrap_or((THINKING_BUDGET_END, ""));
        self.held += sentence;
        self.held.push(ReplyTag::EndThink.mark(Visibility::Shown));
        self.held += behind;
        self.read()
    }

    /// Ends a reply that the model ended: gives out what was held back. A call whose closing tag is missing still
    /// counts if it is complete, and one in thoughts that were never closed was meant.
    pub fn finish(&mut self) -> Vec<ReplyEvent> {
        self.end(Ending::Whole)
    }

    /// Ends a reply that was cut off: a call counts if it is certain that nothing of it is missing, and calls in thoughts are
    /// drafts.
    pub fn cut(&mut self) -> Vec<ReplyEvent> {
        self.end(Ending::Cut)
    }

    fn end(&mut self, ending: Ending) -> Vec<ReplyEvent> {
        let mut events = Vec::new();
        if self.is_thinking() {
            self.held.truncate(self.held.trim_end_matches('\n').len());
        }
        if matches!(self.place, Place::Thoughts(Some(_))) && ending == Ending::Whole {
            // Nothing more is told as content: what is no call is still a thought.
            (self.place, self.may_think) = (Place::Content, false);
            self.step_on(&mut events);
        }
        let held = std::mem::take(&mut self.held);
        match &mut self.place {
            // White space at the end is part of the text, but none is left after a call.
            Place::Content if !self.may_think && self.teller.is_blank() && held.trim().is_empty() => {}
            Place::Thoughts(_) | Place::Content | Place::Mistake => self.teller.say(&held, &mut events),
            Place::Call(block) => {
                let mut pieces = Vec::new();
                let progress = block.finish(ending, &self.tools, &mut pieces);
                self.note(pieces, &mut events);
                if let Progress::Failed(_) = progress {
                    self.say_failed(&mut events);
                }
            }
        }
        events
    }

    fn read(&mut self) -> Vec<ReplyEvent> {
        let mut events = Vec::new();
        self.step_on(&mut events);
        events
    }

    fn step_on(&mut self, events: &mut Vec<ReplyEvent>) {
        while self.step(events) {}
    }

    /// Gives out what is certain; false when more text is needed.
    fn step(&mut self, events: &mut Vec<ReplyEvent>) -> bool {
        match self.place {
            Place::Thoughts(_) => self.think(events),
            Place::Content => self.read_content(events),
            Place::Call(_) => self.read_call(events),
            Place::Mistake => self.read_mistake(events),
        }
    }

    /// What ends thoughts that begin like this.
    fn end_behind(&self, begin: Spelled) -> Spelled {
        if self.thoughts_end == ThoughtsEnd::Text { Spelled::Counts } else { begin }
    }

    fn read_content(&mut self, events: &mut Vec<ReplyEvent>) -> bool {
        let text = self.held.trim_start();
        if self.may_think && self.teller.is_blank() {
            if let Some((rest, spelled)) = ReplyTag::Think.strip(text) {
                self.held = rest.to_owned();
                self.open_end = self.end_behind(spelled);
                self.teller.change(Voice::Reasoning);
                self.place = Place::Thoughts(None);
                return true;
            }
            if THINK.starts_with(text) {
                return false;
            }
        }
        if self.may_close {
            if let Some((rest, _)) = ReplyTag::EndCall.strip(text) {
                self.held = rest.to_owned();
                self.may_close = false;
                return true;
            }
            if END_CALL.starts_with(text) {
                return false;
            }
            self.may_close = false;
        }
        let (at, call) = match find_call(&self.held, &self.tools) {
            Found::Call { at, inside, opening } => (at, Some((inside, opening))),
            Found::Nothing { certain } => (certain, None),
        };
        // White space is held back because it only sets a call apart.
        let end = self.held[..at].trim_end().len();
        self.say(end, events);
        let Some((inside, opening)) = call else { return false };
        self.space = self.held.drain(..at - end).collect();
        self.raw = self.held.drain(..inside - at).collect();
        self.place = Place::Call(Block::new(opening));
        true
    }

    /// Tells the held text up to here.
    fn say(&mut self, end: usize, events: &mut Vec<ReplyEvent>) {
        if end > 0 {
            let text: String = self.held.drain(..end).collect();
            self.may_think = false;
            self.teller.say(&text, events);
        }
    }
}
