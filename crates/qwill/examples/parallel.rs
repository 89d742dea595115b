//! Many questions at once, and one that nobody waits for: `cargo run -p qwill --features demo --example parallel`
//!
//! A `Model` is a handle: clone it into tasks and threads. What overlaps runs together, each token of all in one pass over
//! the weights. A reply that is dropped ends at once and makes room for others.

use std::error::Error;
use std::time::Duration;

use qwill::{ChatReply, ChatRequest, Control, LoadOptions, Model, ModelFiles};
use tokio::task::JoinSet;

async fn answer(model: Model, question: &str) -> Result<ChatReply, qwill::Error> {
    let request = ChatRequest { max_tokens: Some(100), ..ChatRequest::user(question) };
    model.chat(&request)?.reply().await
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let options = LoadOptions { max_sequences: Some(4), cache_tokens: Some(4096), ..LoadOptions::default() };
    let model = Model::load(ModelFiles::demo(), &options, &mut |_| Control::Continue).await?;
    let mut tasks = JoinSet::new();
    for question in ["What colour is the sky?", "Hello!", "What is two plus three?", "Tell me a story."] {
        let model = model.clone();
        tasks.spawn(async move { (question, answer(model, question).await) });
    }
    while let Some(done) = tasks.join_next().await {
        let (question, reply) = done?;
        println!("{question} {}", reply?.text.trim());
    }
    tokio::select! {
        reply = answer(model, "Tell me a very long story.") => println!("{}", reply?.text.trim()),
        () = tokio::time::sleep(Duration::from_millis(1)) => println!("That took too long: it was dropped."),
    }
    Ok(())
}
