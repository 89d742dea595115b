//! Conversations, as `EngineSession` of `npm/src/engine-chat.ts` describes them.

use js_sys::Function;
use qwill::Message;
use wasm_bindgen::prelude::*;

use crate::abort::AbortSignal;
use crate::convert::{from_js, qwill_error, to_js};
use crate::grammars::Grammars;
use crate::replies::{Shape, wait_for};

/// A conversation that goes on.
#[wasm_bindgen]
pub struct Session(pub(crate) qwill::Session, pub(crate) Grammars);

#[wasm_bindgen]
impl Session {
    /// The messages so far.
    pub fn messages(&self) -> Result<JsValue, JsValue> {
        to_js(&self.0.messages())
    }

    /// Adds messages.
    pub fn push(&mut self, messages: JsValue) -> Result<(), JsValue> {
        let messages = Message::list(from_js(&messages)?).map_err(qwill_error)?;
        messages.into_iter().for_each(|message| self.0.push(message));
        Ok(())
    }

    /// Adds messages, and the reply to all; `on_event` hears of every piece of it. `signal` ends it, and it is what there is.
    pub async fn reply(
        &mut self,
        added: JsValue,
        on_event: Function,
        signal: AbortSignal,
    ) -> Result<JsValue, JsValue> {
        self.push(added)?;
        self.1.prepare(self.0.request()).await?;
        let mut shape = Shape::of(self.0.request());
        let stream = self.0.reply().map_err(qwill_error)?;
        let replies = wait_for(stream.into(), &mut shape, &on_event, signal).await?;
        for reply in &replies {
            self.0.take(reply).map_err(qwill_error)?;
        }
        to_js(&shape.replies(replies))
    }

    /// A conversation of its own that begins like this one.
    #[must_use]
    pub fn fork(&self) -> Self {
        Self(self.0.fork(), self.1.clone())
    }

    /// Forgets all messages behind the first `n`.
    pub fn rewind(&mut self, n: usize) {
        self.0.rewind(n);
    }

    /// Forgets the last thing that the user said, and what followed.
    pub fn undo(&mut self) {
        self.0.undo();
    }

    /// The conversation as a file.
    pub async fn save(&self) -> Result<Vec<u8>, JsValue> {
        self.0.save().await.map_err(qwill_error)
    }
}
