//! Texts and tokens, in llama.cpp's shapes.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use qwill::ChatRequest;
use qwill::text::{Specials, SpecialsOut};
use serde_json::{Value, json};

use crate::app::App;
use crate::failure::Failure;
use crate::payload::Payload;

pub(crate) async fn tokenize(State(app): State<Arc<App>>, payload: Payload) -> Result<Json<Value>, Failure> {
    let mut fields = payload.fields();
    let model = fields.text("model")?;
    let content: String = fields.need("content", "a text")?;
    // Nothing is added to texts, so there is nothing to leave out.
    fields.ignore(&["add_special"]);
    let parses = fields.take("parse_special", "true or false")?.unwrap_or(true);
    let with_pieces = fields.flag("with_pieces")?;
    fields.end()?;
    let lease = app.registry.lease(model.as_deref(), 1).await?;
    let model = lease.model().clone();
    let specials = if parses { Specials::Parse } else { Specials::AsText };
    let tokens = app.aside(move || {
        let ids = model.tokenize(&content, specials)?;
        let tokenizer = model.tokenizer()?;
        let piece = |id: u32| {
            let bytes = tokenizer.token_bytes(id).unwrap_or_default();
            match String::from_utf8(bytes) {
                Ok(text) => json!({"id": id, "piece": text}),
                Err(error) => json!({"id": id, "piece": error.into_bytes()}),
            }
        };
        Ok(if with_pieces { ids.into_iter().map(piece).collect() } else { json!(ids) })
    });
    Ok(Json(json!({"tokens": tokens.await?})))
}

pub(crate) async fn detokenize(
    State(app): State<Arc<App>>,
    payload: Payload,
) -> Result<Json<Value>, Failure> {
    let mut fields = payload.fields();
    let model = fields.text("model")?;
    let tokens: Vec<u32> = fields.need("tokens", "a list of token ids")?;
    fields.end()?;
    let lease = app.registry.lease(model.as_deref(), 1).await?;
    let model = lease.model().clone();
    let content = app.aside(move || Ok(model.tokenizer()?.decode(&tokens, SpecialsOut::Keep))).await?;
    Ok(Json(json!({"content": content})))
}

/// The prompt that a request for a chat becomes.
pub(crate) async fn apply_template(
    State(app): State<Arc<App>>,
    payload: Payload,
) -> Result<Json<Value>, Failure> {
    let name = payload.0.get("model").and_then(Value::as_str).map(str::to_owned);
    let request = ChatRequest::try_from(payload.0)?;
    let lease = app.registry.lease(name.as_deref(), 1).await?;
    let model = lease.model().clone();
    let prompt = app.aside(move || Ok(model.render(&request)?)).await?;
    Ok(Json(json!({"prompt": prompt})))
}
