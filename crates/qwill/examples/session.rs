//! A conversation that goes on, and one that forks: `cargo run -p qwill --features demo --example session`
//!
//! A conversation is its messages. What it has in common with earlier ones is found in the cache, by whole pages of 32
//! tokens; a fork is a clone of the messages and shares the pages of what it was cloned from.

use std::error::Error;

use pollster::block_on;
use qwill::{ChatRequest, Control, LoadOptions, Message, Model, ModelFiles, SamplingOptions};

/// Asks a question, and lets the conversation go on with the answer; how many tokens of it were in the cache.
fn ask(model: &Model, conversation: &mut ChatRequest, question: &str) -> Result<usize, qwill::Error> {
    conversation.messages.push(Message::user(question));
    let reply = block_on(model.chat(conversation)?.reply())?;
    conversation.messages.push(reply.message());
    let (cached, of) = (reply.usage.cached_tokens, reply.usage.prompt_tokens);
    println!("{question} {} ({cached} of {of} tokens were cached)", reply.text.trim());
    Ok(cached)
}

fn main() -> Result<(), Box<dyn Error>> {
    let model =
        block_on(Model::load(ModelFiles::demo(), &LoadOptions::default(), &mut |_| Control::Continue))?;
    let mut conversation = ChatRequest {
        enable_thinking: Some(false),
        max_tokens: Some(60),
        sampling: SamplingOptions::greedy(),
        ..ChatRequest::new([Message::system("You answer in one short sentence, and you are kind.")])
    };
    let first = ask(&model, &mut conversation, "What colour is the sky?")?;
    let second = ask(&model, &mut conversation, "And what colour is grass?")?;
    let mut fork = conversation.clone();
    let third = ask(&model, &mut conversation, "What is two plus three?")?;
    let forked = ask(&model, &mut fork, "Tell me a story.")?;
    assert!(first < second && second < third && second < forked, "the cache should have known more");
    Ok(())
}
