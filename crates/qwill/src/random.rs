//! Random weights of a published shape, as a GGUF file that is made up while it is read: benchmarks without a download.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ops::Range;
use std::sync::Arc;

use qwill_models::{Config, Plan, gguf_from_config, published_shape, published_shapes};
use qwill_text::GgufTokenizer;
use qwill_weights::{ByteSource, DType, TensorInfo, gguf, quantize};
use serde_json::json;

use crate::gguf_file::{file_tensors, tokenizer_metadata};
use crate::weight_format::{NoWeightFormat, TensorFormats, WeightFormat};
use crate::{Error, ModelFiles};

/// A published shape with random weights, such as `qwen3-0.6b:q4_0`.
///
/// Matrices have the same format throughout, but for rows that are not whole blocks of it; see [`WeightFormat`].
#[derive(Debug, Clone)]
pub struct RandomModel {
    name: String,
    config: Config,
    plan: Plan,
    format: WeightFormat,
}

/// The tokenizer of a random model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RandomTokenizer {
    /// None: it loads faster, and can be measured but not talked to.
    None,
    /// One token for each byte, and those that conversations need.
    Bytes,
}

impl RandomModel {
    /// Parses `SHAPE:FORMAT`; the format is `q4_0` when absent.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let (shape, format) = text.split_once(':').unwrap_or((text, "q4_0"));
        let published = published_shape(shape).ok_or_else(|| {
            let names: Vec<_> = published_shapes().iter().map(|s| s.name).collect();
            Error::Request(format!("there is no published shape \"{shape}\"; there are {}", names.join(", ")))
        })?;
        let format: WeightFormat =
            format.parse().map_err(|error: NoWeightFormat| Error::Request(error.to_string()))?;
        let plan = qwill_models::plan(&published.config)
            .map_err(|source| Error::Model { file: shape.to_owned(), source })?;
        let name = format!("random {}:{format}", published.name);
        Ok(Self { name, config: published.config, plan, format })
    }

    /// The same model with another number of layers.
    pub fn with_layers(self, n_layers: usize) -> Result<Self, Error> {
        let config = self.config.with("num_hidden_layers", json!(n_layers));
        let plan =
            qwill_models::plan(&config).map_err(|source| Error::Model { file: self.name.clone(), source })?;
        Ok(Self { name: format!("{} with {n_layers} layers", self.name), config, plan, ..self })
    }

    /// The model as a GGUF file, of which nothing but the header is in memory.
    pub fn files(&self, tokenizer: RandomTokenizer) -> Result<ModelFiles, Error> {
        Ok(ModelFiles::from_sources(&self.name, vec![Arc::new(self.source(tokenizer)?)]))
    }

    /// That file.
    pub(crate) fn source(&self, tokenizer: RandomTokenizer) -> Result<RandomSource, Error> {
        let mut writer = gguf::Writer::new();
        for (key, value) in gguf_from_config(&self.config, &self.plan) {
            writer.metadata(key, value);
        }
        writer.metadata("general.name", self.name.as_str());
        writer.metadata("general.file_type", self.format.file_type());
        if tokenizer == RandomTokenizer::Bytes {
            let tokens = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"];
            for (key, value) in
                tokenizer_metadata(GgufTokenizer::of_bytes(&tokens, self.plan.dims.vocab_size))
            {
                writer.metadata(key, value);
            }
            writer.metadata("tokenizer.ggml.bos_token_id", 256u32);
            writer.metadata("tokenizer.ggml.eos_token_id", 258u32);
            writer.metadata("tokenizer.ggml.padding_token_id", 256u32);
        }
        let formats = TensorFormats::uniform(self.format);
        for tensor in file_tensors(&self.plan) {
            let dtype = formats.dtype(tensor.parts[0]).unwrap_or(DType::F32);
            writer.tensor(&tensor.name, &tensor.shape, dtype)?;
        }
        let mut header = Vec::new();
        let body = writer.start(&mut header).map_err(|e| Error::Files(format!("{}: {e}", self.name)))?;
        let mut tensors = body.tensors().to_vec();
        for tensor in &mut tensors {
            tensor.offset += header.len() as u64;
        }
        RandomSource::new(format!("{}.gguf", self.name.replace(' ', "-")), header, tensors)
    }
}

/// A GGUF file whose matrices are made of a few hundred pieces of random weights, put together at random. The same bytes
/// every time, in whatever parts they are read.
pub(crate) struct RandomSource {
    name: String,
    header: Vec<u8>,
    tensors: Vec<TensorInfo>,
    len: u64,
    /// [`PIECES`] pieces in each type that occurs.
    pieces: HashMap<DType, Vec<u8>>,
}

/// How many pieces there are.
const PIECES: usize = 256;
/// Elements of a piece: whole blocks of every type.
const PIECE: usize = 256;

impl RandomSource {
    fn new(name: String, header: Vec<u8>, tensors: Vec<TensorInfo>) -> Result<Self, Error> {
        let mut random = Random(0);
        // 0.02 is what transformers initialises with
        let values: Vec<f32> = (0..PIECES * PIECE).map(|_| 0.02 * random.normal()).collect();
        let mut pieces = HashMap::new();
        for tensor in &tensors {
            if let Entry::Vacant(entry) = pieces.entry(tensor.dtype) {
                entry.insert(quantize(tensor.dtype, &values)?);
            }
        }
        let end = tensors.last().map_or(header.len() as u64, |tensor| tensor.offset + tensor.byte_len);
        Ok(Self { name, header, tensors, len: end.next_multiple_of(32), pieces })
    }

    /// The bytes of a row.
    fn row(&self, tensor: &TensorInfo, row: usize) -> Vec<u8> {
        let constant = |value: f32| value.to_le_bytes().repeat(tensor.row_len());
        match tensor.name.as_str() {
            name if name.ends_with("norm.weight") => return constant(1.0),
            name if name.ends_with(".bias") => return constant(0.0),
            _ => {}
        }
        let hash = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        let mut random = Random(tensor.name.bytes().fold(0xcbf2_9ce4_8422_2325, hash) ^ (row as u64) << 32);
        let pieces = &self.pieces[&tensor.dtype];
        let piece_bytes = pieces.len() / PIECES;
        let mut bytes = Vec::with_capacity(tensor.row_bytes() + piece_bytes);
        while bytes.len() < tensor.row_bytes() {
            let piece = (random.next() >> 32) as usize % PIECES;
            bytes.extend(&pieces[piece * piece_bytes..(piece + 1) * piece_bytes]);
        }
        bytes.truncate(tensor.row_bytes());
        bytes
    }
}

#[async_trait::async_trait(?Send)]
impl ByteSource for RandomSource {
    fn name(&self) -> &str {
        &self.name
    }

    fn len(&self) -> u64 {
        self.len
    }

    async fn read(&self, range: Range<u64>) -> Result<Vec<u8>, qwill_weights::Error> {
        if range.start > range.end || range.end > self.len {
            let (file, start, end) = (self.name.clone(), range.start, range.end);
            return Err(qwill_weights::Error::OutOfRange { file, start, end, len: self.len });
        }
        let mut out = vec![0; (range.end - range.start) as usize];
        // What lies between tensors stays zero.
        let mut put = |at: u64, bytes: &[u8]| {
            let (from, to) = (at.max(range.start), (at + bytes.len() as u64).min(range.end));
            if from < to {
                out[(from - range.start) as usize..(to - range.start) as usize]
                    .copy_from_slice(&bytes[(from - at) as usize..(to - at) as usize]);
            }
        };
        put(0, &self.header);
        let first = self.tensors.partition_point(|tensor| tensor.offset + tensor.byte_len <= range.start);
        for tensor in self.tensors[first..].iter().take_while(|tensor| tensor.offset < range.end) {
            let row_bytes = tensor.row_bytes() as u64;
            let rows = range.start.saturating_sub(tensor.offset) / row_bytes
                ..(range.end - tensor.offset).div_ceil(row_bytes).min(tensor.n_rows() as u64);
            for row in rows {
                put(tensor.offset + row * row_bytes, &self.row(tensor, row as usize));
            }
        }
        Ok(out)
    }
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// About normal, with a deviation of 1: a sum of 12 uniform numbers, less its mean.
    fn normal(&mut self) -> f32 {
        (0..12).map(|_| (self.next() >> 40) as f32 / (1 << 24) as f32).sum::<f32>() - 6.0
    }
}

#[cfg(test)]
mod tests {
    use pollster::block_on;

    use super::*;

    /// Also the proof that a configuration survives as GGUF metadata.
    #[test]
    fn files_have_the_plans_of_their_shapes() {
        for shape in published_shapes() {
            let random = RandomModel::parse(&format!("{}:q4_k", shape.name)).unwrap();
            let opened = block_on(random.files(RandomTokenizer::None).unwrap().open()).unwrap();
            let plan = crate::opened::plan(&opened).unwrap();
            assert_eq!((&plan.dims, &plan.rope), (&random.plan.dims, &random.plan.rope), "{}", shape.name);
            assert!(plan == random.plan, "{}", shape.name);
            let bytes = crate::opened::total_bytes(&crate::opened::stored_rows(&opened, &plan).unwrap());
            let per_weight = bytes as f64 * 8.0 / plan.n_params() as f64;
            assert!((4.4..5.7).contains(&per_weight), "{}: {per_weight} bits a weight", shape.name);
        }
    }

    /// llama.cpp takes token 11 for the first and for the last of a text where a file does not name them.
    #[test]
    fn special_tokens_have_names() {
        let random = RandomModel::parse("qwen3-0.6b:q4_0").unwrap().with_layers(1).unwrap();
        let opened = block_on(random.files(RandomTokenizer::Bytes).unwrap().open()).unwrap();
        let (metadata, tokenizer) = (opened.checkpoint.metadata(), opened.tokenizer.as_ref().unwrap());
        for (key, token) in [("bos", "<|endoftext|>"), ("eos", "<|im_end|>"), ("padding", "<|endoftext|>")] {
            let id = metadata.get_u64(&format!("tokenizer.ggml.{key}_token_id")).unwrap();
            assert_eq!(id, tokenizer.id_of(token).map(u64::from), "{key}");
        }
    }

    #[test]
    fn parts_of_a_file_are_the_parts_of_the_whole() {
        let random = RandomModel::parse("qwen2.5-0.5b:q4_k").unwrap().with_layers(1).unwrap();
        let source = random.source(RandomTokenizer::Bytes).unwrap();
        let from = source.tensors[1].offset - 100;
        let whole = block_on(source.read(from..from + 300_000)).unwrap();
        for (start, end) in [(0, 1), (99, 101), (50, 7777), (7776, 7778), (5000, 300_000), (9, 9)] {
            let part = block_on(source.read(from + start..from + end)).unwrap();
            assert_eq!(part, whole[start as usize..end as usize], "{start}..{end}");
        }
        assert!(block_on(source.read(source.len..source.len + 1)).is_err());
    }
}
