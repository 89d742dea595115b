//! Reranking, in the shape that Jina and Cohere have in common.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::app::App;
use crate::failure::Failure;
use crate::fields::shown;
use crate::ids::fresh;
use crate::payload::Payload;

/// Documents of one request.
const MOST: usize = 1024;

pub(crate) async fn rerank(State(app): State<Arc<App>>, payload: Payload) -> Result<Json<Value>, Failure> {
    let mut fields = payload.fields();
    let model = fields.text("model")?;
    let query: String = fields.need("query", "a text")?;
    let documents: Vec<Value> = fields.need("documents", "a list of texts")?;
    let top_n = fields.count("top_n")?.unwrap_or(usize::MAX);
    let returns = fields.take("return_documents", "true or false")?.unwrap_or(true);
    let instruction = fields.text("instruction")?;
    fields.ignore(&["user"]);
    fields.end()?;
    let texts = documents.iter().enumerate().map(text_of).collect::<Result<Vec<String>, _>>()?;
    if texts.is_empty() || texts.len() > MOST {
        return Err(Failure::invalid(format!(
            "documents has {} entries, but must have 1 to {MOST}",
            texts.len()
        )));
    }
    let lease = app.registry.lease(model.as_deref(), 1).await?;
    let scores = lease.model().rerank(&query, &texts, instruction.as_deref());
    let scores = timeout(app.options.request_timeout, scores).await.map_err(|_| Failure::timeout())??;
    let mut ranked: Vec<(usize, f32)> = scores.into_iter().enumerate().collect();
    ranked.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    let results: Vec<Value> = ranked
        .into_iter()
        .take(top_n)
        .map(|(index, score)| match returns {
            true => json!({"index": index, "relevance_score": score, "document": {"text": texts[index]}}),
            false => json!({"index": index, "relevance_score": score}),
        })
        .collect();
    Ok(Json(json!({"id": fresh("rerank-"), "model": lease.name(), "object": "list", "results": results})))
}

/// A document is a text, or an object with one.
fn text_of((index, document): (usize, &Value)) -> Result<String, Failure> {
    let text = document.as_str().or_else(|| document["text"].as_str());
    text.map(str::to_owned).ok_or_else(|| {
        Failure::invalid(format!(
            "documents[{index}] must be a text or {{\"text\": …}}, not {}",
            shown(document)
        ))
    })
}
