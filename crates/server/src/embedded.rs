//! Embeddings of texts or tokens, whoever asks for them.

use std::sync::Arc;

use futures_util::future::try_join_all;
use tokio::time::timeout;

use crate::app::App;
use crate::failure::Failure;
use crate::running::check_length;

/// What is to be embedded.
#[derive(Debug)]
pub(crate) enum Item {
    Text(String),
    Tokens(Vec<u32>),
}

/// Embeddings, and what they took.
pub(crate) struct Embedded {
    pub(crate) model: String,
    pub(crate) vectors: Vec<Vec<f32>>,
    pub(crate) n_tokens: usize,
}

/// Whether texts that are longer than the context are cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TooLong {
    Refuse,
    Cut,
}

/// Embeds all of them together.
pub(crate) async fn embed(
    app: &Arc<App>,
    model: Option<&str>,
    items: Vec<Item>,
    dimensions: Option<usize>,
    too_long: TooLong,
) -> Result<Embedded, Failure> {
    let lease = app.registry.lease(model, 1).await?;
    let (handle, most) = (lease.model().clone(), app.options.max_prompt_tokens);
    let ids = app.aside(move || {
        let context = handle.info().context_length;
        let ids = |item| {
            let mut ids = match item {
                Item::Text(text) => {
                    handle.tokenizer()?.encode_for_embedding(&text).map_err(qwill::Error::from)?
                }
                Item::Tokens(ids) => ids,
            };
            if too_long == TooLong::Cut {
                ids.truncate(context);
            }
            check_length(ids.len(), most.unwrap_or(usize::MAX))?;
            Ok(ids)
        };
        items.into_iter().map(ids).collect::<Result<Vec<Vec<u32>>, Failure>>()
    });
    let ids = ids.await?;
    let vectors = try_join_all(ids.iter().map(|ids| lease.model().embed_ids(ids, dimensions)));
    let vectors = timeout(app.options.request_timeout, vectors).await.map_err(|_| Failure::timeout())??;
    let n_tokens = ids.iter().map(Vec::len).sum();
    app.metrics.read(lease.name(), n_tokens);
    Ok(Embedded { model: lease.name().to_owned(), vectors, n_tokens })
}
