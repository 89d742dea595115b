//! Embeddings.

use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::ways::Way;
use crate::app::App;
use crate::embedded::{Item, TooLong, embed as embed_all};
use crate::failure::Failure;
use crate::payload::Payload;

/// Texts of one request.
const MOST: usize = 2048;

pub(super) async fn embed(State(app): State<Arc<App>>, payload: Payload) -> Result<Json<Value>, Failure> {
    let since = Instant::now();
    let mut fields = payload.fields();
    let way = Way::take(&mut fields)?;
    let texts = fields.texts("input")?;
    let dimensions = fields.count("dimensions")?;
    let cuts = fields.take("truncate", "true or false")?.unwrap_or(true);
    // They are for replies, or for loading.
    fields.ignore(&["options"]);
    fields.end()?;
    if texts.len() > MOST {
        return Err(Failure::invalid(format!(
            "input has {} entries, but may have {MOST} at most",
            texts.len()
        )));
    }
    let too_long = if cuts { TooLong::Cut } else { TooLong::Refuse };
    let items = texts.into_iter().map(Item::Text).collect();
    let name = way.model.clone();
    let _goes = way.goes_behind(&app);
    let embedded = embed_all(&app, name.as_deref(), items, dimensions, too_long).await?;
    Ok(Json(json!({
        "model": embedded.model,
        "embeddings": embedded.vectors,
        "total_duration": since.elapsed().as_nanos() as u64,
        "load_duration": 0,
        "prompt_eval_count": embedded.n_tokens,
    })))
}
