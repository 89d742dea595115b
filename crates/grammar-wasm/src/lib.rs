//! The grammar engine as a module of its own, which `npm/` loads when a reply must have a form: wasm-bindgen glue over
//! `qwill-grammar`, nothing else.
//!
//! `npm/src/grammars.ts` describes the same surface from the other side. A text that is thrown says what is wrong with a grammar
//! or a token; anything else that is thrown is a fault, after which the module must be made anew.
#![cfg(target_arch = "wasm32")]

use std::fmt::Display;

use js_sys::{Function, Uint8Array, Uint32Array};
use qwill_grammar::{Grammar, Vocabulary};
use wasm_bindgen::prelude::*;

/// A panic becomes a JavaScript error that says what it was.
#[wasm_bindgen(start)]
fn start() {
    std::panic::set_hook(Box::new(|info| wasm_bindgen::throw_str(&info.to_string())));
}

fn refusal(error: impl Display) -> JsValue {
    error.to_string().into()
}

/// Grammars over a model's tokens.
#[wasm_bindgen]
pub struct Grammars(qwill_grammar::Grammars);

#[wasm_bindgen]
impl Grammars {
    /// Prepares a vocabulary: the bytes of its tokens one after the other, how many each has, those that end a text, and what
    /// makes tokens of bytes.
    #[wasm_bindgen(constructor)]
    pub fn new(bytes: &[u8], lengths: &[u32], ends: Vec<u32>, encode: Function) -> Result<Grammars, JsValue> {
        let mut rest = bytes;
        let tokens = lengths.iter().map(|&length| {
            let (token, others) = rest.split_at(rest.len().min(length as usize));
            rest = others;
            token.to_vec()
        });
        let tokens = tokens.collect();
        let encode = move |bytes: &[u8]| {
            let ids = encode.call1(&JsValue::NULL, &Uint8Array::from(bytes));
            // whoever cannot encode says so on the other side
            ids.map_or_else(|_| Vec::new(), |ids| Uint32Array::from(ids).to_vec())
        };
        let vocabulary = Vocabulary { tokens, ends, encode: Box::new(encode) };
        qwill_grammar::Grammars::new(vocabulary).map(Self).map_err(refusal)
    }

    /// The beginning of a text that a grammar describes, which is JSON text of a `Grammar`.
    pub fn compile(&self, grammar: &str) -> Result<Matcher, JsValue> {
        let grammar: Grammar = serde_json::from_str(grammar).map_err(refusal)?;
        self.0.compile(&grammar).map(Matcher).map_err(refusal)
    }
}

/// Where a text is in a grammar.
#[wasm_bindgen]
pub struct Matcher(qwill_grammar::Matcher);

#[wasm_bindgen]
impl Matcher {
    /// The tokens that may follow: a bit each, the lowest first, in so many words.
    pub fn allow(&mut self, n_words: usize) -> Result<Vec<u32>, JsValue> {
        let mut bits = vec![0; n_words];
        self.0.allow(&mut bits).map_err(refusal)?;
        Ok(bits)
    }

    /// Takes a token that follows.
    pub fn take(&mut self, token: u32) -> Result<(), JsValue> {
        self.0.take(token).map_err(refusal)
    }

    /// Takes the tokens that follow because nothing else may.
    pub fn force(&mut self) -> Result<Vec<u32>, JsValue> {
        self.0.force().map_err(refusal)
    }

    /// Whether nothing but an end may follow.
    #[wasm_bindgen(js_name = isOver)]
    pub fn is_over(&self) -> bool {
        self.0.is_over()
    }

    /// Another one for a text that begins alike.
    #[must_use]
    pub fn fork(&self) -> Self {
        Self(self.0.clone())
    }
}
