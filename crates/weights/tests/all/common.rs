//! What several tests need: sources in memory, and a generator of fixed randomness.

use std::ops::Range;
use std::sync::{Arc, Mutex};

use pollster::block_on;
use qwill_weights::{ByteSource, Checkpoint, DType, Error, Layout, MemorySource, TensorReader, quantize};
use serde_json::json;

pub(crate) fn source(name: &str, bytes: Vec<u8>) -> Arc<dyn ByteSource> {
    Arc::new(MemorySource::new(name, bytes))
}

pub(crate) fn open_gguf(bytes: Vec<u8>) -> Result<Checkpoint, Error> {
    block_on(Checkpoint::open_gguf(vec![source("model.gguf", bytes)]))
}

pub(crate) fn open_safetensors(bytes: Vec<u8>) -> Result<Checkpoint, Error> {
    let source = source("model.safetensors", bytes);
    block_on(Checkpoint::open_safetensors(vec![source], None))
}

/// A tensor for [`safetensors_with`].
#[derive(Clone)]
pub(crate) struct Part {
    pub(crate) name: String,
    pub(crate) dtype: DType,
    pub(crate) shape: Vec<usize>,
    pub(crate) bytes: Vec<u8>,
}

impl Part {
    pub(crate) fn new(name: &str, dtype: DType, shape: &[usize], bytes: Vec<u8>) -> Self {
        Self { name: name.to_owned(), dtype, shape: shape.to_vec(), bytes }
    }

    pub(crate) fn words(name: &str, shape: &[usize], words: &[u32]) -> Self {
        Self::new(name, DType::I32, shape, words.iter().flat_map(|w| w.to_le_bytes()).collect())
    }

    pub(crate) fn floats(name: &str, dtype: DType, shape: &[usize], values: &[f32]) -> Self {
        Self::new(name, dtype, shape, quantize(dtype, values).unwrap())
    }
}

/// A safetensors file with these tensors.
pub(crate) fn safetensors_with(parts: &[Part]) -> Vec<u8> {
    let mut header = serde_json::Map::new();
    let mut data = Vec::new();
    for part in parts {
        let begin = data.len();
        data.extend(&part.bytes);
        let entry = json!({
            "dtype": part.dtype.name(), "shape": part.shape, "data_offsets": [begin, data.len()],
        });
        header.insert(part.name.clone(), entry);
    }
    let header = serde_json::to_vec(&header).unwrap();
    [&(header.len() as u64).to_le_bytes()[..], &header, &data].concat()
}

/// Rows as the streams of a layout, in memory that held something else.
pub(crate) fn streams(
    reader: &TensorReader<'_>,
    rows: Range<usize>,
    layout: Layout,
) -> Result<Vec<Vec<u32>>, Error> {
    let mut streams = vec![vec![0xDEAD_BEEF; 1 << 16]; 4];
    block_on(reader.fill_streams(rows, layout, &mut streams))?;
    Ok(streams)
}

/// Remembers what was read.
pub(crate) struct Watched {
    inner: MemorySource,
    reads: Arc<Mutex<Vec<Range<u64>>>>,
}

impl Watched {
    pub(crate) fn new(name: &str, bytes: Vec<u8>) -> (Self, Arc<Mutex<Vec<Range<u64>>>>) {
        let reads = Arc::default();
        (Self { inner: MemorySource::new(name, bytes), reads: Arc::clone(&reads) }, reads)
    }
}

#[async_trait::async_trait(?Send)]
impl ByteSource for Watched {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn len(&self) -> u64 {
        self.inner.len()
    }

    async fn read(&self, range: Range<u64>) -> Result<Vec<u8>, Error> {
        self.reads.lock().unwrap().push(range.clone());
        self.inner.read(range).await
    }
}

/// The message of an error, with those of its causes.
pub(crate) fn message<T>(result: Result<T, Error>) -> String {
    match result {
        Ok(_) => panic!("an error was expected"),
        Err(error) => error.to_string(),
    }
}

/// SplitMix64: small, and the same everywhere.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    /// Roughly normal, around 0, standard deviation about 1.
    pub(crate) fn normal(&mut self) -> f32 {
        let sum: f64 = (0..12).map(|_| self.next() as f64 / u64::MAX as f64).sum();
        (sum - 6.0) as f32
    }
}
