//! A server on a port of its own, and a client of it.
#![allow(dead_code, reason = "each test uses some of it")]

mod document;

use std::sync::Arc;
use std::time::Duration;

use pollster::block_on;
use qwill::weights::MemorySource;
use qwill::{Control, LoadOptions, Model, ModelFiles};
use qwill_server::{LoadAt, ModelSource, Options, Server};
use qwill_testkit::scripted::{PromptEnd, Script, TagKind, scripted_gguf};
use reqwest::{RequestBuilder, Response};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A server that runs.
pub(crate) struct Served {
    pub(crate) base: String,
    pub(crate) client: reqwest::Client,
    end: Option<oneshot::Sender<()>>,
    pub(crate) running: JoinHandle<Result<(), qwill_server::Error>>,
}

/// The model that ships.
pub(crate) fn demo() -> ModelSource {
    source("demo", ModelFiles::demo)
}

/// A model that says this.
pub(crate) fn scripted(name: &str, reply: &'static str) -> ModelSource {
    scripted_from(name, reply, PromptEnd::Reply)
}

/// A model whose prompts begin its thoughts, and that says this.
pub(crate) fn scripted_thinker(name: &str, reply: &'static str) -> ModelSource {
    scripted_from(name, reply, PromptEnd::Thoughts)
}

fn scripted_from(name: &str, reply: &'static str, prompt_end: PromptEnd) -> ModelSource {
    source(name, move || {
        let script = Script { reply, piece: 3, tags: TagKind::UserDefined, prompt_end };
        let file = MemorySource::new("scripted.gguf", scripted_gguf(&script));
        ModelFiles::from_sources("scripted", vec![Arc::new(file)])
    })
}

fn source(name: &str, files: impl Fn() -> ModelFiles + Send + Sync + 'static) -> ModelSource {
    ModelSource::new(name, LoadAt::FirstUse, move || {
        let options = LoadOptions { context_length: Some(1024), ..LoadOptions::default() };
        Ok(block_on(Model::load(files(), &options, &mut |_| Control::Continue))?)
    })
}

impl Served {
    pub(crate) async fn new(models: Vec<ModelSource>, options: Options) -> Self {
        let server = Server::new(models, options).unwrap();
        server.load().await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let (end, ended) = oneshot::channel();
        let shutdown = async { drop(ended.await) };
        let running = tokio::spawn(server.serve(listener, shutdown));
        Self { base, client: reqwest::Client::new(), end: Some(end), running }
    }

    /// Tells the server to end.
    pub(crate) fn end(&mut self) {
        self.end.take().unwrap().send(()).unwrap();
    }

    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(format!("{}{path}", self.base))
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> RequestBuilder {
        self.client.post(format!("{}{path}", self.base)).json(body).timeout(Duration::from_secs(60))
    }

    /// What is answered, which must be a success.
    #[track_caller]
    pub(crate) fn ask(&self, path: &str, body: Value) -> impl Future<Output = Value> {
        document::check_request(path, &body);
        let request = self.post(path, &body);
        let path = path.to_owned();
        async move {
            let response = request.send().await.unwrap();
            let (status, text) = (response.status(), response.text().await.unwrap());
            assert!(status.is_success(), "{path} {body}: {status} {text}");
            let answer = serde_json::from_str(&text).unwrap();
            document::check_answer(&path, &answer);
            answer
        }
    }

    /// Status and body of what must fail.
    pub(crate) async fn refusal(&self, path: &str, body: Value) -> (u16, Value) {
        let response = self.post(path, &body).send().await.unwrap();
        let status = response.status().as_u16();
        assert!(status >= 400, "{path} {body} was answered: {}", response.text().await.unwrap());
        (status, response.json().await.unwrap())
    }

    /// The whole text of a streamed answer.
    pub(crate) async fn streamed(&self, path: &str, body: Value) -> String {
        document::check_request(path, &body);
        let response = self.post(path, &body).send().await.unwrap();
        assert_eq!(response.status(), 200, "{}", response.text().await.unwrap());
        response.text().await.unwrap()
    }

    /// The data of server-sent events, with their names if they have any.
    pub(crate) async fn events(&self, path: &str, body: Value) -> Vec<(String, String)> {
        events(&self.streamed(path, body).await)
    }
}

pub(crate) fn events(text: &str) -> Vec<(String, String)> {
    assert!(text.ends_with("\n\n"), "{text}");
    let event = |event: &str| {
        let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        (field("event: ").to_owned(), field("data: ").to_owned())
    };
    text.split("\n\n").filter(|event| !event.is_empty() && !event.starts_with(':')).map(event).collect()
}

/// What a response is worth when it is not read to its end.
pub(crate) async fn first_piece(mut response: Response) -> (Response, String) {
    let piece = response.chunk().await.unwrap().unwrap();
    let text = String::from_utf8(piece.to_vec()).unwrap();
    (response, text)
}
