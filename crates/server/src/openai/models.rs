//! Which models there are.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use serde_json::{Value, json};

use crate::app::App;
use crate::failure::Failure;
use crate::registry::Slot;

pub(crate) async fn list(State(app): State<Arc<App>>) -> Json<Value> {
    let models: Vec<Value> = app.registry.slots().iter().map(|slot| shape(slot)).collect();
    Json(json!({"object": "list", "data": models}))
}

pub(crate) async fn one(State(app): State<Arc<App>>, Path(name): Path<String>) -> Result<Json<Value>, Failure> {
    Ok(Json(shape(app.registry.find(Some(&name))?)))
}

fn shape(slot: &Slot) -> Value {
    json!({"id": slot.name(), "object": "model", "created": slot.created, "owned_by": "qwill"})
}
