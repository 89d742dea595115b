//! One call in XML, whose arguments become JSON.

use serde_json::Value;

use super::progress::{CallPiece, tell_arguments};
use super::tools::Tools;
use super::xml_value::XmlValue;

/// A call that has a name.
#[derive(Clone, Debug)]
pub(super) struct XmlCall {
    name: String,
    /// The names of its parameters so far.
    keys: Vec<String>,
    /// The value that is being read.
    pub(super) value: Option<XmlValue>,
    /// Arguments that were not told yet.
    arguments: String,
    telling: Telling,
}

/// When a call is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Telling {
    /// When it is complete: nobody declared such a tool, so it may be an example.
    Late,
    /// While it is written, from its first parameter on.
    Early,
    /// It was begun.
    Begun,
}

impl XmlCall {
    pub(super) fn new(name: &str, tools: &Tools) -> Self {
        let telling = if tools.is_declared(name) { Telling::Early } else { Telling::Late };
        Self { name: name.to_owned(), keys: Vec::new(), value: None, arguments: String::new(), telling }
    }

    /// Whether a parameter of this name may begin although the one before was not closed: on a line of its own, and not if
    /// it is known to be none.
    pub(super) fn may_begin(&self, key: &str, tools: &Tools) -> bool {
        self.value.as_ref().is_some_and(XmlValue::is_at_line_start)
            && !self.keys.iter().any(|known| known == key)
            && tools.declares(&self.name, key) != Some(false)
    }

    /// The next parameter begins.
    pub(super) fn begin_value(&mut self, key: String, tools: &Tools, pieces: &mut Vec<CallPiece>) {
        self.end_value();
        self.arguments.push(if self.keys.is_empty() { '{' } else { ',' });
        self.arguments += &format!("{}:", Value::from(&*key));
        self.value = Some(XmlValue::new(tools.parameter(&self.name, &key)));
        self.keys.push(key);
        self.tell(pieces);
    }

    /// More of the value.
    pub(super) fn push_value(&mut self, text: &str, pieces: &mut Vec<CallPiece>) {
        if let Some(value) = &mut self.value {
            value.push(text, &mut self.arguments);
        }
        self.tell(pieces);
    }

    /// The call is complete.
    pub(super) fn finish(&mut self, pieces: &mut Vec<CallPiece>) {
        self.end_value();
        self.arguments += if self.keys.is_empty() { "{}" } else { "}" };
        if self.telling == Telling::Late {
            self.telling = Telling::Early;
        }
        self.tell(pieces);
    }

    fn end_value(&mut self) {
        if let Some(value) = self.value.take() {
            value.finish(&mut self.arguments);
        }
    }

    fn tell(&mut self, pieces: &mut Vec<CallPiece>) {
        if self.telling == Telling::Late || self.arguments.is_empty() {
            return;
        }
        if self.telling == Telling::Early {
            pieces.push(CallPiece::Name(self.name.clone()));
            self.telling = Telling::Begun;
        }
        tell_arguments(&std::mem::take(&mut self.arguments), pieces);
    }
}
