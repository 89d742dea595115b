//! Calls in JSON: `{"name": …, "arguments": {…}}`, one or several, in a list or not.

use super::json_call::JsonCall;
use super::progress::{CallPiece, Failure, Progress};
use super::tag::{CALL, END_CALL};
use super::tools::Tools;

/// Reads calls up to the tag behind them.
#[derive(Clone, Debug, Default)]
pub(super) struct JsonBlock {
    list: List,
    /// The call that is being read.
    call: Option<JsonCall>,
    /// What is to be told of a call that is complete, when it is certain that nothing odd follows it.
    complete: Option<Vec<CallPiece>>,
    /// Behind a comma.
    wants_call: bool,
    /// The beginning of a tag.
    tag: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum List {
    #[default]
    None,
    Open,
    Closed,
}

impl JsonBlock {
    pub(super) fn push(&mut self, c: char, tools: &Tools, pieces: &mut Vec<CallPiece>) -> Progress {
        if !self.tag.is_empty() {
            return self.end_tag(c, tools, pieces);
        }
        if let Some(call) = &mut self.call {
            if c == '<' && call.may_end() {
                self.tag.push(c);
                return Progress::More;
            }
            if call.push(c, tools, pieces).is_err() {
                return Progress::Failed(Failure::Mistake);
            }
            return if call.is_done() { self.end_object(tools) } else { Progress::More };
        }
        match c {
            _ if c.is_whitespace() => {}
            '{' if self.list != List::Closed => {
                self.end_call(pieces);
                self.wants_call = false;
                self.call = Some(JsonCall::default());
                return self.push(c, tools, pieces);
            }
            '[' if self.list == List::None && self.complete.is_none() => self.list = List::Open,
            ']' if self.list == List::Open && self.complete.is_some() => {
                (self.list, self.wants_call) = (List::Closed, false)
            }
            ',' if self.list != List::Closed && self.complete.is_some() && !self.wants_call => {
                self.wants_call = true
            }
            // One bracket too many closes nothing else.
            '}' | ']' if self.complete.is_some() && !self.wants_call => {}
            '<' if self.complete.is_some() && !self.wants_call => self.tag.push(c),
            _ => return Progress::Failed(Failure::Mistake),
        }
        Progress::More
    }

    /// The object of a call is complete.
    fn end_object(&mut self, tools: &Tools) -> Progress {
        let Some(call) = self.call.take() else { return Progress::More };
        let Ok(rest) = call.finish(tools) else { return Progress::Failed(Failure::Mistake) };
        self.complete = Some(rest);
        Progress::More
    }

    fn end_tag(&mut self, c: char, tools: &Tools, pieces: &mut Vec<CallPiece>) -> Progress {
        self.tag.push(c);
        let progress = match self.tag.as_str() {
            END_CALL => Progress::Closed,
            CALL => Progress::Reopened,
            tag if END_CALL.starts_with(tag) || CALL.starts_with(tag) => return Progress::More,
            _ => return Progress::Failed(Failure::Mistake),
        };
        if let Some(call) = &mut self.call
            && (call.end(pieces).is_err() || self.end_object(tools) != Progress::More)
        {
            return Progress::Failed(Failure::Mistake);
        }
        self.end_call(pieces);
        progress
    }

    /// Nothing follows: complete calls count even if the tag is missing.
    pub(super) fn finish(&mut self, pieces: &mut Vec<CallPiece>) -> Progress {
        let is_complete =
            self.call.is_none() && self.list != List::Open && !self.wants_call && self.tag.is_empty();
        if self.complete.is_none() || !is_complete {
            return Progress::Failed(Failure::Mistake);
        }
        self.end_call(pieces);
        Progress::Closed
    }

    /// What follows a call is in order, and begins with the last character.
    fn end_call(&mut self, pieces: &mut Vec<CallPiece>) {
        if let Some(rest) = self.complete.take() {
            pieces.extend(rest);
            pieces.push(CallPiece::End { behind: 1 });
        }
    }
}
