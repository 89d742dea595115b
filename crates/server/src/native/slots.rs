//! Conversations that are kept beside a model, saved to files and restored: requests choose one by `id_slot`.

use std::path::{Component, Path as FilePath, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::extract::{Path, Query, State};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::app::App;
use crate::failure::{Failure, Kind};
use crate::payload::Payload;
use crate::registry::Lease;

/// What is done with a conversation.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Action {
    Save,
    Restore,
    Erase,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Asked {
    action: Action,
}

/// The conversations that are kept.
pub(crate) async fn list(State(app): State<Arc<App>>) -> Json<Value> {
    let mut all = Vec::new();
    for slot in app.registry.slots() {
        for (id, session) in slot.sessions() {
            all.push(json!({"id": id, "model": slot.name(), "n_messages": session.messages().len()}));
        }
    }
    Json(all.into())
}

pub(crate) async fn act(
    State(app): State<Arc<App>>,
    Path(id): Path<usize>,
    asked: Result<Query<Asked>, axum::extract::rejection::QueryRejection>,
    payload: Payload,
) -> Result<Json<Value>, Failure> {
    let Query(Asked { action }) = asked.map_err(|_| {
        Failure::invalid("action must be \"save\", \"restore\" or \"erase\", as in ?action=save")
    })?;
    let mut fields = payload.fields();
    let model = fields.text("model")?;
    let name = fields.text("filename")?;
    fields.end()?;
    let lease = app.registry.lease(model.as_deref(), 1).await?;
    match action {
        Action::Erase => match lease.slot().forget(id) {
            true => Ok(Json(json!({"id_slot": id}))),
            false => Err(empty(id)),
        },
        Action::Save => save(&lease, id, &path(&app, name)?).await.map(Json),
        Action::Restore => restore(&lease, id, &path(&app, name)?).await.map(Json),
    }
}

fn empty(id: usize) -> Failure {
    Failure::invalid(format!("slot {id} holds no conversation; a chat with \"id_slot\": {id} is kept there"))
}

/// A file in the server's folder, and nowhere else.
fn path(app: &App, name: Option<String>) -> Result<PathBuf, Failure> {
    let name = name.ok_or_else(|| Failure::invalid("filename is missing; it must be the name of a file"))?;
    let folder = app.options.sessions_folder.as_ref().ok_or_else(|| {
        Failure::new(
            Kind::Forbidden,
            "this server saves no conversations; qwill serve --sessions FOLDER does",
        )
    })?;
    let mut parts = FilePath::new(&name).components();
    match (parts.next(), parts.next()) {
        (Some(Component::Normal(only)), None) if only == name.as_str() => Ok(folder.join(only)),
        _ => Err(Failure::invalid(format!("filename is \"{name}\", but must be a name without folders"))),
    }
}

async fn save(lease: &Lease, id: usize, path: &FilePath) -> Result<Value, Failure> {
    let start = Instant::now();
    let session = lease.slot().session(id).ok_or_else(|| empty(id))?;
    let bytes = session.save().await?;
    let (n_written, path) = (bytes.len(), path.to_owned());
    let written = tokio::task::spawn_blocking(move || std::fs::write(path, bytes)).await;
    told(written)?;
    Ok(json!({
        "id_slot": id,
        "n_written": n_written,
        "n_messages": session.messages().len(),
        "timings": {"save_ms": start.elapsed().as_secs_f64() * 1e3},
    }))
}

async fn restore(lease: &Lease, id: usize, path: &FilePath) -> Result<Value, Failure> {
    let start = Instant::now();
    let path = path.to_owned();
    let bytes = told(tokio::task::spawn_blocking(move || std::fs::read(path)).await)?;
    let session = lease.model().restore(&bytes).await?;
    let messages = json!(session.messages());
    lease.slot().keep(id, session)?;
    Ok(json!({
        "id_slot": id,
        "n_read": bytes.len(),
        "messages": messages,
        "timings": {"restore_ms": start.elapsed().as_secs_f64() * 1e3},
    }))
}

/// What a file operation came to; its path is the server's own affair.
fn told<T>(result: Result<std::io::Result<T>, tokio::task::JoinError>) -> Result<T, Failure> {
    let result = result.map_err(|_| Failure::internal("what works on files panicked"))?;
    result.map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Failure::invalid("there is no such file"),
        _ => Failure::internal(format!("the file cannot be used: {error}")),
    })
}
