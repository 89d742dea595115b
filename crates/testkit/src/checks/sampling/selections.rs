//! `select_candidates`: biases, penalties, temperature, and the best of every chunk.

use qwill_kernels::cpu;
use qwill_kernels::{DrawClass, Draws, LogitBias, SampleBuffers, SamplerSettings, select_candidates};

use super::{IN_PROMPT, OFF, step_of};
use crate::checks::Outcome;
use crate::checks::released::VOCABULARY;
use crate::{Depth, Report, Rig, Rng, block_on, padded_rows};

const TOLERANCE: f64 = 1e-6;
/// Times that a token occurs in the output, at most.
const MOST_MADE: usize = 30;
/// Places for biases of a slot.
const MOST_BIASES: usize = 200;

const PENALTIES: SamplerSettings = SamplerSettings {
    temperature: 0.7,
    repetition_penalty: 1.1,
    presence_penalty: 0.5,
    frequency_penalty: 0.25,
    ..OFF
};

/// What sampling one sequence starts from.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) settings: &'a SamplerSettings,
    pub(super) logits: &'a [f32],
    pub(super) counts: &'a [u32],
    pub(super) biases: &'a [LogitBias],
    /// A bit for each token that may be drawn, if not all may.
    pub(super) allowed: Option<&'a [u32]>,
}

/// Runs `select_candidates` for sequences in slots of their own; (value, id) of `[sequences][chunks, keep]`.
fn select_all(rig: &mut Rig, class: DrawClass, sources: &[Source<'_>]) -> Vec<Vec<(f32, u32)>> {
    let n_vocab = sources[0].logits.len();
    let draws = Draws::new(class, n_vocab, MOST_BIASES);
    let unused = rig.empty("unused", 4);
    let candidates = rig.empty("candidates", sources.len() * draws.candidate_stride * 8);
    // the last sequence has the first slot
    let slots = (0..sources.len() as u32).rev();
    let by_slot = || sources.iter().rev();
    let samplers: Vec<SamplerSettings> = by_slot().map(|source| *source.settings).collect();
    let counts: Vec<u32> = by_slot().flat_map(|source| source.counts).copied().collect();
    // what lies behind those that count must not
    let unused_bias = LogitBias { id: 0, bias: 1e9 };
    let mut biases = vec![unused_bias; sources.len() * MOST_BIASES];
    for (row, source) in biases.chunks_mut(MOST_BIASES).zip(by_slot()) {
        row[..source.biases.len()].copy_from_slice(source.biases);
    }
    // what belongs to nobody who is limited must not count
    let mut allowed = vec![0u32; sources.len() * draws.allowed_stride()];
    for (row, source) in allowed.chunks_mut(draws.allowed_stride()).zip(by_slot()) {
        if let Some(words) = source.allowed {
            row[0] = 1;
            row[1..].copy_from_slice(words);
        }
    }
    let logits: Vec<f32> = sources.iter().flat_map(|source| padded_rows(source.logits, n_vocab)).collect();
    let (step, shape) = step_of(class, &slots.map(|slot| (slot, 0, 0)).collect::<Vec<_>>()).upload(rig);
    let buffers = SampleBuffers {
        step: &step,
        samplers: &rig.upload("samplers", &samplers),
        logits: &rig.upload("logits", &logits),
        counts: &rig.upload("counts", &counts),
        biases: &rig.upload("biases", &biases),
        allowed: &rig.upload("allowed", &allowed),
        candidates: &candidates,
        next: &unused,
        drawn: &unused,
    };
    let launch = block_on(select_candidates(&mut rig.kernels, &buffers, draws)).unwrap();
    rig.run([&launch], shape);
    let found: Vec<[u32; 2]> = rig.read(&candidates);
    found
        .chunks_exact(draws.candidate_stride)
        .map(|row| row[..draws.n_candidates].iter().map(|&[bits, id]| (f32::from_bits(bits), id)).collect())
        .collect()
}

/// The same for one.
pub(super) fn select(rig: &mut Rig, source: Source<'_>, class: DrawClass) -> Vec<(f32, u32)> {
    select_all(rig, class, &[source]).remove(0)
}

/// Sequences in one step keep, bit for bit, what each keeps alone.
fn try_together(rig: &mut Rig, rng: &mut Rng, n: usize, class: DrawClass) -> f64 {
    let logits: Vec<Logits> = (0..5).map(|_| Logits::random(rng, n)).collect();
    let settings = [PENALTIES, OFF, PENALTIES, SamplerSettings { temperature: 0.3, ..PENALTIES }, OFF];
    let n_biases = [n.min(MOST_BIASES), 0, 1, 0, 3];
    let settings: Vec<SamplerSettings> =
        (0..5).map(|i| logits[i].sampled(settings[i], n_biases[i])).collect();
    let source = |i: usize| {
        let allowed = i.is_multiple_of(2).then_some(&logits[i].allowed[..]);
        Source { allowed, ..logits[i].source(&settings[i]) }
    };
    for sequences in [&[0, 1][..], &[4, 3, 0, 1, 2]] {
        let sources: Vec<_> = sequences.iter().map(|&i| source(i)).collect();
        let together = select_all(rig, class, &sources);
        for (&i, found) in sequences.iter().zip(together) {
            assert!(found == select(rig, source(i), class), "{i} of {sequences:?}, {class:?}");
        }
    }
    0.0
}

/// Logits with what is known of their ids.
struct Logits {
    values: Vec<f32>,
    counts: Vec<u32>,
    biases: Vec<LogitBias>,
    /// A bit for each of some.
    allowed: Vec<u32>,
}

impl Logits {
    fn random(rng: &mut Rng, n: usize) -> Self {
        let values = rng.floats(n, 20.0);
        let counts = (0..n).map(|_| match rng.below(4) {
            0 => IN_PROMPT,
            1 => 1 + rng.below(MOST_MADE) as u32,
            2 => IN_PROMPT | (1 + rng.below(MOST_MADE) as u32),
            _ => 0,
        });
        let counts = counts.collect();
        let mut ids = rng.shuffled(n);
        ids.truncate(MOST_BIASES);
        ids.sort_unstable();
        // among them those that forbid and force
        let bias = |id| LogitBias { id, bias: [-100.0, 100.0, rng.between(-5.0, 5.0)][rng.below(3)] };
        let biases = ids.into_iter().map(bias).collect();
        // in some words all, in some none
        let word = |rng: &mut Rng| [0, u32::MAX, rng.bits() as u32][rng.below(3)];
        Self { values, counts, biases, allowed: (0..n.div_ceil(32)).map(|_| word(rng)).collect() }
    }

    /// Settings that draw from these logits, of whose biases `n_biases` count.
    fn sampled(&self, settings: SamplerSettings, n_biases: usize) -> SamplerSettings {
        let n_vocab = settings.n_vocab.min(self.values.len() as u32);
        SamplerSettings { n_vocab, n_biases: n_biases.min(self.biases.len()) as u32, ..settings }
    }

    fn source<'a>(&'a self, settings: &'a SamplerSettings) -> Source<'a> {
        let Self { values, counts, biases, .. } = self;
        let biases = &biases[..settings.n_biases as usize];
        Source { settings, logits: values, counts, biases, allowed: None }
    }
}

/// Which tokens may be drawn.
#[derive(Debug, Clone, Copy)]
enum MayDraw {
    All,
    Some,
}

/// Checks the kernel's candidates, which are f32, against the twin's, whose order may differ where values are close.
/// Returns the worst relative error of a value.
fn try_settings(
    rig: &mut Rig,
    logits: &Logits,
    settings: SamplerSettings,
    may_draw: MayDraw,
    class: DrawClass,
) -> f64 {
    let keep = class.keep();
    let settings = &logits.sampled(settings, settings.n_biases as usize);
    let allowed = match may_draw {
        MayDraw::All => None,
        MayDraw::Some => Some(&logits.allowed[..]),
    };
    let source = Source { allowed, ..logits.source(settings) };
    let Source { logits, counts, biases, .. } = source;
    let what = format!("{} logits, keep {keep}, {settings:?}", logits.len());
    let found = select(rig, source, class);
    let wanted = cpu::select_candidates(settings, logits, counts, biases, allowed, keep);
    assert_eq!(found.len(), wanted.len(), "{what}");
    // Where penalties or a bias nearly cancel a logit, the rounding of the logit stays.
    let most = f64::from(settings.presence_penalty + settings.frequency_penalty * MOST_MADE as f32);
    let most = if biases.is_empty() { most } else { most + 100.0 };
    let bias = |id: u32| biases.iter().find(|bias| bias.id == id).map_or(0.0, |bias| bias.bias);
    let penalties =
        1e-3 + if settings.temperature > 0.0 { most / f64::from(settings.temperature) } else { most };
    let mut worst: f64 = 0.0;
    for (chunk, (found, wanted)) in found.chunks(keep).zip(wanted.chunks(keep)).enumerate() {
        assert!(
            found.is_sorted_by(|a, b| a.0 > b.0 || (a.0 == b.0 && a.1 < b.1)),
            "chunk {chunk} is out of order, {what}"
        );
        let values: Vec<f32> = found.iter().map(|&(value, _)| value).collect();
        let by_rank: Vec<f64> = wanted.iter().map(|candidate| candidate.value).collect();
        let report = Report::new(&values, &by_rank, |i| by_rank[i].abs() + penalties);
        worst = worst.max(report.expect(&format!("chunk {chunk} by rank, {what}"), TOLERANCE));
        let ids = chunk * 1024..(chunk + 1) * 1024;
        let by_id: Vec<f64> = found
            .iter()
            .map(|&(_, id)| {
                assert!(ids.contains(&(id as usize)), "{id} is not of chunk {chunk}, {what}");
                let is_allowed = |words: &[u32]| words[id as usize / 32] >> (id % 32) & 1 == 1;
                if id < settings.n_vocab && allowed.is_none_or(is_allowed) {
                    cpu::adjusted(settings, logits[id as usize], bias(id), counts[id as usize])
                } else {
                    -3.0e38
                }
            })
            .collect();
        let report = Report::new(&values, &by_id, |i| by_id[i].abs() + penalties);
        worst = worst.max(report.expect(&format!("chunk {chunk} by id, {what}"), TOLERANCE));
    }
    worst
}

/// Without penalties nothing is rounded, and ties fall to the lower id.
fn try_ties(rig: &mut Rig, name: &str, logits: &[f32], class: DrawClass) -> f64 {
    let keep = class.keep();
    let n = logits.len();
    let plain = SamplerSettings { n_vocab: n as u32, ..OFF };
    let counts = vec![0; n];
    let found =
        select(rig, Source { settings: &plain, logits, counts: &counts, biases: &[], allowed: None }, class);
    let wanted = cpu::select_candidates(&plain, logits, &counts, &[], None, keep);
    assert_eq!(found.len(), wanted.len());
    for (at, (found, wanted)) in found.into_iter().zip(wanted).enumerate() {
        assert_eq!(found, (wanted.value as f32, wanted.id), "candidate {at} of {n}, {name}, keep {keep}");
    }
    0.0
}

pub(in crate::checks) fn selections(rig: &mut Rig, depth: Depth) -> Outcome {
    let mut rng = Rng::new(8);
    let mut outcome = Outcome::default();
    let sizes: &[usize] = match depth {
        Depth::Full => &[5, 1024, 3331],
        Depth::Slice => &[1100],
        Depth::Quick => &[VOCABULARY],
        Depth::Real => &[VOCABULARY, 152_064, 151_669],
    };
    let classes: &[DrawClass] = if depth == Depth::Quick { &[DrawClass::Few] } else { &DrawClass::ALL };
    for &n in sizes {
        let logits = Logits::random(&mut rng, n);
        for &class in classes {
            outcome.case(rig, |rig| try_together(rig, &mut rng, n, class));
            let greedy = SamplerSettings { temperature: 0.0, n_vocab: n as u32 - 3, ..PENALTIES };
            let biased = [OFF, PENALTIES, greedy].map(|s| SamplerSettings { n_biases: u32::MAX, ..s });
            for settings in [OFF, PENALTIES, greedy].into_iter().chain(biased) {
                for may_draw in [MayDraw::All, MayDraw::Some] {
                    outcome.case(rig, |rig| try_settings(rig, &logits, settings, may_draw, class));
                }
            }
            let few_values: Vec<f32> = (0..n).map(|_| rng.below(3) as f32 - 1.0).collect();
            for (name, logits) in
                [("all equal", vec![0.25; n]), ("few values", few_values), ("all masked", vec![-1e30; n])]
            {
                outcome.case(rig, |rig| try_ties(rig, name, &logits, class));
            }
        }
    }
    outcome
}
