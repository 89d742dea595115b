//! A model that is given what follows grammars, as the build for browsers is.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use pollster::block_on;
use qwill::grammar::{Constraint, Engine, Grammar, Vocabulary};
use qwill::{ChatRequest, Control, Error, FinishReason, GrammarText, LoadOptions, Model, ModelFiles};

fn load() -> Model {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/qwen3-tied");
    let files = ModelFiles::from_path(golden).unwrap();
    block_on(Model::load(files, &LoadOptions::default(), &mut |_| Control::Continue)).unwrap()
}

/// Has every text be the expression itself, by the vocabulary's own tokens.
struct Literally(Vocabulary, Arc<AtomicUsize>);

impl Engine for Literally {
    fn compile(&self, grammar: &Grammar) -> Result<Box<dyn Constraint>, Error> {
        match grammar {
            Grammar::Regex(text) => {
                self.1.fetch_add(1, Ordering::Relaxed);
                let ids = (self.0.encode)(text.as_bytes());
                Ok(Box::new(Literal { ids, n_taken: 0, end: self.0.ends[0], n_alive: self.1.clone() }))
            }
            other => Err(Error::Request(format!("nobody here reads {other:?}"))),
        }
    }
}

#[derive(Debug)]
struct Literal {
    ids: Vec<u32>,
    n_taken: usize,
    end: u32,
    /// Texts on their way.
    n_alive: Arc<AtomicUsize>,
}

impl Drop for Literal {
    fn drop(&mut self) {
        self.n_alive.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Constraint for Literal {
    fn is_limiting(&self) -> bool {
        true
    }

    fn allow(&mut self, bits: &mut [u32]) -> Result<(), String> {
        let next = self.ids.get(self.n_taken).copied().unwrap_or(self.end);
        bits[next as usize / 32] |= 1 << (next % 32);
        Ok(())
    }

    fn take(&mut self, token: u32) -> Result<(), String> {
        let is_next = token == self.end || self.ids.get(self.n_taken) == Some(&token);
        self.n_taken += 1;
        if is_next { Ok(()) } else { Err(format!("{token} was not allowed")) }
    }

    fn force(&mut self) -> Result<Vec<u32>, String> {
        Ok(Vec::new())
    }

    fn is_over(&self) -> bool {
        self.n_taken >= self.ids.len()
    }

    fn fork(&self) -> Box<dyn Constraint> {
        self.n_alive.fetch_add(1, Ordering::Relaxed);
        Box::new(Self { ids: self.ids.clone(), n_alive: self.n_alive.clone(), ..*self })
    }
}

fn ask(regex: &str) -> ChatRequest {
    ChatRequest { regex: Some(regex.into()), enable_thinking: Some(false), ..ChatRequest::user("Hi") }
}

#[test]
fn an_engine_is_asked_for_once_and_followed_until_replies_end() {
    let model = load();
    assert!(model.missing_vocabulary(&ChatRequest::user("Hi")).unwrap().is_none());
    let vocabulary = model.missing_vocabulary(&ask("never mind")).unwrap().expect("there is no engine yet");
    assert_eq!(vocabulary.tokens.len(), model.tokenizer().unwrap().n_tokens());

    let n_alive = Arc::new(AtomicUsize::new(0));
    model.set_grammar_engine(Arc::new(Literally(vocabulary, n_alive.clone())));
    assert!(model.missing_vocabulary(&ask("never mind")).unwrap().is_none());
    let reply = block_on(model.chat(&ask("never mind")).unwrap().reply()).unwrap();
    assert_eq!((&*reply.text, reply.finish_reason), ("never mind", FinishReason::Stop));
    assert!(reply.timings.mask_ms.is_some());

    let gbnf = Some(GrammarText::guess("root ::= \"a\""));
    let error = model.chat(&ChatRequest { regex: None, grammar: gbnf, ..ask("") }).unwrap_err().to_string();
    assert!(error.contains("nobody here reads Gbnf"), "{error}");

    let mut stopped = model.chat(&ask("a text that nobody reads to its end")).unwrap();
    block_on(stopped.next());
    drop(stopped);
    drop(model);
    for _ in 0..200 {
        if n_alive.load(Ordering::Relaxed) == 0 {
            return;
        }
        // the driver ends them when it hears of it
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    panic!("{} texts were not freed", n_alive.load(Ordering::Relaxed));
}
