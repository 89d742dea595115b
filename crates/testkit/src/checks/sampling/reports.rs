//! `report_logprobs`: log probabilities of a token and of the most likely ones.
//!
//! At most 5e-7 off on llvmpipe, relative to the log probability and one more.

use qwill_kernels::{DrawClass, ReportBuffers, Reports, StepReport, TokenSource, cpu, report_logprobs};

use super::step_of;
use crate::checks::Outcome;
use crate::checks::released::VOCABULARY;
use crate::{Depth, Report, Rig, Rng, block_on, padded_rows};

const TOLERANCE: f64 = 4e-6;
/// Most tokens that a report lists.
const MAX_TOP: usize = 20;
/// What stands where nothing was written.
const UNTOUCHED: u32 = 0x5555_5555;

/// A report that is wanted.
struct Case<'a> {
    logits: &'a [f32],
    /// The token that was drawn.
    drawn: u32,
    token: TokenSource,
    n_top: usize,
}

impl Case<'_> {
    fn wanted(&self) -> cpu::Logprobs {
        let token = match self.token {
            TokenSource::Id(id) => id,
            TokenSource::Next => self.drawn,
        };
        cpu::report_logprobs(self.logits, token, self.n_top)
    }
}

/// What the kernel reports: bits of the token's log probability, and (id, bits of its log probability) of the largest.
type Found = (u32, Vec<(u32, u32)>);

/// Runs `report_logprobs` for outputs of which the first wants nothing.
fn report_all(rig: &mut Rig, cases: &[Case<'_>]) -> Vec<Found> {
    let n = cases.len() + 1;
    let n_vocab = cases[0].logits.len();
    let layout = Reports { n_vocab, first: n + 2, max_top: MAX_TOP };
    let mut step = step_of(DrawClass::Greedy, &(0..n as u32).map(|slot| (slot, 0, 0)).collect::<Vec<_>>());
    for (output, case) in step.outputs[1..].iter_mut().zip(cases) {
        output.report = Some(StepReport { token: case.token, n_top: case.n_top as u32 });
    }
    let mut logits = padded_rows(&vec![7.0; n_vocab], n_vocab);
    cases.iter().for_each(|case| logits.extend(padded_rows(case.logits, n_vocab)));
    let mut words = vec![UNTOUCHED; layout.first + n * layout.words()];
    words[1..].iter_mut().zip(cases).for_each(|(word, case)| *word = case.drawn);
    let (step, shape) = step.upload(rig);
    let drawn = rig.upload("drawn", &words);
    let buffers = ReportBuffers { step: &step, logits: &rig.upload("logits", &logits), drawn: &drawn };
    let launch = block_on(report_logprobs(&mut rig.kernels, &buffers, layout)).unwrap();
    rig.run([&launch], shape);
    let found: Vec<u32> = rig.read(&drawn);
    assert_eq!(found[..layout.first], words[..layout.first], "the tokens stay");
    let mut reports = found[layout.first..].chunks(layout.words());
    let read = |case: &Case<'_>| {
        let [logprob, listed @ ..] = reports.next().unwrap() else { panic!("an empty report") };
        let (listed, rest) = listed.split_at(2 * case.n_top);
        assert!(rest.iter().all(|&word| word == UNTOUCHED), "more than {} were listed", case.n_top);
        (*logprob, listed.chunks(2).map(|pair| (pair[0], pair[1])).collect())
    };
    let found = cases.iter().map(read).collect();
    assert!(reports.all(|rest| rest.iter().all(|&word| word == UNTOUCHED)), "more reports than wanted");
    found
}

/// Runs cases together and alone, which must be the same bit for bit, and compares them with the twin.
fn try_cases(rig: &mut Rig, name: &str, cases: &[Case<'_>]) -> f64 {
    let together = report_all(rig, cases);
    let mut worst: f64 = 0.0;
    for (found, case) in together.into_iter().zip(cases) {
        assert!(found == report_all(rig, std::slice::from_ref(case))[0], "{name}: otherwise than alone");
        let wanted = case.wanted();
        let (logprob, mut top) = found;
        // there may be fewer tokens than are wanted
        let none = top.split_off(wanted.top.len());
        assert!(none.iter().all(|&(id, _)| id == u32::MAX), "{name}: {none:?}");
        let ids = |top: &mut dyn Iterator<Item = u32>| top.collect::<Vec<_>>();
        assert_eq!(ids(&mut top.iter().map(|pair| pair.0)), ids(&mut wanted.top.iter().map(|pair| pair.0)));
        let values: Vec<f32> =
            [logprob].into_iter().chain(top.iter().map(|pair| pair.1)).map(f32::from_bits).collect();
        let exact: Vec<f64> =
            [wanted.logprob].into_iter().chain(wanted.top.iter().map(|pair| pair.1)).collect();
        let report = Report::new(&values, &exact, |i| 1.0 + exact[i].abs());
        worst = worst.max(report.expect(name, TOLERANCE));
    }
    worst
}

/// Logits, those of one slice among the largest, and equal ones.
fn lists(rng: &mut Rng, n: usize) -> Vec<(&'static str, Vec<f32>)> {
    let mut one_slice = rng.floats(n, 8.0);
    one_slice.iter_mut().skip(3).step_by(256).for_each(|logit| *logit += 20.0);
    vec![
        ("random", rng.floats(n, 20.0)),
        ("one slice", one_slice),
        ("all equal", vec![-3.5; n]),
        ("few values", (0..n).map(|_| rng.below(3) as f32).collect()),
        ("steep", rng.floats(n, 300.0)),
    ]
}

pub(in crate::checks) fn reports(rig: &mut Rig, depth: Depth) -> Outcome {
    let mut rng = Rng::new(10);
    let mut outcome = Outcome::default();
    let sizes: &[usize] = match depth {
        Depth::Full => &[5, 256, 3331, 70_001],
        Depth::Slice => &[1100],
        Depth::Quick => &[VOCABULARY],
        Depth::Real => &[VOCABULARY, 152_064],
    };
    for &n in sizes {
        for (name, logits) in lists(&mut rng, n) {
            let mut id = || rng.below(n) as u32;
            let cases = [
                Case { logits: &logits, drawn: id(), token: TokenSource::Next, n_top: MAX_TOP },
                Case { logits: &logits, drawn: id(), token: TokenSource::Id(id()), n_top: 3 },
                Case { logits: &logits, drawn: id(), token: TokenSource::Next, n_top: 0 },
            ];
            outcome.case(rig, |rig| try_cases(rig, &format!("{name}, {n} logits"), &cases));
        }
    }
    outcome
}
