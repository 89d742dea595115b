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
    let name = payload.0.get("model").and_then(Value::as_str).map(str::to_owned);
    let request = DecisionRequest::try_from(payload.0)?;
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
