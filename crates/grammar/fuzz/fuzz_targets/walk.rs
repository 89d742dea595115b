//! A few tokens under a grammar, whatever it is.

use std::sync::LazyLock;

use qwill_grammar::{Grammar, Grammars, Vocabulary};

const END: u32 = 256;
/// Tokens of a text, at most.
const MOST: usize = 30;

static GRAMMARS: LazyLock<Grammars> = LazyLock::new(|| {
    let mut tokens: Vec<Vec<u8>> = (0..=255).map(|byte| vec![byte]).collect();
    tokens.push(Vocabulary::special("<|im_end|>"));
    let encode = |text: &[u8]| text.iter().map(|&byte| byte.into()).collect();
    Grammars::new(Vocabulary { tokens, ends: vec![END], encode: Box::new(encode) }).unwrap()
});

/// Compiles it, and takes tokens that are allowed, chosen by `choices`.
/// What is refused, or grows too ambiguous on the way, is an error.
pub fn walk(grammar: &Grammar, choices: &[u8]) {
    let Ok(mut matcher) = GRAMMARS.compile(grammar) else { return };
    for step in 0..MOST {
        let mut bits = [0u32; 9];
        if matcher.allow(&mut bits).is_err() {
            return;
        }
        let allowed: Vec<u32> = (0..=END).filter(|id| bits[*id as usize / 32] >> (id % 32) & 1 == 1).collect();
        let choice = choices.get(step % choices.len().max(1)).copied().unwrap_or(0);
        let Some(&token) = allowed.get(usize::from(choice) % allowed.len().max(1)) else { return };
        if matcher.take(token).is_err() || matcher.is_over() || matcher.force().is_err() {
            return;
        }
    }
}
