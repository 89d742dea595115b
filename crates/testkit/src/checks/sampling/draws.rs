//! `sample_token`: a draw from candidates.

use qwill_kernels::cpu::{self, Candidate};
use qwill_kernels::{DrawClass, Draws, SampleBuffers, SamplerSettings, sample_token};

use super::{IN_PROMPT, OFF, step_of};
use crate::checks::Outcome;
use crate::checks::released::VOCABULARY;
use crate::{Depth, Rig, Rng, block_on};

/// Share of the mass that a draw may be off.
const SLACK: f64 = 1e-5;

/// (value, id)
type Candidates = Vec<(f32, u32)>;

const SETTINGS: [SamplerSettings; 6] = [
    OFF,
    SamplerSettings { top_k: 20, top_p: 0.95, ..OFF },
    SamplerSettings { top_k: 3, ..OFF },
    SamplerSettings { top_p: 0.3, ..OFF },
    SamplerSettings { top_p: 0.8, min_p: 0.05, ..OFF },
    SamplerSettings { top_k: 50, top_p: 0.999, min_p: 1e-3, ..OFF },
];

/// A draw for a sequence.
struct Draw<'a> {
    settings: &'a SamplerSettings,
    candidates: &'a [(f32, u32)],
    seed: u32,
    index: u32,
}

/// Runs `sample_token` for sequences in slots of their own, whose lists are equally long; the tokens.
fn sample_all(rig: &mut Rig, class: DrawClass, draws: &[Draw<'_>]) -> Vec<u32> {
    let (n, n_candidates) = (draws.len(), draws[0].candidates.len());
    let ids = || draws.iter().flat_map(|draw| draw.candidates).map(|&(_, id)| id as usize);
    let n_vocab = ids().max().unwrap_or(0) + 1;
    let mut counts: Vec<u32> = (0..(n * n_vocab) as u32).map(|i| (i % 2) * IN_PROMPT + i % 5).collect();
    let unused = rig.empty("unused", 4);
    let candidate_stride = n_candidates + 3;
    let mut bits = vec![[f32::MAX.to_bits(), 0]; n * candidate_stride];
    for (row, draw) in bits.chunks_mut(candidate_stride).zip(draws) {
        let candidates = draw.candidates.iter().map(|&(value, id)| [value.to_bits(), id]);
        row.iter_mut().zip(candidates).for_each(|(place, candidate)| *place = candidate);
    }
    // the last sequence has the first slot
    let slot = |i: usize| n - 1 - i;
    let samplers: Vec<SamplerSettings> = draws.iter().rev().map(|draw| *draw.settings).collect();
    let seeds = draws.iter().enumerate().map(|(i, draw)| (slot(i) as u32, draw.seed, draw.index));
    let (step, shape) = step_of(class, &seeds.collect::<Vec<_>>()).upload(rig);
    let [next, drawn] = ["next", "drawn"].map(|label| rig.upload(label, &vec![9u32; n + 1]));
    let counts_buffer = rig.upload("counts", &counts);
    let buffers = SampleBuffers {
        step: &step,
        samplers: &rig.upload("samplers", &samplers),
        logits: &unused,
        counts: &counts_buffer,
        biases: &unused,
        allowed: &unused,
        candidates: &rig.upload("candidates", &bits),
        next: &next,
        drawn: &drawn,
    };
    let shape_of_draws = Draws { class, n_vocab, n_candidates, candidate_stride, bias_stride: 0 };
    let launch = block_on(sample_token(&mut rig.kernels, &buffers, shape_of_draws)).unwrap();
    rig.run([&launch], shape);
    let mut tokens: Vec<u32> = rig.read(&drawn);
    assert_eq!(tokens.pop(), Some(9));
    let next: Vec<u32> = rig.read(&next);
    for (i, &token) in tokens.iter().enumerate() {
        assert!((token as usize) < n_vocab, "{token} is no candidate");
        assert_eq!(next[slot(i)], token);
        counts[slot(i) * n_vocab + token as usize] += 1;
    }
    assert_eq!(next[n], 9);
    assert!(rig.read::<u32>(&counts_buffer) == counts, "the counts of {tokens:?} rise, and no other");
    tokens
}

/// Sequences in one step draw what each draws alone.
fn try_together(rig: &mut Rig, rng: &mut Rng) -> f64 {
    let list = |rng: &mut Rng| -> Candidates { (0..700).map(|id| (rng.between(-3.0, 3.0), id)).collect() };
    let lists: Vec<Candidates> = (0..5).map(|_| list(rng)).collect();
    let draw = |i: usize| Draw {
        settings: &SETTINGS[i + 1],
        candidates: &lists[i],
        seed: 17 + i as u32,
        index: 3 * i as u32,
    };
    for sequences in [&[0, 1][..], &[4, 3, 0, 1, 2]] {
        let draws: Vec<_> = sequences.iter().map(|&i| draw(i)).collect();
        let together = sample_all(rig, DrawClass::All, &draws);
        let alone: Vec<u32> =
            sequences.iter().flat_map(|&i| sample_all(rig, DrawClass::All, &[draw(i)])).collect();
        assert_eq!(together, alone, "{sequences:?}");
    }
    0.0
}

/// Draws and checks that the token is one the twin may draw.
pub(super) fn check_draw(
    rig: &mut Rig,
    settings: &SamplerSettings,
    candidates: &[(f32, u32)],
    seed: u32,
    index: u32,
) -> u32 {
    let draw = Draw { settings, candidates, seed, index };
    let token = sample_all(rig, DrawClass::of(settings), &[draw])[0];
    let exact: Vec<Candidate> =
        candidates.iter().map(|&(value, id)| Candidate { value: value.into(), id }).collect();
    let twin = |factor: f32| {
        let settings =
            SamplerSettings { top_p: settings.top_p * factor, min_p: settings.min_p * factor, ..*settings };
        cpu::sample_token(&settings, &exact, seed, index)
    };
    // a candidate on the very border of top-p or min-p may fall on either side
    let allowed = [1.0, 1.0 - 1e-6, 1.0 + 1e-6].into_iter().any(|factor| twin(factor).allows(token, SLACK));
    if !allowed {
        let twin = twin(1.0);
        panic!(
            "drew {token} (p = {:.3e}) instead of {} at {} of {}, {} candidates, {settings:?}",
            twin.probability(token),
            twin.token,
            twin.target,
            twin.mass,
            candidates.len()
        );
    }
    token
}

fn lists(rng: &mut Rng, depth: Depth) -> Vec<(&'static str, Candidates)> {
    match depth {
        Depth::Full | Depth::Slice => small_lists(rng),
        Depth::Quick => vec![("64 of a chunk", released_list(rng, DrawClass::Few))],
        Depth::Real => {
            [("64 of a chunk", DrawClass::Few), ("greedy", DrawClass::Greedy), ("all logits", DrawClass::All)]
                .into_iter()
                .map(|(name, class)| (name, released_list(rng, class)))
                .collect()
        }
    }
}

fn small_lists(rng: &mut Rng) -> Vec<(&'static str, Candidates)> {
    let ids = rng.shuffled(1500);
    let mut list = |n: usize, value: &mut dyn FnMut(&mut Rng) -> f32| -> Candidates {
        (0..n).map(|i| (value(rng), ids[i])).collect()
    };
    vec![
        ("one", list(1, &mut |_| 3.0)),
        ("few", list(5, &mut |rng| rng.between(-2.0, 2.0))),
        ("many", list(1500, &mut |rng| rng.between(-8.0, 8.0))),
        ("steep", list(300, &mut |rng| rng.between(-300.0, 300.0))),
        ("all equal", list(700, &mut |_| -1.5)),
        ("ties", list(257, &mut |rng| rng.below(3) as f32)),
        ("padded", list(520, &mut |rng| if rng.below(2) == 0 { -3.0e38 } else { rng.between(-2.0, 2.0) })),
    ]
}

/// The candidates of a released vocabulary: the best `keep` of every chunk in falling order, a few far above the rest, and
/// the padding of the last chunk.
fn released_list(rng: &mut Rng, class: DrawClass) -> Candidates {
    let (n, keep) = (class.n_candidates(VOCABULARY), class.keep());
    let mut values: Vec<f32> = (0..n).map(|_| rng.between(-8.0, 8.0)).collect();
    for _ in 0..20 {
        values[rng.below(n)] = rng.between(8.0, 16.0);
    }
    values.chunks_mut(keep).for_each(|chunk| chunk.sort_by(|a, b| b.total_cmp(a)));
    // every id of a chunk once, in some order
    let id = |i: usize| i / keep * 1024 + i % keep * 37 % 1024;
    let value = |i: usize| if id(i) < VOCABULARY { values[i] } else { -3.0e38 };
    (0..n).map(|i| (value(i), id(i) as u32)).collect()
}

/// The largest of the candidates, and the lowest id among equals.
fn best_of(candidates: &[(f32, u32)]) -> (f32, u32) {
    let better = |a: (f32, u32), b: (f32, u32)| b.0 > a.0 || (b.0 == a.0 && b.1 < a.1);
    candidates.iter().copied().reduce(|a, b| if better(a, b) { b } else { a }).expect("some candidates")
}

/// Draws from a list with many settings, and with those that leave little choice.
fn try_list(
    rig: &mut Rig,
    rng: &mut Rng,
    outcome: &mut Outcome,
    (name, candidates): (&str, &Candidates),
    n: u32,
) {
    for settings in &SETTINGS {
        for index in 0..n {
            let seed = rng.bits() as u32;
            outcome.case(rig, |rig| {
                let token = check_draw(rig, settings, candidates, seed, index);
                let value = candidates.iter().find(|c| c.1 == token).expect("a candidate").0;
                assert!(value > -1e30, "{name}: drew the padding {token}");
                0.0
            });
        }
    }
    let (largest, best) = best_of(candidates);
    for greedy in [SamplerSettings { temperature: 0.0, ..OFF }, SamplerSettings { top_k: 1, ..OFF }] {
        outcome.case(rig, |rig| {
            assert_eq!(check_draw(rig, &greedy, candidates, 1, 2), best, "{name}: {greedy:?}");
            0.0
        });
    }
    // settings that leave only the largest, whatever the random number
    for narrow in [
        SamplerSettings { top_p: 0.0, ..OFF },
        SamplerSettings { top_p: 1e-30, ..OFF },
        SamplerSettings { min_p: 1.0, ..OFF },
    ] {
        outcome.case(rig, |rig| {
            let token = check_draw(rig, &narrow, candidates, 3, 4);
            assert!(candidates.contains(&(largest, token)), "{name}: {narrow:?} drew {token}");
            0.0
        });
    }
}

/// The same seed and index give the same token, others another one somewhere.
fn try_seeds(rig: &mut Rig) -> f64 {
    let candidates: Candidates = (0..1000).map(|id| (0.0, id)).collect();
    let mut draw = |seed, index| check_draw(rig, &OFF, &candidates, seed, index);
    assert_eq!(draw(42, 7), draw(42, 7));
    assert_ne!((draw(42, 8), draw(42, 9)), (draw(43, 8), draw(43, 9)));
    0.0
}

pub(in crate::checks) fn draws(rig: &mut Rig, depth: Depth) -> Outcome {
    let mut rng = Rng::new(9);
    let mut outcome = Outcome::default();
    let n_draws = match depth {
        Depth::Full => 6,
        Depth::Slice | Depth::Real => 2,
        Depth::Quick => 1,
    };
    for (name, candidates) in lists(&mut rng, depth) {
        try_list(rig, &mut rng, &mut outcome, (name, &candidates), n_draws);
    }
    outcome.case(rig, try_seeds);
    outcome.case(rig, |rig| try_together(rig, &mut rng));
    outcome
}
