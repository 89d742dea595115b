//! Decisions: questions about an input, answered with probabilities.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use qwill::decide::DecisionRequest;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::app::App;
use crate::failure::Failure;
use crate::ids::{fresh, now};
use crate::payload::Payload;

pub(crate) async fn decide(State(app): State<Arc<App>>, payload: Payload) -> Result<Json<Value>, Failure> {
    let mut fields = payload.fields();
    let name = fields.text("model")?;
    // The cache finds what texts begin with in common by itself.
    fields.ignore(&["prompt_cache_key", "prompt_cache_options"]);
    let request = DecisionRequest::try_from(fields.rest())?;
    let lease = app.registry.lease(name.as_deref(), 1).await?;
    let decision = timeout(app.options.request_timeout, lease.model().decide(&request));
    let decision = decision.await.map_err(|_| Failure::timeout())??;
    app.metrics.read(lease.name(), decision.usage.input_tokens);
    Ok(Json(json!({
        "id": fresh("dec_"),
        "object": "decision",
        "created_at": now(),
        "model": lease.name(),
        "answers": decision.answers,
        "usage": decision.usage,
    })))
}
