//! What a step leaves behind, on its way to the CPU.

use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;

use qwill_gpu::{Buffer, Gpu, Readback, Usage};
use qwill_kernels::align_row;
use qwill_models::step::{Answer, Want};

use super::{Engine, MAX_OUTPUTS};
use crate::Error;

/// The rows of outputs of a step, by what is wanted of them.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    /// Which answer each row is.
    answers: Vec<usize>,
    /// Rows from which a token is drawn.
    pub(super) drawn: Range<usize>,
    /// Rows whose scores are read.
    pub(super) scores: Range<usize>,
    /// Rows whose normalised states are read.
    pub(super) states: Range<usize>,
}

impl Wanted {
    /// From the answer that each row is, rows in the order of the fields.
    pub(super) fn new(rows: impl Iterator<Item = (usize, Want)>) -> Self {
        let mut counts = [0; 3];
        let mut answers = Vec::new();
        for (answer, want) in rows {
            answers.push(answer);
            counts[match want {
                Want::Token { .. } => 0,
                Want::Scores => 1,
                Want::State => 2,
            }] += 1;
        }
        let [drawn, scores, states] = counts;
        Self {
            answers,
            drawn: 0..drawn,
            scores: drawn..drawn + scores,
            states: drawn + scores..drawn + scores + states,
        }
    }

    /// Whether anything is wanted that the output layers give.
    pub(super) fn needs_head(&self) -> bool {
        self.scores.end > 0
    }
}

/// Buffers that tokens are read through, each free again when its step has been waited for.
#[derive(Clone)]
pub(super) struct Staging(Rc<RefCell<Vec<Buffer>>>);

impl Staging {
    /// Bytes of each.
    pub(super) const BYTES: usize = MAX_OUTPUTS * 4;

    /// So many.
    pub(super) async fn new(gpu: &Gpu, n: usize) -> Result<Self, Error> {
        let mut free = Vec::with_capacity(n);
        for _ in 0..n {
            free.push(gpu.buffer("tokens on their way back", Self::BYTES as u64, Usage::Readback).await?);
        }
        Ok(Self(Rc::new(RefCell::new(free))))
    }

    /// One that is free.
    pub(super) fn take(&self) -> Result<Buffer, Error> {
        let full = || Error::Kernel("more steps are on their way than it was made for".into());
        self.0.borrow_mut().pop().ok_or_else(full)
    }
}

/// The answers of a step that was submitted.
pub(crate) struct Pending {
    gpu: Rc<Gpu>,
    wanted: Wanted,
    readbacks: Vec<Readback>,
    drawn: Buffer,
    staging: Staging,
    /// Numbers of a row of scores, and of states.
    widths: [usize; 2],
}

impl Pending {
    pub(super) fn new(
        engine: &Engine,
        wanted: Wanted,
        (drawn, width): (Buffer, usize),
        readbacks: Vec<Readback>,
    ) -> Self {
        let widths = [width, engine.plan.dims.hidden_size];
        Self { gpu: engine.gpu.clone(), wanted, readbacks, drawn, staging: engine.staging.clone(), widths }
    }

    /// Waits for the step; its answers, in the order of [`Step::outputs`](qwill_models::step::Step::outputs).
    pub(crate) async fn answers(self) -> Result<Vec<Answer>, Error> {
        let Self { gpu, wanted, readbacks, drawn, staging, widths } = self;
        let mut readbacks = readbacks.into_iter();
        let mut next = async || match readbacks.next() {
            Some(readback) => Ok::<_, Error>(readback.wait(&gpu).await?),
            None => Ok(Vec::new()),
        };
        let tokens: Vec<u32> = bytemuck::pod_collect_to_vec(&next().await?);
        staging.0.borrow_mut().push(drawn);
        let scores = if wanted.scores.is_empty() { Vec::new() } else { next().await? };
        let states = if wanted.states.is_empty() { Vec::new() } else { next().await? };
        let tokens = tokens.into_iter().take(wanted.drawn.len()).map(Answer::Token);
        let scores = rows(&scores, widths[0]).map(Answer::Scores);
        let states = rows(&states, widths[1]).map(Answer::State);
        let mut by_row: Vec<(usize, Answer)> =
            wanted.answers.into_iter().zip(tokens.chain(scores).chain(states)).collect();
        by_row.sort_by_key(|(answer, _)| *answer);
        Ok(by_row.into_iter().map(|(_, answer)| answer).collect())
    }
}

/// Rows of `width` numbers, without what pads them.
fn rows(bytes: &[u8], width: usize) -> impl Iterator<Item = Vec<f32>> {
    let numbers = bytemuck::pod_collect_to_vec::<u8, f32>(bytes);
    let stride = align_row(width);
    let rows: Vec<Vec<f32>> = numbers.chunks_exact(stride).map(|row| row[..width].to_vec()).collect();
    rows.into_iter()
}

impl Engine {
    /// A buffer that so many rows are read through, if there are any.
    pub(super) async fn reading(&self, n_rows: usize, width: usize) -> Result<Option<Buffer>, Error> {
        if n_rows == 0 {
            return Ok(None);
        }
        let bytes = (n_rows * align_row(width) * 4) as u64;
        Ok(Some(self.gpu.buffer("outputs on their way back", bytes, Usage::Readback).await?))
    }
}
