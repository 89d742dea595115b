//! A server for tests of others' clients: the model that ships, one that calls a tool, and one that thinks.
//! `cargo run -p qwill-server --example scripted_server` prints its address and ends with its standard input.

use std::io::{Read, Write};
use std::sync::Arc;
use std::thread;

use pollster::block_on;
use qwill::weights::MemorySource;
use qwill::{Control, LoadOptions, Model, ModelFiles};
use qwill_server::{LoadAt, ModelSource, Options, Server};
use qwill_testkit::scripted::{PromptEnd, Script, TagKind, scripted_gguf};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

const CALL: &str =
    "Well.\n<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"Oslo\"}}\n</tool_call>";
const THOUGHTS: &str = "hm, so\n</think>\n\nYes.";

fn source(name: &str, files: impl Fn() -> ModelFiles + Send + Sync + 'static) -> ModelSource {
    ModelSource::new(name, LoadAt::FirstUse, move || {
        Ok(block_on(Model::load(files(), &LoadOptions::default(), &mut |_| Control::Continue))?)
    })
}

fn scripted(name: &str, reply: &'static str, prompt_end: PromptEnd) -> ModelSource {
    source(name, move || {
        let script = Script { reply, piece: 3, tags: TagKind::UserDefined, prompt_end };
        ModelFiles::from_sources(
            "scripted",
            vec![Arc::new(MemorySource::new("s.gguf", scripted_gguf(&script)))],
        )
    })
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let models = vec![
        source("demo", ModelFiles::demo),
        scripted("caller", CALL, PromptEnd::Reply),
        scripted("thinker", THOUGHTS, PromptEnd::Thoughts),
    ];
    let options = Options { keys: vec!["secret".into()], max_requests: 4, ..Options::default() };
    let server = Server::new(models, options)?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}", listener.local_addr()?);
    std::io::stdout().flush()?;
    let (end, ended) = oneshot::channel();
    thread::spawn(move || {
        // whatever comes, it ends with it
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        let _ = end.send(());
    });
    Ok(server.serve(listener, async { drop(ended.await) }).await?)
}
