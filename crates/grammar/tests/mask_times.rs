//! How long a list of allowed tokens takes over a vocabulary of Qwen's size, as JSON for `tests/bench`:
//! `cargo test --release -p qwill-grammar --test mask_times -- --ignored --nocapture`.

mod walk;

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use qwill_grammar::{Grammar, Grammars, Vocabulary};
use serde_json::{Value, json};

use walk::{Rng, random};

/// Rows of the embedding of Qwen2 to Qwen3.
const N_TOKENS: usize = 151_936;
/// Tokens of a text, at most.
const MOST: usize = 300;

/// Tokens as a byte-level tokenizer has them: bytes, runs of punctuation and of blanks, characters of other scripts, and words with
/// all that they begin with, each also behind a space and capitalised. What is missing of the number is made of syllables.
fn tokens() -> Vec<Vec<u8>> {
    let mut known = HashSet::new();
    let mut tokens: Vec<Vec<u8>> = Vec::new();
    let mut add = |token: &[u8], tokens: &mut Vec<Vec<u8>>| {
        if tokens.len() < N_TOKENS - 2 && known.insert(token.to_vec()) {
            tokens.push(token.to_vec());
        }
    };
    (0..=255u8).for_each(|byte| add(&[byte], &mut tokens));
    let marks = "\"':,.;{}[]()<>/\\|!?-_=+*&%$#@ \n\t";
    for first in marks.chars() {
        for second in marks.chars() {
            add(format!("{first}{second}").as_bytes(), &mut tokens);
            for third in "\":{}[], \n".chars() {
                add(format!("{first}{second}{third}").as_bytes(), &mut tokens);
            }
        }
    }
    (2..80).for_each(|n| add(" ".repeat(n).as_bytes(), &mut tokens));
    let scripts = ('\u{4e00}'..='\u{8fff}').chain('\u{400}'..='\u{45f}').chain('\u{ac00}'..='\u{b3ff}');
    scripts.for_each(|c| add(c.to_string().as_bytes(), &mut tokens));
    let mut words = |word: &str, tokens: &mut Vec<Vec<u8>>| {
        for end in 2..=word.len() {
            let part = &word[..end];
            let capital = part[..1].to_uppercase() + &part[1..];
            for token in [part.to_owned(), format!(" {part}"), format!(" {capital}"), capital] {
                add(token.as_bytes(), tokens);
            }
        }
    };
    let text = include_str!("../../../ARCHITECTURE.md").to_owned() + include_str!("../src/grammar.rs");
    text.split(|c: char| !c.is_ascii_alphabetic())
        .filter(|word| !word.is_empty())
        .for_each(|word| words(word, &mut tokens));
    let syllables: Vec<String> = "b c d f g h l m n p r s t st tr ch"
        .split(' ')
        .flat_map(|head| "a e i o u ea".split(' ').map(move |vowel| format!("{head}{vowel}")))
        .flat_map(|open| ["", "n", "r", "s", "l"].map(|tail| format!("{open}{tail}")))
        .collect();
    'full: for first in &syllables {
        for second in &syllables {
            words(&format!("{first}{second}"), &mut tokens);
            if tokens.len() >= N_TOKENS - 2 {
                break 'full;
            }
        }
    }
    tokens.push(Vocabulary::special("<|endoftext|>"));
    tokens.push(Vocabulary::special("<|im_end|>"));
    assert_eq!(tokens.len(), N_TOKENS);
    tokens
}

/// The longest token first.
fn encode(ids: &HashMap<Vec<u8>, u32>, mut text: &[u8]) -> Vec<u32> {
    let mut out = Vec::new();
    while !text.is_empty() {
        let longest = (1..=text.len().min(80)).rev().find_map(|end| Some((ids.get(&text[..end])?, end)));
        let Some((&id, end)) = longest else { break };
        out.push(id);
        text = &text[end..];
    }
    out
}

fn summary(mut times: Vec<f64>) -> Value {
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    json!({"n": times.len(), "median": at(0.5), "p95": at(0.95), "max": at(1.0)})
}

#[test]
#[ignore = "a measurement"]
fn lists_of_allowed_tokens_are_quick() {
    let tokens = tokens();
    let ids: HashMap<Vec<u8>, u32> = tokens.iter().cloned().zip(0..).collect();
    let ends = vec![N_TOKENS as u32 - 1, N_TOKENS as u32 - 2];
    let started = Instant::now();
    let encode = Box::new(move |text: &[u8]| encode(&ids, text));
    let grammars = Grammars::new(Vocabulary { tokens: tokens.clone(), ends: ends.clone(), encode }).unwrap();
    let vocabulary_ms = started.elapsed().as_secs_f64() * 1e3;
    let closing: Vec<u32> = ends.iter().copied().chain([b'"', b'}', b']'].map(u32::from)).collect();
    let mut rng = Rng(7);
    let (mut compile_ms, mut mask_ms) = (Vec::new(), Vec::new());
    for _ in 0..500 {
        let schema = random::document(&mut rng);
        let started = Instant::now();
        let Ok(mut matcher) = grammars.compile(&Grammar::JsonSchema(schema)) else { continue };
        compile_ms.push(started.elapsed().as_secs_f64() * 1e3);
        for _ in 0..MOST {
            let mut bits = vec![0u32; N_TOKENS.div_ceil(32)];
            let started = Instant::now();
            matcher.allow(&mut bits).unwrap();
            mask_ms.push(started.elapsed().as_secs_f64() * 1e3);
            let is_allowed = |id: u32| bits[id as usize / 32] >> (id % 32) & 1 == 1;
            let close = closing.iter().copied().find(|id| is_allowed(*id));
            let token = match close {
                Some(close) if rng.one_in(4) => close,
                _ => {
                    let allowed: Vec<u32> = (0..N_TOKENS as u32).filter(|id| is_allowed(*id)).collect();
                    *rng.pick(&allowed)
                }
            };
            matcher.take(token).unwrap();
            matcher.force().unwrap();
            if matcher.is_over() {
                break;
            }
        }
    }
    let masks = summary(mask_ms);
    println!(
        "{}",
        json!({"n_tokens": N_TOKENS, "vocabulary_ms": vocabulary_ms, "compile_ms": summary(compile_ms), "mask_ms": masks})
    );
    assert!(masks["median"].as_f64().unwrap() < 1.0, "{masks}");
}
