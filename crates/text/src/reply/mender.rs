//! JSON as models write it.
//!
//! Crates that repair JSON take a whole text and print it anew. Here the text comes in pieces, what came is passed on at
//! once, and what is right keeps the model's own spelling, so this is a reader of our own. It mends what can be meant in one
//! way only: line breaks and other control characters in texts, backslashes that begin no escape, texts in single quotes,
//! Python's `True`, `False` and `None`, a comma behind the last element, and, where it is said that nothing follows, brackets
//! that were not closed.

/// Deeper nesting is refused; readers of JSON have limits about there.
const MAX_DEPTH: usize = 100;

/// What was pushed is no JSON, even with good will.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// A key of the outermost object, and where its value lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) key: String,
    pub(super) start: usize,
    /// None while it is being written.
    pub(super) end: Option<usize>,
}

/// Reads one object or list, character by character.
#[derive(Clone, Debug)]
pub(super) struct Mender {
    /// Right JSON so far; it only grows.
    out: String,
    /// The brackets that are open.
    open: Vec<char>,
    state: State,
    /// A comma, of which it is not certain that something follows, with the white space behind it.
    comma: String,
    /// A number or literal that may go on.
    word: String,
    /// Where the text that is being read begins.
    text_start: usize,
    key: String,
    members: Vec<Member>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// A value must come: first of all, or behind a colon.
    Value,
    /// Behind an opening bracket: an element, or the end.
    Open,
    /// Behind a comma: an element, or the end.
    Element,
    Colon,
    /// Behind an element.
    Next,
    Word,
    Text {
        quote: char,
        role: Role,
        escape: Escape,
    },
    Done,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Key,
    Value,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Escape {
    None,
    /// Behind a backslash.
    Begun,
    /// Behind `\u` or `\x`: the digits so far, and how many there must be.
    Digits {
        digits: [char; 4],
        n: usize,
        wanted: usize,
    },
}

impl Mender {
    pub(super) fn new() -> Self {
        Self {
            out: String::new(),
            open: Vec::new(),
            state: State::Value,
            comma: String::new(),
            word: String::new(),
            text_start: 0,
            key: String::new(),
            members: Vec::new(),
        }
    }

    /// What was read, as right JSON.
    pub(super) fn out(&self) -> &str {
        &self.out
    }

    /// The members of the outermost object, in their order.
    pub(super) fn members(&self) -> &[Member] {
        &self.members
    }

    pub(super) fn is_done(&self) -> bool {
        self.state == State::Done
    }

    pub(super) fn push(&mut self, c: char) -> Result<(), Malformed> {
        match self.state {
            State::Text { quote, role, escape } => {
                self.text(c, quote, role, escape);
                Ok(())
            }
            State::Word if c.is_ascii_alphanumeric() || "+-._".contains(c) => {
                self.word.push(c);
                Ok(())
            }
            State::Word => {
                self.end_word()?;
                self.punctuation(c)
            }
            _ => self.punctuation(c),
        }
    }

    /// Nothing follows: closes what is open, if an element or the end may stand here.
    pub(super) fn end(&mut self) -> Result<(), Malformed> {
        if self.state == State::Word {
            self.end_word()?;
        }
        while let Some(bracket) = self.open.last() {
            self.punctuation(if *bracket == '{' { '}' } else { ']' })?;
        }
        Ok(())
    }

    /// Whether what is read now may be anything, a tag among it.
    pub(super) fn is_in_text(&self) -> bool {
        matches!(self.state, State::Text { .. })
    }

    fn punctuation(&mut self, c: char) -> Result<(), Malformed> {
        if matches!(c, ' ' | '\n' | '\r' | '\t') {
            let to = if self.comma.is_empty() { &mut self.out } else { &mut self.comma };
            to.push(c);
            return Ok(());
        }
        let closes = matches!((self.open.last(), c), (Some('{'), '}') | (Some('['), ']'));
        match self.state {
            State::Open | State::Element | State::Next if closes => self.close(c),
            State::Open | State::Element if self.open.last() == Some(&'{') => match c {
                '"' | '\'' => self.begin_text(c, Role::Key),
                _ => return Err(Malformed),
            },
            State::Value if self.open.len() == 1 && (closes || c == ',') => {
                // `"arguments": }`: nothing is meant.
                self.begin_value();
                self.out.push_str("null");
                self.end_value();
                return self.punctuation(c);
            }
            State::Value | State::Open | State::Element => return self.value(c),
            State::Colon if c == ':' => {
                self.out.push(c);
                self.state = State::Value;
            }
            State::Next if c == ',' => {
                self.comma.push(c);
                self.state = State::Element;
            }
            _ => return Err(Malformed),
        }
        Ok(())
    }

    fn value(&mut self, c: char) -> Result<(), Malformed> {
        self.flush_comma();
        self.begin_value();
        match c {
            '{' | '[' if self.open.len() < MAX_DEPTH => {
                self.out.push(c);
                self.open.push(c);
                self.state = State::Open;
            }
            '"' | '\'' if !self.open.is_empty() => self.begin_text(c, Role::Value),
            '-' | 'a'..='z' | 'A'..='Z' | '0'..='9' if !self.open.is_empty() => {
                self.word.push(c);
                self.state = State::Word;
            }
            _ => return Err(Malformed),
        }
        Ok(())
    }

    fn flush_comma(&mut self) {
        self.out.push_str(&self.comma);
        self.comma.clear();
    }

    fn close(&mut self, c: char) {
        let space = self.comma.get(1..).unwrap_or_default();
        self.out.push_str(space);
        self.comma.clear();
        self.out.push(c);
        self.open.pop();
        self.end_value();
    }

    fn begin_value(&mut self) {
        if self.open == ['{'] {
            let key = std::mem::take(&mut self.key);
            self.members.push(Member { key, start: self.out.len(), end: None });
        }
    }

    fn end_value(&mut self) {
        if self.open == ['{']
            && let Some(member) = self.members.last_mut()
        {
            member.end = Some(self.out.len());
        }
        self.state = if self.open.is_empty() { State::Done } else { State::Next };
    }

    fn end_word(&mut self) -> Result<(), Malformed> {
        let word = std::mem::take(&mut self.word);
        let literal = match word.as_str() {
            "true" | "True" => "true",
            "false" | "False" => "false",
            "null" | "None" => "null",
            number => {
                serde_json::from_str::<serde_json::Number>(number).map(|_| number).map_err(|_| Malformed)?
            }
        };
        self.out.push_str(literal);
        self.end_value();
        Ok(())
    }

    fn begin_text(&mut self, quote: char, role: Role) {
        self.flush_comma();
        self.text_start = self.out.len();
        self.out.push('"');
        self.state = State::Text { quote, role, escape: Escape::None };
    }

    fn text(&mut self, c: char, quote: char, role: Role, escape: Escape) {
        let escape = match escape {
            Escape::None if c == quote => return self.end_text(role),
            Escape::None if c == '\\' => Escape::Begun,
            Escape::None => {
                self.plain(c);
                Escape::None
            }
            Escape::Begun => match c {
                'u' => Escape::Digits { digits: ['0'; 4], n: 0, wanted: 4 },
                // Python's, where the text is Python's.
                'x' if quote == '\'' => Escape::Digits { digits: ['0'; 4], n: 0, wanted: 2 },
                '\'' => {
                    self.out.push('\'');
                    Escape::None
                }
                '"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't' => {
                    self.out.push('\\');
                    self.out.push(c);
                    Escape::None
                }
                _ => {
                    self.out.push_str("\\\\");
                    self.plain(c);
                    Escape::None
                }
            },
            Escape::Digits { mut digits, n, wanted } if c.is_ascii_hexdigit() => {
                digits[n] = c;
                if n + 1 == wanted {
                    self.out.push_str("\\u");
                    self.out.extend(std::iter::repeat_n('0', 4 - wanted));
                    self.out.extend(&digits[..wanted]);
                    Escape::None
                } else {
                    Escape::Digits { digits, n: n + 1, wanted }
                }
            }
            Escape::Digits { digits, n, wanted } => {
                // No escape after all: the backslash was one.
                self.out.push_str("\\\\");
                self.out.push(if wanted == 4 { 'u' } else { 'x' });
                self.out.extend(&digits[..n]);
                return self.text(c, quote, role, Escape::None);
            }
        };
        self.state = State::Text { quote, role, escape };
    }

    fn plain(&mut self, c: char) {
        escape_into(c, &mut self.out);
    }

    fn end_text(&mut self, role: Role) {
        self.out.push('"');
        match role {
            Role::Key => {
                self.key = text_of(&self.out[self.text_start..]).unwrap_or_default();
                self.state = State::Colon;
            }
            Role::Value => self.end_value(),
        }
    }
}

/// Adds a character to a JSON text.
pub(super) fn escape_into(c: char, out: &mut String) {
    match c {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        c if c < ' ' => out.push_str(&format!("\\u{:04x}", c as u32)),
        c => out.push(c),
    }
}

/// A text that is one object or list, mended.
pub(super) fn mend(text: &str) -> Option<Mender> {
    let mut mender = Mender::new();
    for c in text.trim().chars() {
        if mender.is_done() {
            return None;
        }
        mender.push(c).ok()?;
    }
    mender.is_done().then_some(mender)
}

/// The text that a JSON string stands for.
pub(super) fn text_of(json: &str) -> Option<String> {
    serde_json::from_str(json).ok()
}

#[cfg(test)]
mod tests;
