//! Texts at random under a grammar.
// no test needs all of it
#![allow(dead_code)]

pub(crate) mod random;

use qwill_grammar::{Grammars, Matcher, Vocabulary};

/// Random numbers that are the same every time.
pub(crate) struct Rng(pub(crate) u64);

impl Rng {
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % n
    }

    pub(crate) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub(crate) fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }
}

const END: u32 = 256;
/// Pieces that cross the borders of JSON's parts.
const PIECES: [&str; 17] = [
    "\": ", "\", \"", "{\"", "\"}", "},", "[]", "]}", "true", "null", " 0", "12", "-1", ".5", "e3", "the",
    "\\n", "\\u00",
];

/// Every byte, what ends a text, and the pieces.
pub(crate) fn grammars() -> Grammars {
    let mut tokens: Vec<Vec<u8>> = (0..=255).map(|byte| vec![byte]).collect();
    tokens.push(Vocabulary::special("<|im_end|>"));
    tokens.extend(PIECES.map(|piece| piece.as_bytes().to_vec()));
    let encode = |text: &[u8]| text.iter().map(|&byte| byte.into()).collect();
    Grammars::new(Vocabulary { tokens, ends: vec![END], encode: Box::new(encode) }).unwrap()
}

/// A text at random; none if it does not end within so many tokens.
pub(crate) fn write(matcher: &mut Matcher, rng: &mut Rng, most: usize) -> Option<String> {
    let mut text = Vec::new();
    for _ in 0..most {
        let mut bits = [0u32; 9];
        matcher.allow(&mut bits).unwrap();
        let allowed: Vec<u32> = (0..288).filter(|id| bits[*id as usize / 32] >> (id % 32) & 1 == 1).collect();
        assert!(!allowed.is_empty(), "nothing may follow {:?}", String::from_utf8_lossy(&text));
        // what closes something comes more often than at random, or texts would not end
        let closing =
            [END, b'"'.into(), b'}'.into(), b']'.into()].into_iter().find(|id| allowed.contains(id));
        let token = match closing {
            Some(closing) if rng.one_in(4) => closing,
            _ => *rng.pick(&allowed),
        };
        matcher.take(token).unwrap();
        match token {
            END => return Some(String::from_utf8(text).unwrap()),
            0..256 => text.push(token as u8),
            _ => text.extend_from_slice(PIECES[token as usize - 257].as_bytes()),
        }
        for forced in matcher.force().unwrap() {
            if forced < END {
                text.push(forced as u8);
            }
        }
        if matcher.is_over() {
            return Some(String::from_utf8(text).unwrap());
        }
    }
    None
}
