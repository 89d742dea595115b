//! What follows grammars is a module of its own, which JavaScript loads when a reply must first have a form: `EngineGrammarModule`
//! of `npm/src/engine-grammars.ts`.

use std::rc::Rc;
use std::sync::Arc;

use async_lock::Mutex;
use js_sys::{Function, Uint8Array, Uint32Array};
use qwill::ChatRequest;
use qwill::grammar::{Constraint, Engine, Grammar, Vocabulary};
use wasm_bindgen::prelude::*;

use crate::convert::qwill_error;

#[wasm_bindgen]
extern "C" {
    /// The module, loaded or not.
    pub type JsGrammarModule;

    #[wasm_bindgen(method, catch)]
    async fn start(
        this: &JsGrammarModule,
        bytes: Uint8Array,
        lengths: Uint32Array,
        ends: Uint32Array,
        encode: Function,
    ) -> Result<JsValue, JsValue>;

    /// Grammars over a model's tokens.
    type JsGrammars;

    #[wasm_bindgen(method, catch)]
    fn compile(this: &JsGrammars, grammar: &str) -> Result<JsMatcher, JsValue>;

    #[wasm_bindgen(method)]
    fn free(this: &JsGrammars);

    /// Where a text is in a grammar.
    #[derive(Debug)]
    type JsMatcher;

    #[wasm_bindgen(method, catch)]
    fn allow(this: &JsMatcher, n_words: usize) -> Result<Uint32Array, JsValue>;

    #[wasm_bindgen(method, catch)]
    fn take(this: &JsMatcher, token: u32) -> Result<(), JsValue>;

    #[wasm_bindgen(method, catch)]
    fn force(this: &JsMatcher) -> Result<Vec<u32>, JsValue>;

    #[wasm_bindgen(method, js_name = isOver)]
    fn is_over(this: &JsMatcher) -> bool;

    #[wasm_bindgen(method)]
    fn fork(this: &JsMatcher) -> JsMatcher;

    #[wasm_bindgen(method, js_name = free)]
    fn free_matcher(this: &JsMatcher);
}

/// Sees to it that a model has what follows grammars before a request needs it.
#[derive(Clone)]
pub(crate) struct Grammars {
    model: qwill::Model,
    module: Rc<JsGrammarModule>,
    /// Held while an engine is made, which is made once.
    turn: Rc<Mutex<()>>,
}

impl Grammars {
    pub(crate) fn of(model: &qwill::Model, module: JsGrammarModule) -> Self {
        Self { model: model.clone(), module: Rc::new(module), turn: Rc::default() }
    }

    /// Waits until the replies to a request can begin.
    pub(crate) async fn prepare(&self, request: &ChatRequest) -> Result<(), JsValue> {
        if self.missing(request)?.is_none() {
            return Ok(());
        }
        let _turn = self.turn.lock().await;
        if let Some(vocabulary) = self.missing(request)? {
            let engine = JsEngine::start(&self.module, vocabulary).await?;
            self.model.set_grammar_engine(Arc::new(engine));
        }
        Ok(())
    }

    fn missing(&self, request: &ChatRequest) -> Result<Option<Vocabulary>, JsValue> {
        self.model.missing_vocabulary(request).map_err(qwill_error)
    }
}

struct JsEngine(JsGrammars);

impl JsEngine {
    async fn start(module: &JsGrammarModule, vocabulary: Vocabulary) -> Result<Self, JsValue> {
        let Vocabulary { tokens, ends, encode } = vocabulary;
        let lengths: Vec<u32> = tokens.iter().map(|token| token.len() as u32).collect();
        let bytes = Uint8Array::from(&tokens.concat()[..]);
        let encode = Closure::<dyn Fn(Vec<u8>) -> Vec<u32>>::new(move |bytes: Vec<u8>| encode(&bytes));
        let (lengths, ends) = (Uint32Array::from(&lengths[..]), Uint32Array::from(&ends[..]));
        let started = module.start(bytes, lengths, ends, encode.into_js_value().unchecked_into()).await?;
        Ok(Self(started.unchecked_into()))
    }
}

impl Drop for JsEngine {
    fn drop(&mut self) {
        self.0.free();
    }
}

impl Engine for JsEngine {
    fn compile(&self, grammar: &Grammar) -> Result<Box<dyn Constraint>, qwill::Error> {
        let refuse = |reason: String| qwill::Error::Request(reason);
        let grammar = serde_json::to_string(grammar).map_err(|error| refuse(error.to_string()))?;
        let matcher = self.0.compile(&grammar).map_err(|thrown| refuse(message(&thrown)))?;
        Ok(Box::new(Follower(matcher)))
    }
}

/// A text that follows a grammar from its first token on.
#[derive(Debug)]
struct Follower(JsMatcher);

impl Drop for Follower {
    fn drop(&mut self) {
        self.0.free_matcher();
    }
}

impl Constraint for Follower {
    fn is_limiting(&self) -> bool {
        true
    }

    fn allow(&mut self, bits: &mut [u32]) -> Result<(), String> {
        let allowed = self.0.allow(bits.len()).map_err(|thrown| message(&thrown))?;
        if allowed.length() as usize != bits.len() {
            return Err("the grammar engine says nothing of some tokens".into());
        }
        allowed.copy_to(bits);
        Ok(())
    }

    fn take(&mut self, token: u32) -> Result<(), String> {
        self.0.take(token).map_err(|thrown| message(&thrown))
    }

    fn force(&mut self) -> Result<Vec<u32>, String> {
        self.0.force().map_err(|thrown| message(&thrown))
    }

    fn is_over(&self) -> bool {
        self.0.is_over()
    }

    fn fork(&self) -> Box<dyn Constraint> {
        Box::new(Self(self.0.fork()))
    }
}

/// What `grammars.ts` says is wrong.
fn message(thrown: &JsValue) -> String {
    thrown.dyn_ref::<js_sys::Error>().map_or_else(|| format!("{thrown:?}"), |error| error.message().into())
}
