//! Calls, or what looks like them.

use super::{Place, ReplyParser};
use crate::reply::ReplyEvent;
use crate::reply::block::Block;
use crate::reply::progress::{CallPiece, Failure, Opening, Progress};
use crate::reply::tag::{CALL, END_CALL, FUNCTION, ReplyTag, Spelled, name_of, partial_tag};
use crate::reply::tools::Tools;

impl ReplyParser {
    pub(super) fn read_call(&mut self, events: &mut Vec<ReplyEvent>) -> bool {
        let Place::Call(mut block) = std::mem::replace(&mut self.place, Place::Content) else { return false };
        let text = std::mem::take(&mut self.held);
        let mut pieces = Vec::new();
        for (at, c) in text.char_indices() {
            self.raw.push(c);
            let progress = push_char(&mut block, c, &self.tools, &mut pieces);
            if progress != Progress::More {
                self.held = text[at + c.len_utf8()..].to_owned();
                self.note(pieces, events);
                self.leave_call(&block, progress, events);
                return true;
            }
            if let Some(CallPiece::End { behind }) = pieces.last() {
                // What follows in the same block is a call of its own.
                self.raw.drain(..self.raw.len() - behind);
                self.note(std::mem::take(&mut pieces), events);
            }
        }
        self.note(pieces, events);
        self.place = Place::Call(block);
        false
    }

    fn leave_call(&mut self, block: &Block, progress: Progress, events: &mut Vec<ReplyEvent>) {
        match progress {
            Progress::More => {}
            Progress::Closed => self.may_close = true,
            Progress::Reopened => {
                let last = self.raw.chars().next_back().filter(|&c| name_of(c).is_some());
                self.raw = last.map_or_else(|| CALL.to_owned(), String::from);
                self.place = Place::Call(Block::new(Opening::Tagged));
            }
            Progress::Repeated => self.place = Place::Call(Block::new(Opening::Tagged)),
            Progress::Failed(Failure::Mistake) => {
                // The tag at its end may have begun.
                let tag = self.raw.chars().next_back().filter(|&c| name_of(c).is_some()).map(char::len_utf8);
                let n_tag = tag.unwrap_or_else(|| partial_tag(&self.raw, &[END_CALL]));
                let tag = self.raw.split_off(self.raw.len() - n_tag);
                self.held.insert_str(0, &tag);
                self.say_failed(events);
                self.place = Place::Mistake;
            }
            Progress::Failed(Failure::Prose) => {
                // Only what looked like the begin is told: a call may follow right behind.
                let begin = if block.is_bare() { FUNCTION.len() } else { tag_len(&self.raw) };
                let rest = self.raw.split_off(begin);
                self.held.insert_str(0, &rest);
                self.say_failed(events);
            }
        }
    }

    pub(super) fn read_mistake(&mut self, events: &mut Vec<ReplyEvent>) -> bool {
        match ReplyTag::EndCall.find(&self.held, Spelled::Counts) {
            Some((at, len)) => {
                self.say(at + len, events);
                self.place = Place::Content;
                true
            }
            None => {
                self.say(self.held.len() - partial_tag(&self.held, &[END_CALL]), events);
                false
            }
        }
    }

    pub(super) fn note(&mut self, pieces: Vec<CallPiece>, events: &mut Vec<ReplyEvent>) {
        for piece in pieces {
            let is_end = matches!(piece, CallPiece::End { .. });
            self.teller.call(piece, &self.space, events);
            if is_end {
                self.may_think = false;
                self.space.clear();
            }
        }
    }

    /// What was read is no call but text.
    pub(super) fn say_failed(&mut self, events: &mut Vec<ReplyEvent>) {
        self.may_think = false;
        self.teller.drop_call();
        let text = std::mem::take(&mut self.space) + &std::mem::take(&mut self.raw);
        self.teller.say(&text, events);
    }
}

/// Lets a block read a character, or the name of a token.
pub(super) fn push_char(block: &mut Block, c: char, tools: &Tools, pieces: &mut Vec<CallPiece>) -> Progress {
    let Some(name) = name_of(c) else { return block.push(c, tools, pieces) };
    for c in name.chars() {
        match block.push(c, tools, pieces) {
            Progress::More => {}
            progress => return progress,
        }
    }
    Progress::More
}

/// Length of the tag that the text of a call begins with.
fn tag_len(raw: &str) -> usize {
    ReplyTag::Call.strip(raw).map_or(0, |(rest, _)| raw.len() - rest.len())
}
