//! Embeddings.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use super::prompts::{Input, One};
use crate::app::App;
use crate::embedded::{Item, TooLong, embed as embed_all};
use crate::failure::Failure;
use crate::payload::Payload;

/// Texts of one request.
const MOST: usize = 2048;

/// How vectors are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Encoding {
    Float,
    /// Little-endian floats.
    Base64,
}

pub(crate) async fn embed(State(app): State<Arc<App>>, payload: Payload) -> Result<Json<Value>, Failure> {
    let mut fields = payload.fields();
    let model = fields.text("model")?;
    let input = fields.need::<Input>("input", Input::RIGHT)?.each("input", MOST)?;
    let encoding = fields.take("encoding_format", "\"float\" or \"base64\"")?.unwrap_or(Encoding::Float);
    let dimensions = fields.count("dimensions")?;
    let instruction = fields.text("instruction")?;
    fields.ignore(&["user"]);
    fields.end()?;
    let item = |one| match (one, &instruction) {
        (One::Tokens(ids), _) => Item::Tokens(ids),
        (One::Text(text), None) => Item::Text(text),
        (One::Text(text), Some(task)) => Item::Text(format!("Instruct: {task}\nQuery:{text}")),
    };
    let items = input.into_iter().map(item).collect();
    let embedded = embed_all(&app, model.as_deref(), items, dimensions, TooLong::Refuse).await?;
    let data = embedded.vectors.iter().enumerate().map(|(index, vector)| {
        json!({"object": "embedding", "index": index, "embedding": written(vector, encoding)})
    });
    Ok(Json(json!({
        "object": "list",
        "data": data.collect::<Vec<_>>(),
        "model": embedded.model,
        "usage": {"prompt_tokens": embedded.n_tokens, "total_tokens": embedded.n_tokens},
    })))
}

fn written(vector: &[f32], encoding: Encoding) -> Value {
    match encoding {
        Encoding::Float => json!(vector),
        Encoding::Base64 => {
            let bytes: Vec<u8> = vector.iter().flat_map(|x| x.to_le_bytes()).collect();
            BASE64_STANDARD.encode(bytes).into()
        }
    }
}
