//! Any text as a regular expression, Lark and GBNF: refused or followed, in bounded time and space.
//!
//! Run by `cargo xtask test fuzz`.

#![no_main]

mod walk;

use libfuzzer_sys::fuzz_target;
use qwill_grammar::Grammar;

fuzz_target!(|data: &[u8]| {
    let Some((kind, rest)) = data.split_first() else { return };
    let text = String::from_utf8_lossy(rest).into_owned();
    let grammar = match kind % 3 {
        0 => Grammar::Regex(text),
        1 => Grammar::Lark(text),
        _ => Grammar::Gbnf(text),
    };
    walk::walk(&grammar, rest);
});
