//! Which texts are about the same? `cargo run -p qwill --features demo --example embed [MODEL]`
//!
//! Plain threads and no async runtime: each waits for its own text, and all of them are read together. The demo's model was
//! never trained for this; Qwen3-Embedding-0.6B was.

use std::error::Error;
use std::thread;

use pollster::block_on;
use qwill::{Control, LoadOptions, Model, ModelFiles};

const TEXTS: [&str; 3] = ["The sky is blue.", "What colour is the sky?", "Two plus three is five."];

fn main() -> Result<(), Box<dyn Error>> {
    let files = match std::env::args().nth(1) {
        Some(path) => ModelFiles::from_path(path)?,
        None => ModelFiles::demo(),
    };
    let model = block_on(Model::load(files, &LoadOptions::default(), &mut |_| Control::Continue))?;
    let model = &model;
    let embeddings = thread::scope(|scope| {
        let threads = TEXTS.map(|text| scope.spawn(move || block_on(model.embed(text, None, None))));
        threads.map(|thread| thread.join().expect("it does not panic"))
    });
    let mut vectors = Vec::new();
    for embedding in embeddings {
        vectors.push(embedding?);
    }
    for (text, vector) in TEXTS.iter().zip(&vectors) {
        // they have length 1: their product is the cosine of the angle between them
        let cosine: f32 = vectors[0].iter().zip(vector).map(|(a, b)| a * b).sum();
        println!("{cosine:.3} {text}");
    }
    Ok(())
}
