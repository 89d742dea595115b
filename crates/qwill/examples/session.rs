//! A conversation that goes on, and one that forks: `cargo run -p qwill --features demo --example session`
//!
//! What a conversation has in common with what the model read before is found in the cache: each turn reads what is new, and
//! so does a fork. `save` and `restore` take it through a restart.

use std::error::Error;

use pollster::block_on;
use qwill::{ChatRequest, Control, LoadOptions, Message, Model, ModelFiles, SamplingOptions, Session};

/// A turn; how many tokens of it were in the cache.
fn ask(session: &mut Session, question: &str) -> Result<usize, qwill::Error> {
    let reply = block_on(session.say(question, |_| Control::Continue))?;
    let (cached, of) = (reply.usage.cached_tokens, reply.usage.prompt_tokens);
    println!("{question} {} ({cached} of {of} tokens were cached)", reply.text.trim());
    Ok(cached)
}

fn main() -> Result<(), Box<dyn Error>> {
    let model =
        block_on(Model::load(ModelFiles::demo(), &LoadOptions::default(), &mut |_| Control::Continue))?;
    let mut session = model.session(ChatRequest {
        enable_thinking: Some(false),
        max_tokens: Some(60),
        sampling: SamplingOptions::greedy(),
        ..ChatRequest::new([Message::system("You answer in one short sentence, and you are kind.")])
    });
    let first = ask(&mut session, "What colour is the sky?")?;
    let second = ask(&mut session, "And what colour is grass?")?;
    let mut fork = session.fork();
    let third = ask(&mut session, "What is two plus three?")?;
    let forked = ask(&mut fork, "Tell me a story.")?;
    assert!(first < second && second < third && second < forked, "the cache should have known more");
    let saved = block_on(session.save())?;
    println!(
        "{} messages, saved in {} bytes",
        block_on(model.restore(&saved))?.messages().len(),
        saved.len()
    );
    Ok(())
}
