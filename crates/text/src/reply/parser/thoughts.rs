//! Thoughts, up to their end.

use super::calls::push_char;
use super::{Place, ReplyParser};
use crate::reply::ReplyEvent;
use crate::reply::block::Block;
use crate::reply::opening::{Found, find_call};
use crate::reply::progress::{Failure, Opening, Progress};
use crate::reply::tag::{END_THINK, ReplyTag, THINK, partial_tag};
use crate::reply::teller::Voice;
use crate::reply::tools::Tools;

/// A call in thoughts, of which it is open whether it is meant.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    block: Block,
    n_read: usize,
    is_complete: bool,
}

impl ReplyParser {
    pub(super) fn think(&mut self, events: &mut Vec<ReplyEvent>) -> bool {
        // The model may repeat the tag that the prompt already holds.
        if self.teller.is_blank() {
            let text = self.held.trim_start();
            if let Some((rest, _)) = ReplyTag::Think.strip(text) {
                self.held = rest.to_owned();
                return true;
            }
            if THINK.starts_with(text) {
                return false;
            }
        }
        let from = self.searched.min(self.held.len());
        if let Some((at, len)) = ReplyTag::EndThink.find(&self.held[from..], self.open_end) {
            let rest = self.held.split_off(from + at + len);
            self.held.truncate(from + at);
            self.teller.say(self.held.trim_end_matches('\n'), events);
            self.held = rest;
            self.searched = 0;
            self.teller.change(Voice::Content);
            self.place = Place::Content;
            return true;
        }
        let tag = partial_tag(&self.held, &[END_THINK]);
        if let Place::Thoughts(Some(draft)) = &mut self.place {
            self.searched = self.held.len() - tag;
            let Some(n_thoughts) = draft.read(&self.held, &self.tools) else { return false };
            self.place = Place::Thoughts(None);
            self.searched = 0;
            let thoughts: String = self.held.drain(..n_thoughts).collect();
            self.teller.say(&thoughts, events);
            return true;
        }
        let (certain, draft) = match find_call(&self.held, &self.tools) {
            Found::Call { at, inside, opening } => (at, Some(Draft::new(opening, inside))),
            Found::Nothing { certain } => (certain.min(self.held.len() - tag), None),
        };
        // Line breaks before a tag do not belong to the thoughts.
        let certain = self.held[..certain].trim_end_matches('\n').len();
        let text: String = self.held.drain(..certain).collect();
        self.teller.say(&text, events);
        let Some(mut draft) = draft else { return false };
        draft.n_read -= certain;
        self.place = Place::Thoughts(Some(draft));
        true
    }
}

impl Draft {
    fn new(opening: Opening, n_read: usize) -> Self {
        Self { block: Block::new(opening), n_read, is_complete: false }
    }

    /// Reads on in the held text, which begins with this call. Where that is none: how much of the text is certain to be
    /// thoughts.
    fn read(&mut self, held: &str, tools: &Tools) -> Option<usize> {
        let unread = held.get(self.n_read..).unwrap_or_default();
        for c in unread.chars() {
            if self.is_complete {
                break;
            }
            self.n_read += c.len_utf8();
            match push_char(&mut self.block, c, tools, &mut Vec::new()) {
                Progress::More => {}
                Progress::Closed | Progress::Reopened => self.is_complete = true,
                // The end of the thoughts may have begun.
                Progress::Failed(Failure::Mistake) => {
                    let certain = self.n_read - partial_tag(&held[..self.n_read], &[END_THINK]);
                    return Some(held[..certain].trim_end_matches('\n').len());
                }
                // A call may begin behind the first character.
                Progress::Repeated => self.block = Block::new(Opening::Tagged),
                Progress::Failed(Failure::Prose) => return held.chars().next().map(char::len_utf8),
            }
        }
        None
    }
}
