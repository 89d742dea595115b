//! Decisions: questions about an input, answered with probabilities.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use qwill::decide::{Decision, DecisionRequest, SystemOneRequest};
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
    let (model, decision) = answer(&app, name, &request).await?;
    Ok(Json(json!({
        "id": fresh("dec_"),
        "object": "decision",
        "created_at": now(),
        "model": model,
        "answers": decision.answers,
        "usage": decision.usage,
    })))
}

/// The same in the shape of TypeSafe's System One.
pub(crate) async fn system_one(
    State(app): State<Arc<App>>,
    payload: Payload,
) -> Result<Json<Value>, Failure> {
    let mut fields = payload.fields();
    let name = fields.text("model")?;
    let request = SystemOneRequest::try_from(fields.rest())?;
    let (model, decision) = answer(&app, name, request.decision()).await?;
    let mut reply = request.reply(&decision);
    reply["model"] = model.into();
    Ok(Json(reply))
}

/// The model's name among the server's, and what it decides.
async fn answer(
    app: &Arc<App>,
    name: Option<String>,
    request: &DecisionRequest,
) -> Result<(String, Decision), Failure> {
    let lease = app.registry.lease(name.as_deref(), 1).await?;
    let decision = timeout(app.options.request_timeout, lease.model().decide(request));
    let decision = decision.await.map_err(|_| Failure::timeout())??;
    app.metrics.read(lease.name(), decision.usage.input_tokens);
    Ok((lease.name().to_owned(), decision))
}
