//! Which models there are, and what is known of them.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use axum::Json;
use axum::extract::State;
use qwill::{ChatRequest, Model, ModelInfo};
use serde_json::{Value, json};

use super::ways::plain;
use crate::app::App;
use crate::failure::Failure;
use crate::payload::Payload;
use crate::registry::Slot;

pub(super) async fn version() -> Json<Value> {
    Json(json!({"version": env!("CARGO_PKG_VERSION")}))
}

pub(super) async fn tags(State(app): State<Arc<App>>) -> Json<Value> {
    let models: Vec<Value> = app.registry.slots().iter().map(|slot| shape(slot)).collect();
    Json(json!({"models": models}))
}

/// Those that are loaded.
pub(super) async fn ps(State(app): State<Arc<App>>) -> Json<Value> {
    let loaded = app.registry.slots().iter().filter_map(|slot| {
        let info = slot.peek()?.info();
        let mut model = shape(slot);
        model["size_vram"] = info.device_bytes.into();
        model["context_length"] = info.context_length.into();
        // until others need the room
        model["expires_at"] = "9999-12-31T23:59:59Z".into();
        Some(model)
    });
    Json(json!({"models": loaded.collect::<Vec<_>>()}))
}

pub(super) async fn show(State(app): State<Arc<App>>, payload: Payload) -> Result<Json<Value>, Failure> {
    let mut fields = payload.fields();
    let model: String = match fields.text("model")? {
        Some(model) => model,
        None => fields.need("name", "a model's name")?,
    };
    fields.ignore(&["verbose", "name"]);
    fields.end()?;
    let lease = app.registry.lease(Some(&plain(model)), 1).await?;
    let info = lease.model().info();
    let architecture = info.architecture.as_str();
    let mut model_info = json!({
        "general.architecture": architecture,
        "general.basename": info.name,
        "general.parameter_count": info.n_params,
    });
    for (name, value) in [
        ("context_length", info.context_length as u64),
        ("embedding_length", info.hidden_size as u64),
        ("block_count", info.n_layers as u64),
        ("vocab_size", info.vocab_size as u64),
    ] {
        model_info[format!("{architecture}.{name}")] = value.into();
    }
    Ok(Json(json!({
        "modelfile": "",
        "parameters": "",
        "template": "",
        "details": details(&info),
        "model_info": model_info,
        "capabilities": capabilities(lease.model()),
        "modified_at": modified(lease.created()),
    })))
}

/// What a model can do, by what it does.
fn capabilities(model: &Model) -> Vec<&'static str> {
    let hello = ChatRequest { max_tokens: Some(1), ..ChatRequest::user("Hi") };
    let says = |request: &ChatRequest| model.render(request).unwrap_or_default();
    let with = |thinks| says(&ChatRequest { enable_thinking: Some(thinks), ..hello.clone() });
    let tool = json!({"type": "function", "function": {"name": "needle", "parameters": {"type": "object"}}});
    let tooled = ChatRequest { tools: Some(vec![tool]), ..hello.clone() };
    let mut all = vec!["embedding"];
    // A reply that nobody waits for ends at once.
    all.extend(model.chat(&hello).is_ok().then_some("completion"));
    all.extend(says(&tooled).contains("needle").then_some("tools"));
    all.extend((with(true) != with(false)).then_some("thinking"));
    all
}

fn modified(created: u64) -> String {
    humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(created)).to_string()
}

fn shape(slot: &Slot) -> Value {
    let info = slot.peek().map(|model| model.info());
    json!({
        "name": slot.name(),
        "model": slot.name(),
        "modified_at": modified(slot.created),
        "size": info.as_ref().map_or(0, |info| info.weights_bytes),
        "digest": "",
        "details": info.as_ref().map_or_else(|| json!({"format": "", "family": ""}), details),
    })
}

fn details(info: &ModelInfo) -> Value {
    json!({
        "parent_model": "",
        "format": "",
        "family": info.architecture,
        "families": [info.architecture],
        "parameter_size": format!("{:.1}B", info.n_params as f64 / 1e9),
        "quantization_level": "",
    })
}
