//! The rows of many tensors, made into streams piece by piece.

#[cfg(not(target_arch = "wasm32"))]
mod order;
#[cfg(not(target_arch = "wasm32"))]
mod threads;

use std::ops::Range;
use std::sync::Arc;

use async_lock::OnceCell;

use crate::{Error, Layout, ReadAhead, Tensor, TensorReader};

/// Bytes of a piece's streams: enough that handing it over costs nothing beside filling it, and few enough that the cores'
/// caches hold what was filled until it is used.
const PIECE: usize = 2 << 20;
/// Pieces begin at a multiple of so many rows if they have room for as many: formats whose words run across the rows are
/// turned in blocks of them.
const BLOCK: usize = 128;

/// Rows of tensors that shall become the streams of layouts.
///
/// Nothing is made before [`fill`](Self::fill), which holds a few pieces in memory at a time, and of GPTQ and AWQ layers,
/// whose words run across the rows, the whole layer.
#[derive(Default)]
pub struct Pieces<'c> {
    pieces: Vec<Piece<'c>>,
    read_ahead: ReadAhead,
}

/// Rows that are filled in one go.
struct Piece<'c> {
    target: usize,
    layout: Layout,
    /// Counted from the first of the rows that were added.
    rows: Range<usize>,
    parts: Vec<Part<'c>>,
}

/// The rows of one tensor in a piece.
struct Part<'c> {
    tensor: Arc<SharedTensor<'c>>,
    rows: Range<usize>,
}

/// A tensor that pieces have in common.
struct SharedTensor<'c> {
    tensor: Tensor<'c>,
    reader: OnceCell<TensorReader<'c>>,
    /// The rows that were added.
    rows: Range<usize>,
}

/// Streams that hold a piece.
#[derive(Debug, Default)]
pub struct Filled {
    /// What the caller called the rows when it added them.
    pub target: usize,
    /// Which of the rows they are.
    pub rows: Range<usize>,
    /// The streams of each tensor, one vector a stream.
    pub streams: Vec<Vec<Vec<u32>>>,
    /// Bytes of the files that these rows stand for, to show progress with.
    pub bytes: u64,
}

impl<'c> Pieces<'c> {
    /// Pieces begin at a multiple of so many rows, for callers that have rows of several tensors take turns.
    pub const STEP: usize = 16;

    /// None yet. The rows that will be added are those that are read ahead.
    pub fn following(read_ahead: ReadAhead) -> Self {
        Self { read_ahead, ..Self::default() }
    }

    /// Adds rows of a tensor, or as many of each of several, which come together.
    ///
    /// Their pieces are called `target`, and begin at multiples of [`STEP`](Self::STEP) rows.
    #[cfg_attr(
        target_arch = "wasm32",
        expect(clippy::arc_with_non_send_sync, reason = "a browser has one thread")
    )]
    pub fn add(&mut self, target: usize, layout: Layout, tensors: Vec<(Tensor<'c>, Range<usize>)>) {
        let Some((first, rows)) = tensors.first() else { return };
        let (k, n_rows) = (first.row_len(), rows.len());
        let stream_bytes: usize = (0..layout.n_streams()).map(|s| layout.stream_row_words(s, k) * 4).sum();
        // Every thread holds the f32 of its piece while it converts it.
        let is_converted = tensors.iter().any(|(tensor, _)| tensor.is_converted());
        let row_bytes = if is_converted { stream_bytes.max(k * size_of::<f32>()) } else { stream_bytes };
        let room = PIECE / (row_bytes * tensors.len()).max(1);
        let step = if room < BLOCK {
            (room / Self::STEP * Self::STEP).max(Self::STEP)
        } else {
            room / BLOCK * BLOCK
        };
        let share = |(tensor, rows)| Arc::new(SharedTensor { tensor, rows, reader: OnceCell::new() });
        let shared: Vec<_> = tensors.into_iter().map(share).collect();
        for start in (0..n_rows).step_by(step) {
            let rows = start..n_rows.min(start + step);
            let part = |tensor: &Arc<SharedTensor<'c>>| Part {
                tensor: tensor.clone(),
                rows: tensor.rows.start + rows.start..tensor.rows.start + rows.end,
            };
            let parts = shared.iter().map(part).collect();
            self.pieces.push(Piece { target, layout, rows, parts });
        }
    }

    /// Fills all pieces and has `place` take them away. In browsers they come in the order in which they were added.
    /// Natively as many threads as there are cores (at most 8) read and fill, about in the order in which the rows lie in the
    /// files, and this one calls `place` and blocks until all is done.
    ///
    /// # Errors
    /// The first that a reader or `place` has; what follows is not read then.
    pub async fn fill<E: From<Error>>(
        self,
        mut place: impl AsyncFnMut(&mut Filled) -> Result<(), E>,
    ) -> Result<(), E> {
        let Self { pieces, read_ahead, .. } = self;
        let mut bytes_used = 0;
        let mut place = async |filled: &mut Filled| {
            place(filled).await?;
            bytes_used += filled.bytes;
            read_ahead.advance(bytes_used);
            Ok::<_, E>(())
        };
        #[cfg(not(target_arch = "wasm32"))]
        return threads::fill(pieces, &read_ahead, |filled| pollster::block_on(place(filled)));
        #[cfg(target_arch = "wasm32")]
        {
            let mut filled = Filled::default();
            for piece in pieces {
                piece.fill(&mut filled).await?;
                place(&mut filled).await?;
            }
            Ok(())
        }
    }
}

impl<'c> SharedTensor<'c> {
    /// Its reader. Who comes first opens it, and the others wait.
    async fn open(&self) -> Result<&TensorReader<'c>, Error> {
        self.reader.get_or_try_init(|| self.tensor.open()).await
    }
}

impl Piece<'_> {
    async fn fill(&self, filled: &mut Filled) -> Result<(), Error> {
        filled.streams.resize_with(self.parts.len(), Vec::new);
        filled.bytes = 0;
        for (Part { tensor, rows }, streams) in self.parts.iter().zip(&mut filled.streams) {
            tensor.open().await?.fill_streams(rows.clone(), self.layout, streams).await?;
            filled.bytes += tensor.tensor.bytes_of(rows.clone());
        }
        (filled.target, filled.rows) = (self.target, self.rows.clone());
        Ok(())
    }
}
