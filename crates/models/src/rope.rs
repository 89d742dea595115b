//! Rotary position embedding: inverse frequencies, their scalings, and tables.

use serde_json::{Value, json};

use crate::config::{Config, Error, invalid};
use crate::rope_parameters::rope_parameters;

/// What turns the angles when a text grows beyond the model's own length.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Growth {
    /// Nothing.
    None,
    /// Qwen1's dynamic NTK: the base grows in steps with the length of the prompt and stays while decoding.
    Qwen1Ntk { theta: f64, seq_length: usize },
    /// Hugging Face's `dynamic`: the base grows with every token beyond `context_length`.
    Dynamic { theta: f64, factor: f64, context_length: usize },
}

/// Dual chunk attention (arXiv 2402.17463): distances between tokens of different chunks are clamped, so that none is
/// larger than the model was trained for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DualChunks {
    /// Largest distance that occurs.
    pub chunk_size: usize,
    /// Tokens at the start of a chunk that see true distances to the chunk before.
    pub local_size: usize,
    /// Length from which on queries and keys are scaled up; `None`: never.
    pub original_context: Option<usize>,
}

impl DualChunks {
    /// Tokens of a chunk.
    pub fn stride(&self) -> usize {
        self.chunk_size - self.local_size
    }

    /// Factor on queries and on keys in a text of `n` tokens.
    fn scale(&self, n: usize) -> f64 {
        self.original_context.map_or(1.0, |original| (0.1 * (n as f64 / original as f64).ln() + 1.0).max(1.0))
    }
}

/// How a context longer than the model's own becomes possible.
#[derive(Debug, Clone, PartialEq)]
pub struct Extension {
    /// For people: `YaRN, factor 4`.
    pub method: String,
    /// Where it ends; `None`: nowhere.
    pub context_length: Option<usize>,
    /// Tokens that the model was trained for.
    pub trained_length: usize,
}

/// Rows of the rotary table that belong to one position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RotaryRows {
    /// How many; the first one turns keys.
    pub per_position: usize,
    /// The first that turns queries.
    pub first_query: usize,
    /// Queries that are made of each query: more than one for [`DualChunks`].
    pub n_queries: usize,
}

/// Positions of a model.
#[derive(Debug, Clone, PartialEq)]
pub struct Rope {
    /// Leading elements of a head that rotate.
    pub rotary_dim: usize,
    /// Chunks that positions are taken in.
    pub chunks: Option<DualChunks>,
    /// Queries beyond this position grow with its logarithm (Qwen1's LogN attention).
    pub log_n: Option<usize>,
    /// How the context may become longer than the model's own.
    pub extension: Option<Extension>,
    /// One for each rotated pair, while nothing has grown.
    inv_freq: Vec<f32>,
    /// Cosines and sines are multiplied by this (YaRN).
    attention_factor: f32,
    growth: Growth,
}

impl Rope {
    /// Plain RoPE: `theta^(-2i / rotary_dim)`.
    pub fn plain(theta: f64, rotary_dim: usize) -> Self {
        Self {
            rotary_dim,
            chunks: None,
            log_n: None,
            extension: None,
            inv_freq: inverse_frequencies(theta, rotary_dim),
            attention_factor: 1.0,
            growth: Growth::None,
        }
    }

    /// Qwen1's positions: dynamic NTK and LogN where switched on, with `seq_length` as the length that was trained.
    pub(crate) fn qwen1(theta: f64, rotary_dim: usize, seq_length: usize, ntk: Ntk, log_n: LogN) -> Self {
        let mut rope = Self::plain(theta, rotary_dim);
        if ntk == Ntk::Dynamic {
            rope.growth = Growth::Qwen1Ntk { theta, seq_length };
            rope.extension = Some(Extension {
                method: "dynamic NTK".into(),
                context_length: None,
                trained_length: seq_length,
            });
        }
        if log_n == LogN::On {
            rope.log_n = Some(seq_length);
        }
        rope
    }

    /// The positions that a configuration describes: `rope_parameters` (transformers 5), or `rope_theta` with
    /// `rope_scaling`; and `dual_chunk_attention_config`. `context_length` is `max_position_embeddings`.
    pub(crate) fn from_config(
        config: &Config,
        rotary_dim: usize,
        context_length: usize,
    ) -> Result<Self, Error> {
        let rope = Self::scaled(config, rotary_dim, context_length)?;
        let Some(chunks) = dual_chunks(config)? else { return Ok(rope) };
        if rope.extension.is_some() {
            return Err(invalid(
                "rope_scaling",
                config.get("rope_scaling").unwrap_or(&Value::Null),
                "dual chunk attention needs unscaled positions",
            ));
        }
        let extension = Extension {
            method: "dual chunk attention".into(),
            context_length: None,
            trained_length: chunks.original_context.unwrap_or(chunks.chunk_size),
        };
        Ok(Self { chunks: Some(chunks), extension: Some(extension), ..rope })
    }

    fn scaled(config: &Config, rotary_dim: usize, context_length: usize) -> Result<Self, Error> {
        let scaling = rope_parameters(config)?.map(Value::Object);
        let scaling = scaling.as_ref();
        let nested = scaling.and_then(|s| s.get("rope_theta")).and_then(Value::as_f64);
        let theta = match nested {
            Some(theta) => theta,
            None => config.number_opt("rope_theta")?.unwrap_or(10_000.0),
        };
        if theta <= 1.0 {
            return Err(invalid("rope_theta", &json!(theta), "it must be above 1"));
        }
        let plain = Self::plain(theta, rotary_dim);
        let Some(scaling) = scaling else { return Ok(plain) };
        let kind = scaling.get("rope_type").or_else(|| scaling.get("type")).filter(|kind| !kind.is_null());
        let needed_factor = || number(scaling, "factor")?.ok_or_else(|| missing(scaling, "factor"));
        match kind.map_or(Some("default"), Value::as_str).unwrap_or_default() {
            // text has the same position on all three axes of mrope
            "default" | "mrope" => Ok(plain),
            "linear" => {
                let factor = needed_factor()?;
                let inv_freq = plain.inv_freq.iter().map(|f| (f64::from(*f) / factor) as f32).collect();
                let extension = Extension {
                    method: format!("linear scaling, factor {factor}"),
                    context_length: Some((context_length as f64 * factor) as usize),
                    trained_length: context_length,
                };
                Ok(Self { inv_freq, extension: Some(extension), ..plain })
            }
            "dynamic" => {
                let factor = needed_factor()?;
                let extension = Extension {
                    method: format!("dynamic scaling, factor {factor}"),
                    context_length: None,
                    trained_length: context_length,
                };
                let growth = Growth::Dynamic { theta, factor, context_length };
                Ok(Self { growth, extension: Some(extension), ..plain })
            }
            "yarn" => yarn(scaling, theta, rotary_dim, context_length),
            _ => Err(invalid(
                "rope_scaling",
                scaling,
                "its type must be one of default, linear, dynamic, yarn, mrope (others are not supported)",
            )),
        }
    }

    /// The context that a model of `own` tokens has with these positions, where they say so.
    pub(crate) fn context_length(&self, own: usize) -> usize {
        self.extension.as_ref().and_then(|e| e.context_length).map_or(own, |extended| extended.max(own))
    }

    /// The same positions for a context of at most `n` tokens: chunks that no token would ever leave are dropped,
    /// which changes no distance and saves two thirds of the queries.
    pub fn for_context(self, n: usize) -> Self {
        let is_needed = |c: &DualChunks| n > c.chunk_size + 1 || c.original_context.is_some_and(|m| n > m);
        Self { chunks: self.chunks.filter(is_needed), ..self }
    }

    /// What the angles of a text depend on besides positions: texts whose prompts have the same value share them.
    pub fn prompt_class(&self, n_prompt: usize) -> u64 {
        match (self.growth, self.chunks.and_then(|c| c.original_context)) {
            (Growth::Qwen1Ntk { seq_length, .. }, _) => ntk_alpha(n_prompt, seq_length) as u64,
            (Growth::Dynamic { context_length, .. }, _) => n_prompt.max(context_length) as u64,
            (Growth::None, Some(original)) => n_prompt.max(original) as u64,
            (Growth::None, None) => 0,
        }
    }

    /// Which rows [`Self::table`] makes of a position.
    pub fn rows(&self) -> RotaryRows {
        match (self.chunks, self.log_n) {
            (Some(_), _) => RotaryRows { per_position: 3, first_query: 0, n_queries: 3 },
            (None, Some(_)) => RotaryRows { per_position: 2, first_query: 1, n_queries: 1 },
            (None, None) => RotaryRows { per_position: 1, first_query: 0, n_queries: 1 },
        }
    }

    /// Cosines, then sines, of positions `range` of a text whose prompt has `n_prompt` tokens:
    /// `[positions, rows().per_position, 2, rotary_dim / 2]`.
    ///
    /// With [`DualChunks`], the rows of a position are those of queries that meet keys of their own chunk (keys share
    /// it), of the chunk before, and of chunks further back.
    ///
    /// The angle is the f32 product that the reference computes; its cosine is taken in f64, since WGSL promises no
    /// more than 2^-11 for its own.
    pub fn table(&self, n_prompt: usize, range: std::ops::Range<usize>) -> Vec<f32> {
        let rows = self.rows().per_position;
        let mut table = Vec::with_capacity(range.len() * rows * self.rotary_dim);
        let of_prompt = self.frequencies(n_prompt);
        for position in range {
            // Tokens of a prompt are all turned as its length asks; a token that is decoded as its own position asks.
            let n = n_prompt.max(position + 1);
            let grown;
            let inv_freq = match self.growth {
                Growth::Dynamic { .. } if n > n_prompt => {
                    grown = self.frequencies(n);
                    &grown
                }
                _ => &of_prompt,
            };
            let factor = f64::from(self.attention_factor);
            let mut push = |position: usize, factor: f64| {
                let angles = inv_freq.iter().map(|f| f64::from(position as f32 * f));
                table.extend(angles.clone().map(|a| (a.cos() * factor) as f32));
                table.extend(angles.map(|a| (a.sin() * factor) as f32));
            };
            if let Some(chunks) = self.chunks {
                let (stride, size) = (chunks.stride(), chunks.chunk_size);
                let factor = factor * chunks.scale(n);
                push(position % stride, factor);
                push((position % stride + stride).min(size), factor);
                push((2 * stride - 1).min(size), factor);
            } else {
                push(position, factor);
                if let Some(trained) = self.log_n {
                    let growth = ((position + 1) as f64).ln() / (trained as f64).ln();
                    push(position, factor * if position + 1 > trained { growth } else { 1.0 });
                }
            }
        }
        table
    }

    fn frequencies(&self, n: usize) -> Vec<f32> {
        let width = self.rotary_dim as f64;
        let grown = |theta: f64, growth: f64| {
            inverse_frequencies(theta * growth.powf(width / (width - 2.0)), self.rotary_dim)
        };
        match self.growth {
            Growth::None => self.inv_freq.clone(),
            Growth::Qwen1Ntk { theta, seq_length } => grown(theta, ntk_alpha(n, seq_length)),
            Growth::Dynamic { theta, factor, context_length } => {
                let n = n.max(context_length) as f64;
                grown(theta, factor * n / context_length as f64 - (factor - 1.0))
            }
        }
    }
}

/// Whether Qwen1's base grows with the prompt (`use_dynamic_ntk`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ntk {
    Dynamic,
    Off,
}

/// Whether Qwen1's queries grow with their position (`use_logn_attn`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogN {
    On,
    Off,
}

fn inverse_frequencies(theta: f64, rotary_dim: usize) -> Vec<f32> {
    (0..rotary_dim / 2).map(|i| theta.powf(-2.0 * i as f64 / rotary_dim as f64) as f32).collect()
}

/// `max(2^ceil(log2(n / seq_length) + 1) - 1, 1)`
fn ntk_alpha(n: usize, seq_length: usize) -> f64 {
    let steps = ((n as f64 / seq_length as f64).log2() + 1.0).ceil();
    (2f64.powf(steps) - 1.0).max(1.0)
}

fn dual_chunks(config: &Config) -> Result<Option<DualChunks>, Error> {
    const KEY: &str = "dual_chunk_attention_config";
    let Some(value) = config.get(KEY) else { return Ok(None) };
    let count = |name: &str, default: u64| match value.get(name).filter(|v| !v.is_null()) {
        None => Ok(default as usize),
        Some(n) => n
            .as_u64()
            .map(|n| n as usize)
            .ok_or_else(|| invalid(KEY, value, format!("\"{name}\" must be a whole number"))),
    };
    let (chunk_size, local_size) = (count("chunk_size", 8192)?, count("local_size", 1024)?);
    if local_size >= chunk_size {
        return Err(invalid(KEY, value, "\"local_size\" must be smaller than \"chunk_size\""));
    }
    let original = count("original_max_position_embeddings", 0)?;
    Ok(Some(DualChunks { chunk_size, local_size, original_context: (original > 0).then_some(original) }))
}

fn missing(scaling: &Value, what: &str) -> Error {
    invalid("rope_scaling", scaling, format!("it needs a \"{what}\""))
}

/// A positive number of a scaling, if it is there.
fn number(scaling: &Value, name: &str) -> Result<Option<f64>, Error> {
    match scaling.get(name).filter(|v| !v.is_null()) {
        None => Ok(None),
        Some(value) => match value.as_f64().filter(|n| n.is_finite() && *n > 0.0) {
            Some(number) => Ok(Some(number)),
            None => Err(invalid("rope_scaling", scaling, format!("\"{name}\" must be a number above 0"))),
        },
    }
}

/// YaRN (arXiv 2309.00071, sections 3.2 and 3.4), as transformers computes it: high frequencies stay, low ones are divided
/// by the factor, with a ramp between; cosines and sines are multiplied by an attention factor.
fn yarn(scaling: &Value, theta: f64, rotary_dim: usize, context_length: usize) -> Result<Rope, Error> {
    let original = number(scaling, "original_max_position_embeddings")?.unwrap_or(context_length as f64);
    let factor = number(scaling, "factor")?.unwrap_or(context_length as f64 / original);
    let beta_fast = number(scaling, "beta_fast")?.unwrap_or(32.0);
    let beta_slow = number(scaling, "beta_slow")?.unwrap_or(1.0);
    let dim = rotary_dim as f64;
    // the index of the frequency that turns n times over the original context
    let turns = |n: f64| dim * (original / (2.0 * std::f64::consts::PI * n)).ln() / (2.0 * theta.ln());
    let (mut low, mut high) = (turns(beta_fast), turns(beta_slow));
    if scaling.get("truncate") != Some(&Value::Bool(false)) {
        (low, high) = (low.floor(), high.ceil());
    }
    low = low.max(0.0);
    high = high.min(dim - 1.0);
    if low == high {
        high += 0.001;
    }
    let inv_freq = (0..rotary_dim / 2)
        .map(|i| {
            let frequency = theta.powf(-2.0 * i as f64 / dim);
            let ramp = ((i as f64 - low) / (high - low)).clamp(0.0, 1.0);
            (frequency / factor * ramp + frequency * (1.0 - ramp)) as f32
        })
        .collect();
    let mscale = |weight: f64| if factor <= 1.0 { 1.0 } else { 0.1 * weight * factor.ln() + 1.0 };
    let attention_factor = match number(scaling, "attention_factor")? {
        Some(given) => given,
        None => match (number(scaling, "mscale")?, number(scaling, "mscale_all_dim")?) {
            (Some(mscale_one), Some(mscale_all)) => mscale(mscale_one) / mscale(mscale_all),
            _ => mscale(1.0),
        },
    };
    let extension = Extension {
        method: format!("YaRN, factor {factor}"),
        context_length: Some((original * factor) as usize),
        trained_length: original as usize,
    };
    let plain = Rope::plain(theta, rotary_dim);
    Ok(Rope { inv_freq, attention_factor: attention_factor as f32, extension: Some(extension), ..plain })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn yarn_of(theta: f64, rotary_dim: usize, original: usize) -> Rope {
        let config = Config::new(json!({
            "rope_theta": theta,
            "rope_scaling": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": original},
        }));
        Rope::from_config(&config, rotary_dim, original).unwrap()
    }

    /// Vectors T-22, T-23 and T-24 of the specification.
    #[test]
    fn yarn_frequencies() {
        for (theta, dim, original, expected) in [
            (
                1e6,
                128,
                32_768,
                &[
                    (23, 6.978_305_85e-3),
                    (24, 5.375_321_49e-3),
                    (31, 8.029_597_28e-4),
                    (39, 6.490_394_32e-5),
                    (40, 4.445_698_53e-5),
                    (63, 3.102_344_40e-7),
                ][..],
            ),
            (1e7, 64, 262_144, &[(15, 4.742_398_23e-4), (18, 7.217_387_40e-5), (31, 4.137_042_75e-8)][..]),
            (5e6, 128, 262_144, &[(37, 8.376_025_36e-5), (63, 6.362_699_47e-8)][..]),
        ] {
            let rope = yarn_of(theta, dim, original);
            assert!((rope.attention_factor - 1.138_629_4).abs() < 1e-6);
            for &(i, wanted) in expected {
                let found = f64::from(rope.inv_freq[i]);
                assert!(
                    (found / wanted - 1.0).abs() < 1e-6,
                    "theta {theta}, frequency {i}: {found:e}, not {wanted:e}"
                );
            }
        }
    }

    #[test]
    fn scalings_are_read_or_refused() {
        let of = |scaling: Value| {
            Rope::from_config(&Config::new(json!({"rope_theta": 1e4, "rope_scaling": scaling})), 4, 1000)
        };
        assert_eq!(of(json!({"type": "linear", "factor": 2})).unwrap().inv_freq, [0.5, 0.005]);
        assert_eq!(of(json!({"type": "mrope", "mrope_section": [1, 1]})).unwrap(), Rope::plain(1e4, 4));
        for (bad, word) in [
            (json!({"type": "linear"}), "factor"),
            (json!({"type": "yarn", "factor": -1}), "above 0"),
            (json!({"rope_type": "llama3", "factor": 8}), "llama3"),
        ] {
            let message = of(bad).unwrap_err().to_string();
            assert!(message.contains(word), "{message}");
        }
        let new =
            json!({"rope_parameters": {"rope_theta": 100.0, "rope_type": "default"}, "rope_theta": 5.0});
        assert_eq!(Rope::from_config(&Config::new(new), 4, 1000).unwrap(), Rope::plain(100.0, 4));
    }

    /// Vector T-20 of the specification: D = 4, theta = 10000, position 3, x = [1, 2, 3, 4].
    #[test]
    fn rotates_half_split_pairs() {
        let rope = Rope::plain(10_000.0, 4);
        assert_eq!(rope.inv_freq, [1.0, 0.01]);
        let t = rope.table(4, 3..4);
        let x = [1.0f32, 2.0, 3.0, 4.0];
        let y: Vec<f32> = (0..2)
            .map(|i| x[i] * t[i] - x[i + 2] * t[i + 2])
            .chain((0..2).map(|i| x[i + 2] * t[i] + x[i] * t[i + 2]))
            .collect();
        for (a, b) in y.iter().zip([-1.413_352_5, 1.879_118_1, -2.828_857_5, 4.058_191]) {
            assert!((a - b).abs() < 1e-6, "{y:?}");
        }
    }

    /// Vector T-03: dynamic NTK of Qwen1.
    #[test]
    fn qwen1_base_grows_in_steps() {
        for (n, seq_length, alpha) in [
            (1, 8192, 1.0),
            (8192, 8192, 1.0),
            (8193, 8192, 3.0),
            (16_384, 8192, 3.0),
            (16_385, 8192, 7.0),
            (32_769, 8192, 15.0),
            (2049, 2048, 3.0),
            (4097, 2048, 7.0),
        ] {
            assert_eq!(ntk_alpha(n, seq_length), alpha, "{n} of {seq_length}");
        }
        let rope = Rope::qwen1(1e4, 128, 8192, Ntk::Dynamic, LogN::Off);
        for (i, wanted) in [(0, 1.0), (1, 0.850_994_3), (32, 0.005_723_4), (63, 3.85e-5)] {
            let found = f64::from(rope.frequencies(16_384)[i]);
            assert!((found / wanted - 1.0).abs() < 3e-4, "frequency {i}: {found:e}, not {wanted:e}");
        }
        // decoding past 16384 keeps the angles of the prompt
        assert_eq!(rope.table(16_384, 20_000..20_001), rope.table(8193, 20_000..20_001));
        assert_ne!(rope.prompt_class(8192), rope.prompt_class(8193));
        assert_eq!(rope.prompt_class(8193), rope.prompt_class(16_384));
    }

    /// Vector T-04: LogN scales queries, not keys.
    #[test]
    fn queries_grow_with_the_logarithm() {
        let rope = Rope::qwen1(1e4, 4, 8192, Ntk::Off, LogN::On);
        for (n, wanted) in
            [(8192, 1.0), (8193, 1.000_013_546_1), (16_384, 1.076_923_076_9), (32_767, 1.153_842_767_1)]
        {
            let t = rope.table(1, n - 1..n);
            let length = |row: &[f32]| f64::from(row[0]).hypot(f64::from(row[2]));
            assert!((length(&t[..4]) - 1.0).abs() < 1e-6);
            assert!((length(&t[4..]) - wanted).abs() < 1e-6, "{n}: {}", length(&t[4..]));
        }
    }

    /// Vector T-21: Hugging Face's dynamic scaling.
    #[test]
    fn dynamic_base_grows_with_the_length() {
        let config = Config::new(json!({
            "rope_theta": 1e6, "rope_scaling": {"type": "dynamic", "factor": 2.0},
        }));
        let rope = Rope::from_config(&config, 128, 32_768).unwrap();
        let wanted = Rope::plain(3_052_773.674_88, 128);
        for (a, b) in rope.frequencies(65_536).iter().zip(&wanted.inv_freq) {
            assert!((a / b - 1.0).abs() < 1e-6, "{a} {b}");
        }
        assert_eq!(rope.frequencies(100), rope.inv_freq);
        // a token that is decoded beyond the context has an angle of its own
        assert_ne!(rope.table(100, 40_000..40_001), Rope::plain(1e6, 128).table(100, 40_000..40_001));
        assert_eq!(rope.table(65_536, 3..4), wanted.table(1, 3..4));
    }

    /// Vector T-25: distances of dual chunk attention; the rows are compared as angles of frequency 1.
    #[test]
    fn dual_chunks_clamp_distances() {
        let chunks = DualChunks { chunk_size: 8, local_size: 2, original_context: None };
        let rope = Rope { chunks: Some(chunks), ..Rope::plain(1e4, 2) };
        let row = |position: usize, kind: usize| {
            let t = rope.table(20, position..position + 1);
            f64::from(t[kind * 2 + 1]).atan2(f64::from(t[kind * 2]))
        };
        let distance = |query: usize, key: usize| {
            let apart = query / chunks.stride() - key / chunks.stride();
            // angles are modulo 2 pi: distances up to 8 need another unit to be told apart
            let turn = (row(query, apart.min(2)) - row(key, 0)).rem_euclid(std::f64::consts::TAU);
            (0..=8).find(|&d| ((d as f64).rem_euclid(std::f64::consts::TAU) - turn).abs() < 1e-3).unwrap()
        };
        for (query, wanted) in [
            (5, &[5, 4, 3, 2, 1, 0][..]),
            (7, &[7, 6, 5, 4, 3, 2, 1, 0]),
            (11, &[8, 7, 6, 5, 4, 3, 5, 4, 3, 2, 1, 0]),
            (12, &[8, 7, 6, 5, 4, 3, 6, 5, 4, 3, 2, 1, 0]),
            (19, &[8, 7, 6, 5, 4, 3, 8, 7, 6, 5, 4, 3, 7, 6, 5, 4, 3, 2, 1, 0]),
        ] {
            let found: Vec<usize> = (0..=query).map(|key| distance(query, key)).collect();
            assert_eq!(found, wanted, "query {query}");
        }
        let short = rope.clone().for_context(9);
        assert_eq!((short.chunks, short.rows().per_position), (None, 1));
        assert_eq!(rope.for_context(10).chunks, Some(chunks));
    }

    /// Vector T-26: the length scale of dual chunk attention.
    #[test]
    fn dual_chunks_scale_long_texts() {
        let chunks = DualChunks { chunk_size: 262_144, local_size: 8192, original_context: Some(262_144) };
        for (n, wanted) in
            [(1, 1.0), (262_144, 1.0), (524_288, 1.069_314_718_1), (1_010_000, 1.134_881_163_9)]
        {
            assert!((chunks.scale(n) - wanted).abs() < 1e-9);
        }
    }
}
