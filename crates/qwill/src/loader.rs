//! From tensors in files to matrices on the device, a few rows at a time.

mod shape;

use std::collections::HashMap;
use std::ops::Range;
use std::rc::Rc;

use qwill_gpu::{Gpu, Uploads, Usage, wgpu};
use qwill_kernels::{DeviceMatrix, FusedNorm, Shard, align_row};
use qwill_models::{Arrangement, Norm, TensorRef, Weight};
use qwill_weights::{Container, Layout, Tensor, TensorReader, Tensors};

pub(crate) use self::shape::{MatrixShape, vector_bytes};
use crate::{Control, Error};

/// How far a load has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoadProgress {
    /// Bytes of tensors that are on the device.
    pub bytes_done: u64,
    /// Bytes of all tensors that the model uses.
    pub bytes_total: u64,
}

/// Bytes of a tensor that are in CPU memory at a time.
const CHUNK: usize = 8 << 20;
/// Gate and up rows alternate in runs of this many, see `shaders/gemv/gemv.wgsl`.
pub(crate) const RUN: usize = 16;

/// Where the plan's weights come from: a checkpoint's tensors.
#[derive(Clone, Copy)]
pub(crate) struct WeightSource<'a>(pub(crate) Tensors<'a>);

/// Where the rows of one part come from.
struct Rows<'a> {
    part: StoredPart<'a>,
    reader: TensorReader<'a>,
}

/// The rows of a stored tensor that a part of the plan means: all of them, or those of one expert.
pub(crate) struct StoredPart<'c> {
    pub(crate) tensor: Tensor<'c>,
    pub(crate) rows: Range<usize>,
}

impl StoredPart<'_> {
    pub(crate) fn bytes(&self) -> u64 {
        self.tensor.bytes_of(self.rows.clone())
    }
}

/// Uploads weights, each only once however often the plan names it.
pub(crate) struct Loader<'a> {
    gpu: &'a Gpu,
    architecture: &'static str,
    source: WeightSource<'a>,
    matrices: HashMap<Weight, Vec<Rc<DeviceMatrix>>>,
    progress: &'a mut dyn FnMut(LoadProgress) -> Control,
    done: LoadProgress,
    uploads: Uploads<'a>,
    /// Memory for the streams of two tensors that are read in turns.
    streams: [Vec<Vec<u32>>; 2],
}

impl<'a> Loader<'a> {
    pub(crate) fn new(
        gpu: &'a Gpu,
        architecture: &'static str,
        source: WeightSource<'a>,
        bytes_total: u64,
        progress: &'a mut dyn FnMut(LoadProgress) -> Control,
    ) -> Self {
        let done = LoadProgress { bytes_done: 0, bytes_total };
        let (matrices, uploads) = (HashMap::new(), Uploads::new(gpu));
        Self { gpu, architecture, source, matrices, progress, done, uploads, streams: Default::default() }
    }

    /// The matrices of a weight: one if its parts share a layout, else one a part.
    pub(crate) async fn weight(&mut self, weight: &Weight) -> Result<Vec<Rc<DeviceMatrix>>, Error> {
        if let Some(loaded) = self.matrices.get(weight) {
            return Ok(loaded.clone());
        }
        let mut loaded = Vec::new();
        for (shape, parts) in self.source.shapes(self.architecture, weight)? {
            let matrix = self.allocate(&parts[0].hf, shape).await?;
            self.place_parts(&matrix, 0, parts, weight.arrangement).await?;
            loaded.push(Rc::new(matrix));
        }
        self.matrices.insert(weight.clone(), loaded.clone());
        Ok(loaded)
    }

    /// A norm's weights, padded with zeros to 32.
    pub(crate) async fn norm(&mut self, norm: &Norm) -> Result<FusedNorm, Error> {
        Ok(FusedNorm { gain: self.vector(std::slice::from_ref(&norm.weight)).await?, eps: norm.eps })
    }

    /// Vectors one after the other as f32, padded with zeros to 32.
    pub(crate) async fn vector(&mut self, parts: &[TensorRef]) -> Result<wgpu::Buffer, Error> {
        let mut values: Vec<f32> = Vec::new();
        for part in parts {
            let part = find(&self.source.0, self.architecture, part)?;
            values.extend(part.tensor.open().await?.values(part.rows.clone()).await?);
            self.advance(part.bytes())?;
        }
        values.resize(align_row(values.len()), 0.0);
        let buffer = self.gpu.buffer(&parts[0].hf, vector_bytes(parts), Usage::Storage).await?;
        self.uploads.write(&buffer, 0, &[bytemuck::cast_slice(&values)]).await?;
        Ok(buffer)
    }

    /// The matrices of a layer's experts, one under the other; a shard holds whole experts.
    pub(crate) async fn experts(&mut self, experts: &[&Weight]) -> Result<Rc<DeviceMatrix>, Error> {
        let shape = self.source.experts_shape(self.architecture, experts)?;
        let matrix = self.allocate(&experts[0].parts[0].hf, shape).await?;
        for (index, expert) in experts.iter().enumerate() {
            self.place_parts(&matrix, index * shape.unit, &expert.parts, expert.arrangement).await?;
        }
        Ok(Rc::new(matrix))
    }

    async fn place_parts(
        &mut self,
        matrix: &DeviceMatrix,
        at: usize,
        parts: &[TensorRef],
        arrangement: Arrangement,
    ) -> Result<(), Error> {
        match arrangement {
            Arrangement::GateUp => self.place_gate_up(matrix, at, parts).await,
            Arrangement::Stacked => self.place_stacked(matrix, at, parts).await,
        }
    }

    /// Writes parts one after the other from row `at`.
    async fn place_stacked(
        &mut self,
        matrix: &DeviceMatrix,
        mut at: usize,
        parts: &[TensorRef],
    ) -> Result<(), Error> {
        let mut streams = std::mem::take(&mut self.streams[0]);
        for part in parts {
            let rows = part.shape[0];
            let reader = self.open(part).await?;
            let chunk = chunk_rows(matrix.layout, matrix.k);
            for first in (0..rows).step_by(chunk) {
                let n = chunk.min(rows - first);
                self.rows(&reader, matrix.layout, first..first + n, &mut streams).await?;
                for (stream, words) in streams.iter().enumerate() {
                    self.place(matrix, stream, at + first, &[words]).await?;
                }
            }
            at += rows;
        }
        self.streams[0] = streams;
        Ok(())
    }

    /// Writes gate and up in turns of [`RUN`] rows from row `at`.
    async fn place_gate_up(
        &mut self,
        matrix: &DeviceMatrix,
        at: usize,
        parts: &[TensorRef],
    ) -> Result<(), Error> {
        let [gate, up] = parts else { unreachable!("a gate-up weight has two parts") };
        let (rows, k, layout) = (gate.shape[0], matrix.k, matrix.layout);
        let (gate_reader, up_reader) = (self.open(gate).await?, self.open(up).await?);
        let chunk = (chunk_rows(layout, k) / 2).next_multiple_of(RUN);
        let [mut gates, mut ups] = std::mem::take(&mut self.streams);
        for first in (0..rows).step_by(chunk) {
            let n = chunk.min(rows - first);
            self.rows(&gate_reader, layout, first..first + n, &mut gates).await?;
            self.rows(&up_reader, layout, first..first + n, &mut ups).await?;
            for (stream, (gates, ups)) in gates.iter_mut().zip(&mut ups).enumerate() {
                let words = layout.stream_row_words(stream, k);
                gates.resize(n.next_multiple_of(RUN) * words, 0);
                ups.resize(n.next_multiple_of(RUN) * words, 0);
                let runs = gates.chunks(RUN * words).zip(ups.chunks(RUN * words));
                let runs: Vec<&[u32]> = runs.flat_map(|(gates, ups)| [gates, ups]).collect();
                self.place(matrix, stream, at + first * 2, &runs).await?;
            }
        }
        self.streams = [gates, ups];
        Ok(())
    }

    /// Makes ready to read the rows of a part.
    async fn open(&self, part: &TensorRef) -> Result<Rows<'a>, Error> {
        let part = find(&self.source.0, self.architecture, part)?;
        let reader = part.tensor.open().await?;
        Ok(Rows { part, reader })
    }

    /// Fills streams of a layout with rows.
    async fn rows(
        &mut self,
        source: &Rows<'_>,
        layout: Layout,
        rows: Range<usize>,
        streams: &mut Vec<Vec<u32>>,
    ) -> Result<(), Error> {
        let start = source.part.rows.start;
        let rows = start + rows.start..start + rows.end;
        source.reader.fill_streams(rows.clone(), layout, streams).await?;
        self.advance(source.part.tensor.bytes_of(rows))
    }

    /// Makes room for a matrix, in shards where a binding does not hold it.
    async fn allocate(&self, name: &str, shape: MatrixShape) -> Result<DeviceMatrix, Error> {
        let MatrixShape { layout, order, n_rows, k, .. } = shape;
        let caps = self.gpu.caps();
        let per_shard = shape.rows_of_shard(caps.max_binding.min(caps.max_buffer));
        if per_shard == 0 {
            return Err(Error::Kernel(format!(
                "{} rows of \"{name}\" must lie in one binding, but take {} bytes, and a binding of this device holds {}",
                shape.unit,
                shape.unit_bytes(),
                caps.max_binding
            )));
        }
        let mut shards = Vec::new();
        for first_row in (0..n_rows).step_by(per_shard) {
            let n_rows = per_shard.min(n_rows - first_row);
            let mut streams = Vec::new();
            for stream in 0..layout.n_streams() {
                let bytes = shape.row_bytes(stream) * n_rows as u64;
                streams.push(self.gpu.buffer(name, bytes, Usage::Storage).await?);
            }
            shards.push(Shard { first_row, n_rows, streams });
        }
        Ok(DeviceMatrix { layout, order, n_rows, k, shards })
    }

    /// Writes one stream of the rows from `first_row` on, which follow each other in `runs`, into the shards that
    /// hold them.
    async fn place(
        &mut self,
        matrix: &DeviceMatrix,
        stream: usize,
        first_row: usize,
        runs: &[&[u32]],
    ) -> Result<(), Error> {
        let row_words = matrix.layout.stream_row_words(stream, matrix.k);
        let n_words: usize = runs.iter().map(|run| run.len()).sum();
        let end = first_row + n_words / row_words;
        for shard in &matrix.shards {
            let from = first_row.max(shard.first_row);
            let to = end.min(shard.first_row + shard.n_rows);
            if from < to {
                let words = (from - first_row) * row_words..(to - first_row) * row_words;
                let offset = ((from - shard.first_row) * row_words * 4) as u64;
                self.uploads.write(&shard.streams[stream], offset, &cut(runs, words)).await?;
            }
        }
        Ok(())
    }

    /// Waits until all of it is on the device, and says so.
    pub(crate) async fn finish(&mut self) -> Result<(), Error> {
        self.uploads.finish().await?;
        self.advance(0)
    }

    fn advance(&mut self, bytes: u64) -> Result<(), Error> {
        self.done.bytes_done += bytes;
        match (self.progress)(self.done) {
            Control::Continue => Ok(()),
            Control::Stop => Err(Error::Aborted),
        }
    }
}

/// The bytes of some of the words that runs hold together.
fn cut<'w>(runs: &[&'w [u32]], words: Range<usize>) -> Vec<&'w [u8]> {
    let mut start = 0;
    let mut parts = Vec::new();
    for run in runs {
        let end = start + run.len();
        let (from, to) = (words.start.max(start), words.end.min(end));
        if from < to {
            parts.push(bytemuck::cast_slice(&run[from - start..to - start]));
        }
        start = end;
    }
    parts
}

/// Rows that fill a chunk.
fn chunk_rows(layout: Layout, k: usize) -> usize {
    let bytes: usize = (0..layout.n_streams()).map(|s| layout.stream_row_words(s, k) * 4).sum();
    (CHUNK / bytes.max(1)).max(1)
}

/// Finds a tensor under the name its container gives it, and checks its shape.
pub(crate) fn find<'c>(
    tensors: &Tensors<'c>,
    architecture: &'static str,
    part: &TensorRef,
) -> Result<StoredPart<'c>, Error> {
    let checkpoint = tensors.checkpoint();
    let is_gguf = checkpoint.container() == Container::Gguf;
    let name = if is_gguf { &part.gguf } else { &part.hf };
    // Embedding models are saved without the prefix of the language model around them.
    let bare = name.strip_prefix("model.").unwrap_or(name);
    let found = match tensors.get(name)? {
        Some(tensor) => Some(tensor),
        None => tensors.get(bare)?,
    };
    let tensor = found.ok_or_else(|| {
        let last = name.rsplit('.').nth(1).unwrap_or(name);
        let similar = checkpoint.tensors().find(|t| t.name.contains(last));
        Error::MissingTensor {
            name: name.clone(),
            architecture,
            hint: similar.map(|t| format!("; there is \"{}\"", t.name)).unwrap_or_default(),
        }
    })?;
    let rows = if part.shape.len() == 1 { 1 } else { part.shape[0] };
    let (expected, rows) = match part.expert {
        Some(slice) if is_gguf => {
            ([&[slice.n_experts], &part.shape[..]].concat(), slice.index * rows..(slice.index + 1) * rows)
        }
        _ => (part.shape.clone(), 0..rows),
    };
    // GGUF files keep a matrix of one row as a vector.
    let is_row = expected.split_first().is_some_and(|(&rows, row)| rows == 1 && tensor.shape == row);
    if tensor.shape != expected && !is_row {
        return Err(Error::Shape { name: name.clone(), found: tensor.shape, expected });
    }
    Ok(StoredPart { tensor, rows })
}
