//! From tensors in files to matrices on the device: what a model needs is noted first, and then read piece by piece.

mod allocate;
mod shape;
mod weights;

use std::ops::Range;
use std::rc::Rc;

use qwill_gpu::{Buffer, Gpu, Uploads, Usage};
use qwill_kernels::{DeviceMatrix, RowOrder};
use qwill_models::{Arrangement, Plan, TensorRef, Weight, WeightUse};
use qwill_weights::{Container, Filled, Layout, Pieces, ReadAhead, Tensor, Tensors};

pub(crate) use self::allocate::allocate;
pub use self::shape::{MatrixShape, vector_bytes};
pub(crate) use self::shape::{row_on_device, rows_on_device};
pub use self::weights::Weights;
use crate::{Control, Error, LoadProgress, TensorError};

// Pieces of gate and up begin with a turn of theirs.
const _: () = assert!(Pieces::STEP.is_multiple_of(RowOrder::RUN));

/// Where the plan's weights come from: a checkpoint's tensors.
#[derive(Clone, Copy)]
pub struct WeightSource<'a>(pub Tensors<'a>);

/// The rows of a stored tensor that a part of the plan means: all of them, or those of one expert.
pub type StoredRows<'c> = (Tensor<'c>, Range<usize>);

/// Where rows go.
enum Target {
    /// To byte `offset` of a buffer of f32, `n` values of one row.
    Vector { buffer: Buffer, offset: u64, n: usize },
    /// To the rows of a matrix from `first_row` on; gate and up take turns as in [`RowOrder::GateUp`].
    Matrix { matrix: Rc<DeviceMatrix>, first_row: usize },
}

/// Makes room for weights, and fills it.
pub struct Loader<'a> {
    gpu: &'a Gpu,
    architecture: &'static str,
    source: WeightSource<'a>,
    progress: &'a mut dyn FnMut(LoadProgress) -> Control,
    done: LoadProgress,
    uploads: Uploads<'a>,
    /// What is to be read, each with its place in `targets`.
    pieces: Pieces<'a>,
    targets: Vec<Target>,
}

impl<'a> Loader<'a> {
    /// `read_ahead` reads what the plan names.
    pub fn new(
        gpu: &'a Gpu,
        architecture: &'static str,
        source: WeightSource<'a>,
        read_ahead: ReadAhead,
        bytes_total: u64,
        progress: &'a mut dyn FnMut(LoadProgress) -> Control,
    ) -> Self {
        let done = LoadProgress { bytes_done: 0, bytes_total };
        let uploads = Uploads::new(gpu);
        let (pieces, targets) = (Pieces::following(read_ahead), Vec::new());
        Self { gpu, architecture, source, progress, done, uploads, pieces, targets }
    }

    /// Makes room for all weights of a plan. [`finish`](Self::finish) fills it.
    pub async fn allocate<'p>(&mut self, plan: &'p Plan) -> Result<Weights<'p>, Error> {
        let mut weights = Weights::default();
        for used in plan.weights() {
            match used {
                WeightUse::Matrix(weight) => {
                    weights.matrices.insert(weight, self.matrices(weight).await?);
                }
                WeightUse::Experts(experts) => {
                    let matrix = self.experts(&experts).await?;
                    weights.experts.insert(experts, matrix);
                }
                WeightUse::Vector(parts) => {
                    let buffer = self.vector(&parts).await?;
                    weights.vectors.insert(parts, buffer);
                }
            }
        }
        Ok(weights)
    }

    async fn matrices(&mut self, weight: &Weight) -> Result<Vec<Rc<DeviceMatrix>>, Error> {
        let mut matrices = Vec::new();
        for (shape, parts) in self.source.shapes(self.architecture, weight)? {
            let matrix = allocate(self.gpu, &parts[0].hf, shape).await?;
            self.add_parts(&matrix, 0, parts, weight.arrangement)?;
            matrices.push(matrix);
        }
        Ok(matrices)
    }

    async fn experts(&mut self, experts: &[&Weight]) -> Result<Rc<DeviceMatrix>, Error> {
        let shape = self.source.experts_shape(self.architecture, experts)?;
        let matrix = allocate(self.gpu, &experts[0].parts[0].hf, shape).await?;
        for (index, expert) in experts.iter().enumerate() {
            self.add_parts(&matrix, index * shape.unit, &expert.parts, expert.arrangement)?;
        }
        Ok(matrix)
    }

    async fn vector(&mut self, parts: &[&TensorRef]) -> Result<Buffer, Error> {
        let buffer = self.gpu.buffer(&parts[0].hf, vector_bytes(parts), Usage::Storage).await?;
        let mut offset = 0;
        for &part in parts {
            let n = part.shape[0];
            self.add(Layout::F32, &[part], Target::Vector { buffer: buffer.clone(), offset, n })?;
            offset += n as u64 * 4;
        }
        Ok(buffer)
    }

    /// Notes that parts go to a matrix, from row `at` on.
    fn add_parts(
        &mut self,
        matrix: &Rc<DeviceMatrix>,
        mut at: usize,
        parts: &[TensorRef],
        arrangement: Arrangement,
    ) -> Result<(), Error> {
        let target = |first_row| Target::Matrix { matrix: matrix.clone(), first_row };
        match arrangement {
            Arrangement::GateUp => self.add(matrix.layout, &parts.iter().collect::<Vec<_>>(), target(at)),
            Arrangement::Stacked => parts.iter().try_for_each(|part| {
                self.add(matrix.layout, &[part], target(at))?;
                at += part.shape[0];
                Ok(())
            }),
        }
    }

    /// Notes that all rows of parts, which take turns, go to a target.
    fn add(&mut self, layout: Layout, parts: &[&TensorRef], target: Target) -> Result<(), Error> {
        let stored = parts.iter().map(|part| find(&self.source.0, self.architecture, part));
        self.pieces.add(self.targets.len(), layout, stored.collect::<Result<_, _>>()?);
        self.targets.push(target);
        Ok(())
    }

    /// Reads everything, and waits until all of it is on the device.
    pub async fn finish(&mut self) -> Result<(), Error> {
        let pieces = std::mem::take(&mut self.pieces);
        let targets = std::mem::take(&mut self.targets);
        pieces
            .fill(async |filled| {
                self.place(&targets[filled.target], filled).await?;
                self.advance(filled.bytes)
            })
            .await?;
        self.uploads.finish().await?;
        self.advance(0)
    }

    /// Writes what is filled to where it goes.
    async fn place(&mut self, target: &Target, filled: &mut Filled) -> Result<(), Error> {
        let (matrix, first_row) = match target {
            Target::Vector { buffer, offset, n } => {
                let values = &filled.streams[0][0][..*n];
                return Ok(self.uploads.write(buffer, *offset, &[bytemuck::cast_slice(values)]).await?);
            }
            Target::Matrix { matrix, first_row } => (matrix, *first_row),
        };
        match &mut filled.streams[..] {
            [gates, ups] => {
                let n_rows = filled.rows.len().next_multiple_of(RowOrder::RUN);
                for (stream, (gates, ups)) in gates.iter_mut().zip(ups).enumerate() {
                    let words = matrix.layout.stream_row_words(stream, matrix.k);
                    gates.resize(n_rows * words, 0);
                    ups.resize(n_rows * words, 0);
                    let run = RowOrder::RUN * words;
                    let runs = gates.chunks(run).zip(ups.chunks(run));
                    let runs: Vec<&[u32]> = runs.flat_map(|(gates, ups)| [gates, ups]).collect();
                    self.place_runs(matrix, stream, first_row + filled.rows.start * 2, &runs).await?;
                }
            }
            streams => {
                for (stream, words) in streams.iter().flatten().enumerate() {
                    self.place_runs(matrix, stream, first_row + filled.rows.start, &[words]).await?;
                }
            }
        }
        Ok(())
    }

    /// Writes one stream of the rows from `first_row` on, which follow each other in `runs`, into the shards that
    /// hold them.
    async fn place_runs(
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

/// Finds a tensor under the name its container gives it, and checks its shape.
pub fn find<'c>(
    tensors: &Tensors<'c>,
    architecture: &'static str,
    part: &TensorRef,
) -> Result<StoredRows<'c>, Error> {
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
        TensorError::Missing {
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
        return Err(TensorError::Shape { name: name.clone(), found: tensor.shape, expected }.into());
    }
    Ok((tensor, rows))
}
