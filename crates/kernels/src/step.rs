//! What changes from step to step: the words that kernels read, and the shape that grids follow from.

use crate::{DrawClass, PAGE};

/// Where a token comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenSource {
    /// It has this id.
    Id(u32),
    /// It is what was sampled last for its slot.
    Next,
}

impl TokenSource {
    /// As it is written down.
    fn word(self) -> u32 {
        match self {
            Self::Id(id) => id,
            Self::Next => NEXT,
        }
    }
}

/// Consecutive tokens of a sequence in a step.
#[derive(Debug, Clone, Copy)]
pub struct StepSpan<'a> {
    /// The tokens.
    pub tokens: &'a [TokenSource],
    /// The sequence's slot.
    pub slot: u32,
    /// Position of the first token.
    pub position: u32,
    /// Physical pages of the sequence up to that of its last token.
    pub pages: &'a [u32],
    /// Angles of the tokens, `[n_tokens, RotaryRows::per_position, 2, rotary_dim / 2]`: cosines, sines.
    pub angles: &'a [f32],
}

/// A token whose outputs are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepOutput {
    /// Which of the step's tokens.
    pub token: u32,
    /// The slot of its sequence.
    pub slot: u32,
    /// Seed of the random generator.
    pub seed: u32,
    /// Index of the random number.
    pub index: u32,
    /// How the next token is drawn; `None`: it is not.
    pub draw: Option<DrawClass>,
    /// What is told of log probabilities; `None`: nothing.
    pub report: Option<StepReport>,
}

/// Log probabilities that are wanted after a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepReport {
    /// Whose; [`TokenSource::Next`] is the one that the output draws.
    pub token: TokenSource,
    /// How many of the largest besides.
    pub n_top: u32,
}

/// A step before it is written down.
#[derive(Debug, Clone, Copy)]
pub struct StepParts<'a> {
    /// Its tokens; spans of one token come before longer ones.
    pub spans: &'a [StepSpan<'a>],
    /// What is wanted: what is drawn first, by class.
    pub outputs: &'a [StepOutput],
    /// Tokens of a tile of prefill attention, see [`crate::prefill_rows`].
    pub tile_rows: usize,
}

/// A span as far as grids and costs depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpanShape {
    /// Its tokens.
    pub n_tokens: u32,
    /// Tokens of the sequence that are in the cache after the step.
    pub n_kv: u32,
}

/// What grids and costs are computed from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StepShape {
    /// Tokens in this step.
    pub n_tokens: u32,
    /// Rows of outputs wanted.
    pub n_outputs: u32,
    /// The spans; those of one token, which decode attention takes, come first.
    pub spans: Vec<SpanShape>,
    /// Tiles of the longer ones.
    pub n_tiles: u32,
    /// Outputs from which a token is drawn, by [`DrawClass`].
    pub draws: [u32; DrawClass::ALL.len()],
    /// Outputs of which log probabilities are told.
    pub n_reports: u32,
}

impl StepShape {
    /// A step of one sequence, with `n_kv` tokens in the cache after it.
    pub fn of_one(n_tokens: u32, n_kv: u32, n_outputs: u32, tile_rows: usize) -> Self {
        let n_tiles = if n_tokens > 1 { n_tokens.div_ceil(tile_rows as u32) } else { 0 };
        let spans = vec![SpanShape { n_tokens, n_kv }];
        Self { n_tokens, n_outputs, spans, n_tiles, draws: [0; DrawClass::ALL.len()], n_reports: 0 }
    }

    /// Spans of one token.
    pub fn singles(&self) -> &[SpanShape] {
        &self.spans[..self.spans.partition_point(|span| span.n_tokens == 1)]
    }

    /// Spans of more.
    pub fn longer(&self) -> &[SpanShape] {
        &self.spans[self.spans.partition_point(|span| span.n_tokens == 1)..]
    }
}

/// Id that stands for [`TokenSource::Next`].
const NEXT: u32 = u32::MAX;
/// Numbers in a row.
const ROW: usize = 4;
/// Rows of the header.
const HEADER: usize = 2;

/// Words of the largest step with so much of everything: what `n_angles` counts is numbers a token.
pub fn step_words(
    n_tokens: usize,
    n_spans: usize,
    n_outputs: usize,
    n_pages: usize,
    n_angles: usize,
) -> usize {
    // tiles are no more than tokens, reports no more than outputs, and every block table begins a row
    (HEADER + 2 * n_tokens + 2 * n_outputs + n_spans) * ROW
        + n_pages.next_multiple_of(ROW)
        + n_tokens * n_angles
}

impl StepParts<'_> {
    /// The step as `shaders/shared/step.wgsl` lays it out, and its shape.
    pub fn encode(&self) -> (Vec<u32>, StepShape) {
        debug_assert!(self.spans.is_sorted_by_key(|span| span.tokens.len() > 1), "single tokens come first");
        let mut shape = StepShape { n_outputs: self.outputs.len() as u32, ..StepShape::default() };
        let n_tokens: usize = self.spans.iter().map(|span| span.tokens.len()).sum();
        shape.n_tokens = n_tokens as u32;
        shape.n_reports = self.outputs.iter().filter(|output| output.report.is_some()).count() as u32;
        let n_rows = n_tokens + self.n_tiles() + self.outputs.len() + shape.n_reports as usize;
        let tables = self.block_tables(HEADER + n_rows);

        let mut words = vec![0; HEADER * ROW];
        for (span, &(table, _)) in self.spans.iter().zip(&tables) {
            for (token, position) in span.tokens.iter().zip(span.position..) {
                words.extend([token.word(), span.slot, position, table]);
            }
        }
        let tiles = row_of(&words);
        let mut first_token = 0;
        for (span, &(table, _)) in self.spans.iter().zip(&tables) {
            let n = span.tokens.len() as u32;
            shape.spans.push(SpanShape { n_tokens: n, n_kv: span.position + n });
            if n > 1 {
                for first in (0..n).step_by(self.tile_rows) {
                    words.extend([first_token + first, first_token + n, span.position + first, table]);
                    shape.n_tiles += 1;
                }
            }
            first_token += n;
        }
        let outputs = row_of(&words);
        let mut classes = [0; DrawClass::ALL.len()];
        for output in self.outputs {
            words.extend([output.token, output.slot, output.seed, output.index]);
        }
        let mut first = 0;
        for (class, place) in DrawClass::ALL.into_iter().zip(&mut classes) {
            let n = self.outputs.iter().filter(|output| output.draw == Some(class)).count() as u32;
            *place = first;
            shape.draws[class as usize] = n;
            first += n;
        }
        let reports = row_of(&words);
        for (output, row) in (0..).zip(self.outputs) {
            if let Some(StepReport { token, n_top }) = row.report {
                words.extend([output, token.word(), n_top, 0]);
            }
        }
        for (span, (table, n_rows)) in self.spans.iter().zip(tables) {
            debug_assert_eq!(row_of(&words), table);
            words.extend_from_slice(span.pages);
            words.resize((table as usize + n_rows) * ROW, 0);
        }
        let angles = row_of(&words);
        words.extend(self.spans.iter().flat_map(|span| span.angles).map(|angle| angle.to_bits()));
        words[..ROW].copy_from_slice(&[shape.n_tokens, tiles, outputs, angles]);
        words[ROW..][..classes.len()].copy_from_slice(&classes);
        words[ROW + classes.len()] = reports;
        (words, shape)
    }

    fn n_tiles(&self) -> usize {
        let longer = self.spans.iter().map(|span| span.tokens.len()).filter(|&n| n > 1);
        longer.map(|n| n.div_ceil(self.tile_rows)).sum()
    }

    /// First row of each block table and its rows, when the first one begins in row `first`.
    fn block_tables(&self, first: usize) -> Vec<(u32, usize)> {
        let mut next = first;
        self.spans
            .iter()
            .map(|span| {
                debug_assert!(span.pages.len() * PAGE >= span.position as usize + span.tokens.len());
                let n_rows = span.pages.len().div_ceil(ROW);
                let table = next as u32;
                next += n_rows;
                (table, n_rows)
            })
            .collect()
    }
}

/// The row that comes next.
fn row_of(words: &[u32]) -> u32 {
    (words.len() / ROW) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_lies_where_the_header_says() {
        let angles = [1.0f32; 8];
        let one = [TokenSource::Next];
        let many: Vec<_> = (0..11).map(TokenSource::Id).collect();
        let spans = [
            StepSpan { tokens: &one, slot: 3, position: 40, pages: &[7, 8], angles: &angles[..4] },
            StepSpan { tokens: &many, slot: 1, position: 30, pages: &[2, 9], angles: &[0.5; 44] },
        ];
        let report = StepReport { token: TokenSource::Next, n_top: 4 };
        let draw = |token, class| StepOutput {
            token,
            slot: 3,
            seed: 5,
            index: 6,
            draw: Some(class),
            report: (token > 0).then_some(report),
        };
        let of_id = StepReport { token: TokenSource::Id(77), n_top: 0 };
        let outputs = [
            draw(0, DrawClass::Greedy),
            draw(11, DrawClass::All),
            StepOutput { token: 4, slot: 1, seed: 0, index: 0, draw: None, report: Some(of_id) },
        ];
        let parts = StepParts { spans: &spans, outputs: &outputs, tile_rows: 8 };
        let (words, shape) = parts.encode();
        let row = |at: u32| &words[at as usize * 4..][..4];
        let [n_tokens, tiles, first_output, first_angle] = row(0) else { panic!() };
        let [classes @ .., reports] = row(1) else { panic!() };
        assert_eq!((*n_tokens, classes), (12, &[0, 1, 1][..]));
        let [id, slot, position, table] = row(2) else { panic!() };
        assert_eq!((*id, *slot, *position, &row(*table)[..2]), (NEXT, 3, 40, &[7, 8][..]));
        assert_eq!(&row(13)[..3], [10, 1, 40]);
        assert_eq!((&row(*tiles)[..3], &row(tiles + 1)[..3]), (&[1, 12, 30][..], &[9, 12, 38][..]));
        assert_eq!(&row(row(*tiles)[3])[..2], [2, 9]);
        assert_eq!((row(*first_output), row(first_output + 2)[0]), (&[0, 3, 5, 6][..], 4));
        assert_eq!((row(*reports), row(reports + 1)), (&[1, NEXT, 4, 0][..], &[2, 77, 0, 0][..]));
        assert_eq!(words[*first_angle as usize * 4 + 4], 0.5f32.to_bits());
        assert_eq!(words.len(), *first_angle as usize * 4 + 48);
        assert!(words.len() <= step_words(12, 2, 3, 4, 4));
        assert_eq!((shape.n_tiles, shape.draws, shape.singles().len()), (2, [1, 0, 1], 1));
        assert_eq!(shape.n_reports, 2);
        assert_eq!(shape.longer(), [SpanShape { n_tokens: 11, n_kv: 41 }]);
    }
}
