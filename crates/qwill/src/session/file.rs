//! Saved conversations: a safetensors file of the keys and values by layer, with everything else as its metadata.

use std::collections::HashMap;

use qwill_models::step::PAGE;
use qwill_scheduler::Text;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde::{Deserialize, Serialize};

use super::{Read, Session};
use crate::driver::Exported;
use crate::{AdapterUse, ChatRequest, Error, Model};

/// Changes whenever a file of before cannot be read any more.
const VERSION: u32 = 1;
const KEY: &str = "qwill.session";

/// What a file says of its keys and values.
#[derive(Serialize, Deserialize)]
struct Header {
    version: u32,
    /// The model's name, for people.
    model: String,
    /// Of its files: another model's keys and values mean nothing.
    fingerprint: String,
    kv_type: String,
    request: ChatRequest,
    tokens: Vec<u32>,
    n_prompt: usize,
    /// Tokens whose keys and values are here; what follows is read again.
    n_cached: usize,
    adapters: Vec<AdapterUse>,
}

impl Session {
    /// The conversation with its keys and values, as a file that [`Model::restore`] reads: of the same model, with the same
    /// cache format and the same adapters loaded under the same names.
    pub async fn save(&self) -> Result<Vec<u8>, Error> {
        let facts = self.model.facts();
        let read = self.read();
        let adapters = self.model.resolve_adapters(Some(&read.adapters))?;
        let text = Text { tokens: read.tokens.clone(), n_prompt: read.n_prompt.max(1), adapters };
        let Exported { layers, n_tokens: n_cached } = self.model.handle().export(text).await?;
        let header = Header {
            version: VERSION,
            model: facts.name.clone(),
            fingerprint: facts.fingerprint.clone(),
            kv_type: facts.engine.kv.name().into(),
            request: self.request.clone(),
            tokens: read.tokens,
            n_prompt: read.n_prompt,
            n_cached,
            adapters: read.adapters,
        };
        let n_pages = n_cached.div_ceil(PAGE);
        let broken = |error: safetensors::SafeTensorError| Error::Request(format!("saving failed: {error}"));
        let mut views = Vec::with_capacity(layers.len());
        for (index, bytes) in layers.iter().enumerate() {
            let page_bytes = bytes.len().checked_div(n_pages).unwrap_or(0);
            let view = TensorView::new(Dtype::U8, vec![n_pages, page_bytes], bytes).map_err(broken)?;
            views.push((name_of(index), view));
        }
        let json = serde_json::to_string(&header).map_err(|error| Error::Request(error.to_string()))?;
        safetensors::serialize(views, Some(HashMap::from([(KEY.to_owned(), json)]))).map_err(broken)
    }
}

impl Model {
    /// A conversation that [`Session::save`] wrote. It goes on as if it had never been interrupted.
    ///
    /// ```no_run
    /// # async fn example(model: &qwill::Model) -> Result<(), Box<dyn std::error::Error>> {
    /// let mut session = model.restore(&std::fs::read("ada.session")?).await?;
    /// let reply = session.say("Where were we?", |_| qwill::Control::Continue).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// If it is no such file, or another model's: of other weights, with another cache format, or with adapters that are not
    /// loaded here.
    pub async fn restore(&self, file: &[u8]) -> Result<Session, Error> {
        let refused = |reason: String| Error::Request(format!("this session cannot be restored: {reason}"));
        let (_, metadata) = SafeTensors::read_metadata(file)
            .map_err(|error| refused(format!("it is no session file ({error})")))?;
        let json = metadata.metadata().as_ref().and_then(|values| values.get(KEY));
        let json = json.ok_or_else(|| refused("it is a safetensors file, but of no session".into()))?;
        let header: Header =
            serde_json::from_str(json).map_err(|error| refused(format!("its header is broken ({error})")))?;
        let facts = self.facts();
        if header.version != VERSION {
            return Err(refused(format!("it has version {}, this one reads {VERSION}", header.version)));
        }
        if header.fingerprint != facts.fingerprint {
            return Err(refused(format!("it is one with {}, this model is {}", header.model, facts.name)));
        }
        if header.kv_type != facts.engine.kv.name() {
            return Err(refused(format!(
                "its cache is {}, this model was loaded with {}; load it with the other",
                header.kv_type,
                facts.engine.kv.name()
            )));
        }
        let adapters = self.resolve_adapters(Some(&header.adapters))?;
        let Header { request, mut tokens, n_prompt, n_cached, .. } = header;
        let read = Read { tokens: tokens.clone(), n_prompt, adapters: header.adapters };
        if n_cached > tokens.len() || (n_cached > 0 && n_prompt == 0) {
            return Err(refused("its header is broken (more is cached than was read)".into()));
        }
        let tensors = SafeTensors::deserialize(file)
            .map_err(|error| refused(format!("its keys and values are broken ({error})")))?;
        if n_cached > 0 {
            let mut layers = Vec::new();
            for index in 0..2 * facts.plan.dims.n_layers {
                let tensor =
                    tensors.tensor(&name_of(index)).map_err(|_| refused("a layer is missing".into()))?;
                layers.push(tensor.data().to_vec());
            }
            tokens.truncate(n_cached);
            self.handle().import(Text { tokens, n_prompt, adapters }, layers).await?;
        }
        let mut session = self.session(request);
        session.add_turn(read);
        Ok(session)
    }
}

/// Keys of the first layer, its values, keys of the second…
fn name_of(index: usize) -> String {
    format!("{}.{}", ["keys", "values"][index % 2], index / 2)
}
