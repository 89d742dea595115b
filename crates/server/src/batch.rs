//! Many requests from a file, in OpenAI's batch format, without a network.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use futures_util::{StreamExt, stream};
use serde_json::{Map, Value, json};
use tower::ServiceExt;

use crate::fields::Fields;
use crate::ids::fresh;
use crate::server::Server;

/// Why a batch cannot be run, or goes no further.
#[derive(Debug, thiserror::Error)]
pub enum BatchError {
    /// A file that cannot be read or written.
    #[error("{}: {source}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The answers that are there are not those of the requests.
    #[error(
        "{}: line {line} answers {found}, but the request there is {wanted}; give another file for the answers, or remove it",
        .path.display()
    )]
    Other {
        /// The answers.
        path: PathBuf,
        /// Where they differ, from 1.
        line: usize,
        /// What is answered there.
        found: String,
        /// What should be.
        wanted: String,
    },
}

/// What has become of a batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BatchSummary {
    /// Answers that were there before.
    pub n_before: usize,
    /// Requests that were answered now.
    pub n_answered: usize,
    /// Those of them that failed; their lines say why.
    pub n_failed: usize,
}

/// How a batch runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchOptions {
    /// Requests that are on their way at a time.
    pub parallel: usize,
}

impl Server {
    /// Answers the requests of a file, a JSON object a line in OpenAI's batch format, in another file: a line for each, in
    /// their order, as soon as it and all before it are answered. Answers that are there already are kept, so that what was
    /// interrupted goes on where it was; a last line that is not complete is written again.
    ///
    /// ```no_run
    /// # async fn example(server: &qwill_server::Server) -> Result<(), qwill_server::BatchError> {
    /// use qwill_server::BatchOptions;
    ///
    /// let options = BatchOptions { parallel: 16 };
    /// let summary = server.batch("in.jsonl", "out.jsonl", options, |n_done| eprintln!("{n_done}")).await?;
    /// println!("{} of {} failed", summary.n_failed, summary.n_answered);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// If a file cannot be read or written, or the answers that are there are those of other requests. Requests that fail do
    /// not end the batch.
    pub async fn batch(
        &self,
        input: impl AsRef<Path>,
        output: impl AsRef<Path>,
        options: BatchOptions,
        mut on_answer: impl FnMut(usize),
    ) -> Result<BatchSummary, BatchError> {
        let (input, output) = (input.as_ref(), output.as_ref());
        let (mut file, n_before) = continued(input, output)?;
        let mut summary = BatchSummary { n_before, ..BatchSummary::default() };
        let router = self.router();
        let requests = lines(input)?.skip(n_before);
        let answers = requests.map(|line| {
            let router = router.clone();
            async move {
                match line {
                    Ok(line) => Ok(answer(router, &line).await),
                    Err(error) => Err(error),
                }
            }
        });
        let mut answers = stream::iter(answers).buffered(options.parallel.max(1));
        while let Some(answer) = answers.next().await {
            let answer = answer.map_err(at(input))?;
            let is_failed = answer["response"]["status_code"] != StatusCode::OK.as_u16();
            // In one write, so that what is killed leaves whole lines.
            file.write_all(format!("{answer}\n").as_bytes())
                .and_then(|()| file.flush())
                .map_err(at(output))?;
            summary.n_answered += 1;
            summary.n_failed += usize::from(is_failed);
            on_answer(n_before + summary.n_answered);
        }
        Ok(summary)
    }
}

fn at(path: &Path) -> impl Fn(io::Error) -> BatchError {
    |source| BatchError::File { path: path.to_owned(), source }
}

/// The lines of a file that are not empty.
fn lines(path: &Path) -> Result<impl Iterator<Item = io::Result<String>>, BatchError> {
    let file = File::open(path).map_err(at(path))?;
    let is_said = |line: &io::Result<String>| line.as_ref().map_or(true, |line| !line.trim().is_empty());
    Ok(BufReader::new(file).lines().filter(is_said))
}

/// The file of the answers behind its last whole line, and how many there are.
fn continued(input: &Path, output: &Path) -> Result<(BufWriter<File>, usize), BatchError> {
    let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(output);
    let mut file = open.map_err(at(output))?;
    let (mut n, mut end) = (0, 0);
    let mut requests = lines(input)?;
    let mut answers = BufReader::new(&file);
    let mut line = Vec::new();
    while answers.read_until(b'\n', &mut line).map_err(at(output))? > 0 {
        let answer: Option<Value> =
            line.strip_suffix(b"\n").and_then(|line| serde_json::from_slice(line).ok());
        let Some(answer) = answer else { break };
        n += 1;
        let request = requests.next().transpose().map_err(at(input))?;
        let wanted = request.as_deref().map(custom_id);
        if wanted.as_ref() != Some(&answer["custom_id"]) {
            let named = |id: Option<&Value>| id.map_or_else(|| "missing".to_owned(), Value::to_string);
            let (found, wanted) = (named(Some(&answer["custom_id"])), named(wanted.as_ref()));
            return Err(BatchError::Other { path: output.to_owned(), line: n, found, wanted });
        }
        end += line.len() as u64;
        line.clear();
    }
    file.set_len(end).and_then(|()| file.seek(SeekFrom::End(0))).map_err(at(output))?;
    Ok((BufWriter::new(file), n))
}

/// What a request is called, if it says so.
fn custom_id(line: &str) -> Value {
    let request: Option<Map<String, Value>> = serde_json::from_str(line).ok();
    request.and_then(|mut request| request.remove("custom_id")).unwrap_or_default()
}

/// The line that answers a request's.
async fn answer(router: Router, line: &str) -> Value {
    let id = custom_id(line);
    match respond(router, line).await {
        Ok((status, request_id, body)) => json!({
            "id": fresh("batch_req_"),
            "custom_id": id,
            "response": {"status_code": status, "request_id": request_id, "body": body},
            "error": null,
        }),
        Err(message) => json!({
            "id": fresh("batch_req_"),
            "custom_id": id,
            "response": null,
            "error": {"code": "invalid_request", "message": message},
        }),
    }
}

async fn respond(router: Router, line: &str) -> Result<(u16, Value, Value), String> {
    let request: Map<String, Value> =
        serde_json::from_str(line).map_err(|error| format!("the line is no JSON object: {error}"))?;
    let mut fields = Fields::of(request);
    let (url, body) = read(&mut fields).map_err(|failure| failure.message)?;
    fields.end().map_err(|failure| failure.message)?;
    if body.get("stream").is_some_and(|streams| *streams == true) {
        return Err("body.stream is true, but a batch has whole answers".to_owned());
    }
    let request = Request::post(&url)
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(Value::Object(body).to_string()))
        .map_err(|error| format!("url is \"{url}\", which is none: {error}"))?;
    let Ok(response) = router.oneshot(request).await;
    let status = response.status().as_u16();
    let id = response.headers().get("x-request-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
    let bytes = to_bytes(response.into_body(), usize::MAX).await.map_err(|error| error.to_string())?;
    let body = serde_json::from_slice(&bytes).map_err(|error| format!("{url} answers no JSON: {error}"))?;
    Ok((status, id.into(), body))
}

/// Where a request goes, and its body.
fn read(fields: &mut Fields) -> Result<(String, Map<String, Value>), crate::failure::Failure> {
    fields.need::<String>("custom_id", "a text that names the request")?;
    fields.only("method", &[json!("POST")])?;
    let url = fields.need("url", "a route such as \"/v1/chat/completions\"")?;
    Ok((url, fields.need("body", "the request's body")?))
}
