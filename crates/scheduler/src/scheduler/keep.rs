//! What is kept of texts beyond their requests.

use qwill_models::step::Page;

use super::Scheduler;
use crate::prefix::{Key, Reached};

/// A text, with what its keys and values depend on.
#[derive(Debug, Clone, PartialEq)]
pub struct Text {
    /// Its tokens.
    pub tokens: Vec<u32>,
    /// How many of them are the prompt, which the text's angles are made for.
    pub n_prompt: usize,
    /// Adapters that it was read with, with their scales.
    pub adapters: Vec<(u64, f32)>,
}

/// Pages for a text whose keys and values somebody else has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adopted {
    /// The pages, in the order of positions.
    pub pages: Vec<Page>,
    /// The first of them that must be written; those before it hold the text already.
    pub first: usize,
}

impl Scheduler {
    fn key(&self, text: &Text) -> Key {
        let adapters = text.adapters.iter().map(|&(id, scale)| (id, scale.to_bits()));
        Key { class: (self.class)(text.n_prompt), adapters: adapters.collect() }
    }

    /// The pages that hold the first tokens of a text, and how many tokens that is, when the steps that are out have run.
    pub fn find(&self, text: &Text) -> (Vec<Page>, usize) {
        let reached = self.memory.find(&self.key(text), &text.tokens);
        (self.memory.pages(&reached), reached.n_tokens())
    }

    /// Finds room for all of a text; texts that begin like it will use it. What lies in the pages from
    /// [`Adopted::first`] on must be written before the next step is submitted. `None`: there are too few pages that no
    /// running text uses.
    pub fn adopt(&mut self, text: &Text) -> Option<Adopted> {
        let key = self.key(text);
        let path = self.memory.find(&key, &text.tokens).path;
        let first = path.len();
        let reached = Reached { path, part: None };
        let mut table = self.memory.occupy(&reached, text.tokens.len(), self.n_growing())?.table;
        let pages = table.pages().to_vec();
        self.memory.index(&key, &mut table, &text.tokens);
        self.memory.release(&table);
        Some(Adopted { pages, first })
    }
}
