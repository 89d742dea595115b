//! What readers of calls tell.

/// Something that is certain of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum CallPiece {
    /// It begins.
    Name(String),
    /// More of its arguments, JSON text.
    Arguments(String),
    /// It is complete, and so many bytes of what was read last belong to what follows.
    End { behind: usize },
}

/// How far a reader of calls is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// Text is lacking.
    More,
    /// The last call ended, and the tag behind it is read.
    Closed,
    /// The last call ended where the next `<tool_call>` stands.
    Reopened,
    /// Nothing but `<tool_call>` was read, again.
    Repeated,
    /// What was read behind the last complete call is none.
    Failed(Failure),
}

/// What looked like a call and is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// Text that mentions the tag: nothing like a call begins behind it.
    Prose,
    /// A call with mistakes. The text in it, of which some may look like calls, was never meant as such.
    Mistake,
}

/// How a block of calls begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opening {
    /// With `<tool_call>`.
    Tagged,
    /// Without.
    Bare,
}

/// How a reply ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// By the model.
    Whole,
    /// In the middle.
    Cut,
}

/// Adds to the arguments that were told last.
pub(super) fn tell_arguments(text: &str, pieces: &mut Vec<CallPiece>) {
    match pieces.last_mut() {
        _ if text.is_empty() => {}
        Some(CallPiece::Arguments(last)) => last.push_str(text),
        _ => pieces.push(CallPiece::Arguments(text.to_owned())),
    }
}
