//! Random weights of a published shape, made straight for the device: benchmarks without a download.

use qwill_models::{Config, Plan, published_shape, published_shapes};
use qwill_weights::Layout;
use serde_json::json;

use crate::Error;

/// A published shape with random weights, such as `qwen3-0.6b:q4_0`.
#[derive(Debug, Clone)]
pub struct RandomModel {
    pub(crate) name: String,
    config: Config,
    pub(crate) plan: Plan,
    pub(crate) layout: Layout,
}

impl RandomModel {
    /// Parses `SHAPE:FORMAT`; the format is `q4_0` when absent.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let (shape, format) = text.split_once(':').unwrap_or((text, "q4_0"));
        let published = published_shape(shape).ok_or_else(|| {
            let names: Vec<_> = published_shapes().iter().map(|s| s.name).collect();
            Error::Request(format!("there is no published shape \"{shape}\"; there are {}", names.join(", ")))
        })?;
        let layout = match format.to_lowercase().as_str() {
            "f32" => Layout::F32,
            "f16" => Layout::F16,
            "bf16" => Layout::BF16,
            "q8_0" => Layout::Q8,
            "q4_0" => Layout::Q4,
            _ => {
                return Err(Error::Request(format!(
                    "there is no random format \"{format}\"; there are f32, f16, bf16, q8_0, q4_0"
                )));
            }
        };
        let plan = qwill_models::plan(&published.config)
            .map_err(|source| Error::Model { file: shape.to_owned(), source })?;
        let name = format!("random {}:{}", published.name, format.to_lowercase());
        Ok(Self { name, config: published.config.clone(), plan, layout })
    }

    /// The same model with another number of layers.
    pub fn with_layers(self, n_layers: usize) -> Result<Self, Error> {
        let config = self.config.with("num_hidden_layers", json!(n_layers));
        let plan =
            qwill_models::plan(&config).map_err(|source| Error::Model { file: self.name.clone(), source })?;
        Ok(Self { name: format!("{} with {n_layers} layers", self.name), config, plan, ..self })
    }
}

/// Small random weights in a device layout; the same tensor gets the same values every time.
pub(crate) fn streams(
    layout: Layout,
    name: &str,
    first_row: usize,
    n_rows: usize,
    k: usize,
) -> Vec<Vec<u32>> {
    let mut state = name.bytes().fold(0x9e37_79b9_7f4a_7c15 ^ first_row as u64, |h, b| {
        (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3)
    });
    let mut next = move || {
        // xorshift64*
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        (state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) as u32
    };
    // 0.02 is what transformers initialises with; scales give quantised weights about that spread.
    let scale: u32 = match layout {
        Layout::Q8 => 0x0d00,
        _ => 0x1a00,
    };
    (0..layout.n_streams())
        .map(|stream| {
            let words = n_rows * layout.stream_row_words(stream, k);
            match (layout, stream) {
                (Layout::Q8 | Layout::Q4, 1) => vec![scale | scale << 16; words],
                (Layout::Q8 | Layout::Q4, _) => (0..words).map(|_| next()).collect(),
                // sign and mantissa are random, the exponent is that of 0.0156
                (Layout::F16, _) => (0..words).map(|_| next() & 0x83ff_83ff | 0x2400_2400).collect(),
                (Layout::BF16, _) => (0..words).map(|_| next() & 0x807f_807f | 0x3c80_3c80).collect(),
                _ => (0..words).map(|_| next() & 0x807f_ffff | 0x3c80_0000).collect(),
            }
        })
        .collect()
}
