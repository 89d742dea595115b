//! Calls in XML: `<function=NAME><parameter=KEY>VALUE</parameter>…</function>`, one or several. Their arguments become JSON
//! while they are read.

use super::progress::{CallPiece, Ending, Failure, Opening, Progress};
use super::tag::{CALL, FUNCTION};
use super::tools::Tools;
use super::xml_call::XmlCall;
use super::xml_ends::{
    Follows, Found, Place, Unfinished, bare_name, behind_parameter, name_before_bracket, value_end,
};

/// Reads calls up to the tag behind them.
#[derive(Clone, Debug)]
pub(super) struct XmlBlock {
    opening: Opening,
    /// What was read and is not understood yet.
    rest: String,
    call: Option<XmlCall>,
}

impl XmlBlock {
    pub(super) fn new(opening: Opening) -> Self {
        Self { opening, rest: String::new(), call: None }
    }

    pub(super) fn is_bare(&self) -> bool {
        self.opening == Opening::Bare
    }

    pub(super) fn push(&mut self, c: char, tools: &Tools, pieces: &mut Vec<CallPiece>) -> Progress {
        self.rest.push(c);
        self.read(None, tools, pieces)
    }

    /// Nothing follows: a call that is complete counts even if tags behind it are missing.
    pub(super) fn finish(&mut self, ending: Ending, tools: &Tools, pieces: &mut Vec<CallPiece>) -> Progress {
        match self.read(Some(ending), tools, pieces) {
            Progress::More => Progress::Failed(Failure::Mistake),
            progress => progress,
        }
    }

    fn read(&mut self, ending: Option<Ending>, tools: &Tools, pieces: &mut Vec<CallPiece>) -> Progress {
        loop {
            let Some(call) = &mut self.call else { return self.read_name(tools) };
            if call.value.is_some() {
                // Only a tag can end a value.
                let text = self.rest.find('<').unwrap_or(self.rest.len());
                call.push_value(&self.rest[..text], pieces);
                self.rest.drain(..text);
            }
            let place = Place { opening: self.opening, may_begin: &|key| call.may_begin(key, tools), ending };
            let found = match call.value {
                None => behind_parameter(&self.rest, &place),
                Some(_) if self.rest.is_empty() => Found::Unknown,
                Some(_) => value_end(&self.rest, &place),
            };
            let follows = match found {
                Found::Unknown => return Progress::More,
                Found::Text if call.value.is_none() => return Progress::Failed(self.failure()),
                Found::Text => {
                    call.push_value("<", pieces);
                    self.rest.drain(..1);
                    continue;
                }
                Found::End(follows) => follows,
            };
            self.rest.clear();
            if let Follows::Parameter(key) = follows {
                call.begin_value(key, tools, pieces);
                return Progress::More;
            }
            call.finish(pieces);
            pieces.push(CallPiece::End { behind: FUNCTION.len() });
            self.call = None;
            return match follows {
                Follows::Reopened => Progress::Reopened,
                Follows::Function => {
                    self.rest.push_str(FUNCTION);
                    Progress::More
                }
                Follows::Parameter(_) | Follows::Closed => Progress::Closed,
            };
        }
    }

    fn read_name(&mut self, tools: &Tools) -> Progress {
        let Some(name) = self.rest.strip_prefix(FUNCTION) else {
            let tags: &[&str] = if self.is_bare() { &[FUNCTION] } else { &[FUNCTION, CALL] };
            return match tags.iter().any(|tag| tag.starts_with(&self.rest)) {
                true if self.rest == CALL => Progress::Repeated,
                true => Progress::More,
                false => Progress::Failed(Failure::Prose),
            };
        };
        let name = match name_before_bracket(name) {
            Err(Unfinished) => return Progress::More,
            Ok(None) => return Progress::Failed(self.failure()),
            Ok(Some(name)) => bare_name(name),
        };
        if self.opening == Opening::Bare && !tools.is_declared(name) {
            return Progress::Failed(Failure::Prose);
        }
        self.call = Some(XmlCall::new(name, tools));
        self.rest.clear();
        Progress::More
    }

    /// What it is that something odd stands where a call should begin or go on.
    fn failure(&self) -> Failure {
        match self.opening {
            Opening::Tagged => Failure::Mistake,
            Opening::Bare => Failure::Prose,
        }
    }
}
