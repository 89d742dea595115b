//! A server that streams replies as server-sent events: `cargo run -p qwill --features demo --example axum`
//!
//! It asks itself one question and ends. A client that goes away drops the stream, and with it the reply.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::sse::{Event, Sse};
use axum::{BoxError, Json, Router, routing::post};
use futures_util::{Stream, StreamExt};
use qwill::{ChatRequest, Control, LoadOptions, Model, ModelFiles};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What is wrong with a request's fields, axum says by itself in the words of qwill.
async fn chat(
    State(model): State<Model>,
    Json(request): Json<ChatRequest>,
) -> Result<Sse<impl Stream<Item = Result<Event, BoxError>>>, (StatusCode, String)> {
    let stream = model.chat(&request).map_err(|error| (StatusCode::BAD_REQUEST, error.to_string()))?;
    Ok(Sse::new(stream.map(|event| Ok(Event::default().json_data(event?)?))))
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let model = Model::load(ModelFiles::demo(), &LoadOptions::default(), &mut |_| Control::Continue).await?;
    let app = Router::new().route("/chat", post(chat)).with_state(model);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let mut client = TcpStream::connect(listener.local_addr()?).await?;
    tokio::spawn(async { axum::serve(listener, app).await });
    let body = r#"{"messages": [{"role": "user", "content": "Hello!"}], "max_tokens": 50}"#;
    let head = "POST /chat HTTP/1.1\r\nhost: me\r\nconnection: close\r\ncontent-type: application/json\r\n";
    client.write_all(format!("{head}content-length: {}\r\n\r\n{body}", body.len()).as_bytes()).await?;
    let mut answer = String::new();
    client.read_to_string(&mut answer).await?;
    println!("{answer}");
    if answer.contains(r#""type":"content""#) { Ok(()) } else { Err("there was no reply".into()) }
}
