//! One question, answered while you read: `cargo run -p qwill --features demo --example chat [QUESTION]`
//!
//! The reply is a stream that waits without blocking, so any executor will do; this one is smol's.

use std::error::Error;
use std::io::Write;

use qwill::{ChatEvent, ChatRequest, Control, LoadOptions, Message, Model, ModelFiles};

fn main() -> Result<(), Box<dyn Error>> {
    smol::block_on(async {
        let files = ModelFiles::demo(); // or ModelFiles::from_path("Qwen3-0.6B-Q8_0.gguf")?
        let model = Model::load(files, &LoadOptions::default(), &mut |_| Control::Continue).await?;
        let question = std::env::args().nth(1).unwrap_or("What colour is the sky?".into());
        let request = ChatRequest {
            max_tokens: Some(200),
            ..ChatRequest::new([Message::system("Be brief."), Message::user(question)])
        };
        let mut stream = model.chat(&request)?;
        while let Some(event) = stream.next().await {
            match event? {
                ChatEvent::Reasoning { text } => eprint!("{text}"),
                ChatEvent::Content { text } => print!("{text}"),
                _ => {}
            }
            std::io::stdout().flush()?;
        }
        let reply = stream.reply().await?;
        println!("\n{} tokens at {:.1} a second", reply.usage.completion_tokens, reply.timings.decode_tps);
        Ok(())
    })
}
