//! What is between the tags of a call, read character by character in either form.

use super::json_block::JsonBlock;
use super::progress::{CallPiece, Ending, Failure, Opening, Progress};
use super::tools::Tools;
use super::xml_block::XmlBlock;

/// The inside of `<tool_call>…</tool_call>`, or calls in XML that lack the tags.
#[derive(Clone, Debug)]
pub(super) enum Block {
    /// Nothing but white space yet.
    Blank,
    Json(JsonBlock),
    Xml(XmlBlock),
}

impl Block {
    pub(super) fn new(opening: Opening) -> Self {
        match opening {
            Opening::Tagged => Self::Blank,
            Opening::Bare => Self::Xml(XmlBlock::new(Opening::Bare)),
        }
    }

    pub(super) fn is_bare(&self) -> bool {
        matches!(self, Self::Xml(xml) if xml.is_bare())
    }

    /// Takes the next character, and notes what it makes certain.
    pub(super) fn push(&mut self, c: char, tools: &Tools, pieces: &mut Vec<CallPiece>) -> Progress {
        match self {
            Self::Blank if c.is_whitespace() => return Progress::More,
            Self::Blank => match c {
                '{' | '[' => *self = Self::Json(JsonBlock::default()),
                '<' => *self = Self::Xml(XmlBlock::new(Opening::Tagged)),
                _ => return Progress::Failed(Failure::Prose),
            },
            Self::Json(_) | Self::Xml(_) => {}
        }
        match self {
            Self::Blank => Progress::More,
            Self::Json(json) => json.push(c, tools, pieces),
            Self::Xml(xml) => xml.push(c, tools, pieces),
        }
    }

    /// Nothing follows.
    pub(super) fn finish(&mut self, ending: Ending, tools: &Tools, pieces: &mut Vec<CallPiece>) -> Progress {
        match self {
            Self::Blank => Progress::Failed(Failure::Prose),
            Self::Json(json) => json.finish(pieces),
            Self::Xml(xml) => xml.finish(ending, tools, pieces),
        }
    }
}
