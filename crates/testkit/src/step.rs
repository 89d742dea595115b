//! Steps to run kernels in.

use qwill_gpu::Buffer;
use qwill_kernels::{StepOutput, StepParts, StepShape, StepSpan, TokenSource};

use crate::Rig;

/// Tokens of a sequence.
#[derive(Debug, Clone, Default)]
pub struct TestSpan {
    /// Its slot.
    pub slot: u32,
    /// Position of the first token.
    pub position: usize,
    /// The tokens.
    pub tokens: Vec<TokenSource>,
    /// Its pages; none where no kernel looks.
    pub pages: Vec<u32>,
    /// Angles of the tokens; none where no kernel looks.
    pub angles: Vec<f32>,
}

impl TestSpan {
    /// `n_tokens` tokens from a position on.
    pub fn new(position: usize, n_tokens: usize, pages: &[u32]) -> Self {
        let tokens = (0..n_tokens as u32).map(TokenSource::Id).collect();
        Self { position, tokens, pages: pages.to_vec(), ..Self::default() }
    }

    /// `n_tokens` tokens without a cache.
    pub fn without_cache(n_tokens: usize) -> Self {
        Self::new(0, n_tokens, &vec![0; n_tokens.div_ceil(qwill_kernels::PAGE)])
    }
}

/// A step of some sequences; those with one token come first.
#[derive(Debug, Clone)]
pub struct TestStep {
    /// The sequences.
    pub spans: Vec<TestSpan>,
    /// What is wanted.
    pub outputs: Vec<StepOutput>,
    /// Tokens of a tile of prefill attention.
    pub tile_rows: usize,
}

impl TestStep {
    /// A step of these sequences, of which nothing is wanted.
    pub fn of(spans: Vec<TestSpan>) -> Self {
        Self { spans, outputs: Vec::new(), tile_rows: 16 }
    }

    /// Uploads it; what kernels bind, and the shape that grids follow from.
    pub fn upload(&self, rig: &Rig) -> (Buffer, StepShape) {
        let spans: Vec<StepSpan<'_>> = self
            .spans
            .iter()
            .map(|span| StepSpan {
                tokens: &span.tokens,
                slot: span.slot,
                position: span.position as u32,
                pages: &span.pages,
                angles: &span.angles,
            })
            .collect();
        let (outputs, tile_rows) = (&self.outputs, self.tile_rows);
        let (words, shape) = StepParts { spans: &spans, outputs, tile_rows }.encode();
        (rig.upload("step", &words), shape)
    }
}
