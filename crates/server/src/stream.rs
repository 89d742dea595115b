//! Answers that are written while the client reads.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use futures_util::stream;
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::time::{Instant, interval_at};

use crate::app::App;
use crate::failure::{Failure, Kind};

/// How long nothing is written before a sign of life is.
const SILENCE: Duration = Duration::from_secs(15);
/// Pieces that wait for the client; the reply itself does not wait.
const PIECES: usize = 64;

/// What a dialect's streams look like.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Form {
    pub(crate) content_type: &'static str,
    /// The sign of life, if there is one.
    pub(crate) ping: Option<&'static str>,
    /// What tells of a failure behind the beginning.
    pub(crate) failed: fn(&Failure) -> String,
}

/// Takes the pieces of an answer.
pub(crate) struct Out {
    pieces: mpsc::Sender<Bytes>,
    patience: Duration,
}

impl Out {
    /// Writes a piece.
    ///
    /// # Errors
    /// If the client has gone away, or does not read.
    pub(crate) async fn put(&self, piece: String) -> Result<(), Failure> {
        self.pieces.send_timeout(piece.into(), self.patience).await.map_err(|_| Failure::gone())
    }
}

/// An answer that a task writes. The task ends with the client.
pub(crate) fn respond<F>(
    app: &Arc<App>,
    form: Form,
    write: impl FnOnce(Arc<Out>) -> F + Send + 'static,
) -> Response
where
    F: Future<Output = Result<(), Failure>> + Send,
{
    let (pieces, mut received) = mpsc::channel(PIECES);
    let out = Arc::new(Out { pieces: pieces.clone(), patience: app.options.client_timeout });
    tokio::spawn(async move {
        let writing = write(out.clone());
        tokio::pin!(writing);
        let mut silence = interval_at(Instant::now() + SILENCE, SILENCE);
        let written = loop {
            tokio::select! {
                written = &mut writing => break written,
                () = pieces.closed() => break Err(Failure::gone()),
                _ = silence.tick() => if let Some(ping) = form.ping {
                    // a full channel is sign of life enough
                    let _ = pieces.try_send(ping.into());
                }
            }
        };
        match written {
            Ok(()) => {}
            Err(failure) if failure.kind == Kind::Gone => tracing::debug!("the client went away"),
            Err(failure) => {
                tracing::warn!(%failure.message, "a reply broke off");
                // the client may be gone by now
                let _ = out.put((form.failed)(&failure)).await;
            }
        }
    });
    let body = Body::from_stream(stream::poll_fn(move |context| {
        received.poll_recv(context).map(|piece| piece.map(Ok::<_, std::convert::Infallible>))
    }));
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(form.content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

/// A server-sent event.
pub(crate) fn sse(name: Option<&str>, data: &impl Serialize) -> Result<String, Failure> {
    let data = json_text(data)?;
    Ok(match name {
        Some(name) => format!("event: {name}\ndata: {data}\n\n"),
        None => format!("data: {data}\n\n"),
    })
}

/// JSON on one line.
pub(crate) fn json_text(data: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string(data).map_err(|error| Failure::internal(error.to_string()))
}
