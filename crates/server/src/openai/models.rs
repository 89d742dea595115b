//! Which models there are, in OpenAI's shape and Anthropic's, which have their route in common.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use axum::Json;
use axum::extract::{Path, State};
use serde_json::{Value, json};

use crate::app::App;
use crate::failure::Failure;
use crate::registry::Slot;

pub(crate) async fn list(State(app): State<Arc<App>>) -> Json<Value> {
    let models: Vec<Value> = app.registry.slots().iter().map(|slot| shape(slot)).collect();
    let name = |model: Option<&Value>| model.map(|model| model["id"].clone());
    let (first, last) = (name(models.first()), name(models.last()));
    Json(json!({"object": "list", "data": models, "has_more": false, "first_id": first, "last_id": last}))
}

pub(crate) async fn one(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
) -> Result<Json<Value>, Failure> {
    Ok(Json(shape(app.registry.find(Some(&name))?)))
}

fn shape(slot: &Slot) -> Value {
    let created_at = humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(slot.created));
    json!({
        "id": slot.name(),
        "object": "model",
        "created": slot.created,
        "owned_by": "qwill",
        "type": "model",
        "display_name": slot.name(),
        "created_at": created_at.to_string(),
    })
}
