//! llama.cpp's grammars, GBNF, as Lark.
//!
//! `root ::= "a" [b-c]+ ( item | "d"{2,3} )?`: rules of literals, classes of characters, other rules, groups, alternatives and
//! repetitions; `#` begins a comment. A rule that does not come back to itself becomes a terminal, which llguidance
//! compiles into a lexer; the others become rules.

mod parse;
mod print;

use std::collections::BTreeMap;

/// What a rule consists of.
#[derive(Debug, Clone, PartialEq)]
enum Node {
    /// One of several.
    Either(Vec<Node>),
    /// One after the other.
    All(Vec<Node>),
    /// Text.
    Literal(String),
    /// A class of characters, as a regular expression has it.
    Class(String),
    /// Another rule.
    Rule(String),
    /// So often: at least, and at most if there is a most.
    Repeat(Box<Node>, u32, Option<u32>),
}

type Rules = BTreeMap<String, Node>;

/// The same grammar for llguidance.
///
/// # Errors
/// In words, with the line.
pub(crate) fn to_lark(text: &str) -> Result<String, String> {
    let rules = parse::parse(text)?;
    if !rules.contains_key("root") {
        return Err("there is no rule \"root\"".into());
    }
    print::print(&rules)
}

#[cfg(test)]
mod tests;
