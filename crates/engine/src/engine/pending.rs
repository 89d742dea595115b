//! What a step leaves behind, on its way to the CPU.

use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;

use qwill_gpu::{Buffer, Gpu, Readback, Usage};
use qwill_kernels::{Reports, align_row};
use qwill_models::step::{Answer, Logprobs, MAX_TOP_LOGPROBS, Sampled, Want};

use super::{Engine, MAX_OUTPUTS};
use crate::Error;

/// How reports lie behind drawn tokens.
pub(super) const fn reports(n_vocab: usize) -> Reports {
    Reports { n_vocab, first: MAX_OUTPUTS, max_top: MAX_TOP_LOGPROBS }
}

/// Words of a report, which are the same for every vocabulary.
const REPORT: usize = reports(0).words();

/// The rows of outputs of a step, by what is wanted of them.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    /// Which answer each row is.
    answers: Vec<usize>,
    /// Rows from which a token is drawn, and how many of the most likely ones are reported with each, if it is.
    drawn: Vec<Option<u8>>,
    /// How many of the most likely tokens are reported of each row of which nothing else is wanted.
    reported: Vec<u8>,
    /// Rows whose scores are read.
    pub(super) scores: Range<usize>,
    /// Rows whose normalised states are read.
    pub(super) states: Range<usize>,
}

impl Wanted {
    /// From the answer that each row is, rows in the order of the fields.
    pub(super) fn new(rows: impl Iterator<Item = (usize, Want)>) -> Self {
        let (mut answers, mut drawn, mut reported) = (Vec::new(), Vec::new(), Vec::new());
        let (mut n_scores, mut n_states) = (0, 0);
        for (answer, want) in rows {
            answers.push(answer);
            match want {
                Want::Token { logprobs, .. } => drawn.push(logprobs),
                Want::Logprobs { n_top, .. } => reported.push(n_top),
                Want::Scores => n_scores += 1,
                Want::State => n_states += 1,
            }
        }
        let first = drawn.len() + reported.len();
        let scores = first..first + n_scores;
        let states = scores.end..scores.end + n_states;
        Self { answers, drawn, reported, scores, states }
    }

    /// Whether anything is wanted that the output layers give.
    pub(super) fn needs_head(&self) -> bool {
        self.scores.end > 0
    }

    /// Bytes that are read of drawn tokens and reports; never none, because that tells when the step has ended.
    pub(super) fn drawn_bytes(&self) -> u64 {
        let n_reports = self.drawn.iter().flatten().count() + self.reported.len();
        let words = if n_reports > 0 { MAX_OUTPUTS + n_reports * REPORT } else { self.drawn.len().max(1) };
        words as u64 * 4
    }

    /// Tokens and reports, from what was read of them.
    fn drawn_answers(&self, words: &[u32]) -> Vec<Answer> {
        let reports = words.get(MAX_OUTPUTS..).unwrap_or_default();
        let mut reports = reports.chunks_exact(REPORT);
        let mut next = |n_top: u8| reports.next().map(|report| read_report(report, n_top));
        let tokens = words.iter().zip(&self.drawn);
        let mut answers: Vec<Answer> = tokens
            .map(|(&id, logprobs)| Answer::Token(Sampled { id, logprobs: logprobs.and_then(&mut next) }))
            .collect();
        answers.extend(self.reported.iter().filter_map(|&n_top| next(n_top)).map(Answer::Logprobs));
        answers
    }
}

/// A report that lists so many tokens, or all there are.
fn read_report(words: &[u32], n_top: u8) -> Logprobs {
    let listed = words[1..].chunks_exact(2).take(n_top.into()).take_while(|pair| pair[0] != u32::MAX);
    let top = listed.map(|pair| (pair[0], f32::from_bits(pair[1]))).collect();
    Logprobs { logprob: f32::from_bits(words[0]), top }
}

/// Buffers that tokens and reports are read through, each free again when its step has been waited for.
#[derive(Clone)]
pub(super) struct Staging(Rc<RefCell<Vec<Buffer>>>);

impl Staging {
    /// Bytes of each.
    pub(super) const BYTES: usize = MAX_OUTPUTS * (1 + REPORT) * 4;

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
pub struct Pending {
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
        let widths = [width, engine.plan().dims.hidden_size];
        Self { gpu: engine.gpu.clone(), wanted, readbacks, drawn, staging: engine.staging.clone(), widths }
    }

    /// Waits for the step; its answers, in the order of [`Step::outputs`](qwill_models::step::Step::outputs).
    pub async fn answers(self) -> Result<Vec<Answer>, Error> {
        let Self { gpu, wanted, readbacks, drawn, staging, widths } = self;
        let mut readbacks = readbacks.into_iter();
        let mut next = async || match readbacks.next() {
            Some(readback) => Ok::<_, Error>(readback.wait(&gpu).await?),
            None => Ok(Vec::new()),
        };
        let words: Vec<u32> = bytemuck::pod_collect_to_vec(&next().await?);
        staging.0.borrow_mut().push(drawn);
        let scores = if wanted.scores.is_empty() { Vec::new() } else { next().await? };
        let states = if wanted.states.is_empty() { Vec::new() } else { next().await? };
        let drawn = wanted.drawn_answers(&words).into_iter();
        let scores = rows(&scores, widths[0]).map(Answer::Scores);
        let states = rows(&states, widths[1]).map(Answer::State);
        let mut by_row: Vec<(usize, Answer)> =
            wanted.answers.into_iter().zip(drawn.chain(scores).chain(states)).collect();
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
