//! Choosing candidates and drawing from them, against the CPU twins and the vector T-32 of the specification.
//!
//! Penalties and temperature: at most 7.7e-8 off on llvmpipe, relative to the value and what was
//! taken from it. Draws: a token is right when its share of the mass holds the random number, give or take 1e-5.

use qwill_kernels::cpu::{self, Candidate, uniform_number};
use qwill_kernels::{
    SampleBuffers, SamplerSettings, StepShape, StepState, candidate_count, keep_for, sample_token,
    select_candidates,
};
use qwill_testkit::{Depth, Report, Rig, Rng, block_on, under_every_mask};

const TOLERANCE: f64 = 1e-6;
const SLACK: f64 = 1e-5;
const IN_PROMPT: u32 = 1 << 31;
/// Times that a token occurs in the output, at most.
const MOST_MADE: usize = 30;

under_every_mask!(selections);
under_every_mask!(draws);
under_every_mask!(reference_vector);

const OFF: SamplerSettings = SamplerSettings {
    temperature: 1.0,
    top_k: 0,
    top_p: 1.0,
    min_p: 0.0,
    repetition_penalty: 1.0,
    presence_penalty: 0.0,
    frequency_penalty: 0.0,
    n_vocab: u32::MAX,
};

const STEP: StepShape = StepShape { n_tokens: 1, n_kv: 1, n_outputs: 1 };

/// Runs `select_candidates`; (value, id) of `[chunks, keep]`.
fn select(
    rig: &mut Rig,
    settings: &SamplerSettings,
    logits: &[f32],
    counts: &[u32],
    keep: usize,
) -> Vec<(f32, u32)> {
    let unused = rig.empty("unused", 4);
    let candidates = rig.empty("candidates", candidate_count(logits.len(), keep) * 8);
    let buffers = SampleBuffers {
        state: &unused,
        sampler: &rig.upload("sampler", &[*settings]),
        logits: &rig.upload("logits", logits),
        counts: &rig.upload("counts", counts),
        candidates: &candidates,
        tokens: &unused,
        ring: &unused,
    };
    let launch = block_on(select_candidates(&mut rig.kernels, &buffers, logits.len(), keep)).unwrap();
    rig.run([&launch], STEP);
    rig.read::<[u32; 2]>(&candidates).into_iter().map(|[bits, id]| (f32::from_bits(bits), id)).collect()
}

/// Runs `sample_token`; the token.
fn sample(
    rig: &mut Rig,
    settings: &SamplerSettings,
    candidates: &[(f32, u32)],
    seed: u32,
    sample_index: u32,
) -> u32 {
    const SLOT: usize = 3;
    let n_counts = candidates.iter().map(|&(_, id)| id as usize + 1).max().unwrap_or(0);
    let mut counts: Vec<u32> = (0..n_counts as u32).map(|id| (id % 2) * IN_PROMPT + id % 5).collect();
    let unused = rig.empty("unused", 4);
    let bits: Vec<[u32; 2]> = candidates.iter().map(|&(value, id)| [value.to_bits(), id]).collect();
    let (tokens, ring) = (rig.upload("tokens", &[9u32; 4]), rig.upload("ring", &[9u32; 6]));
    let counts_buffer = rig.upload("counts", &counts);
    let buffers = SampleBuffers {
        state: &rig.state(StepState { seed, sample_index, ring_slot: SLOT as u32, ..Default::default() }),
        sampler: &rig.upload("sampler", &[*settings]),
        logits: &unused,
        counts: &counts_buffer,
        candidates: &rig.upload("candidates", &bits),
        tokens: &tokens,
        ring: &ring,
    };
    let launch = block_on(sample_token(&mut rig.kernels, &buffers, candidates.len())).unwrap();
    rig.run([&launch], STEP);
    let tokens: Vec<u32> = rig.read(&tokens);
    let token = tokens[0];
    assert!((token as usize) < counts.len(), "{token} is no candidate");
    assert_eq!(tokens, [token, 9, 9, 9]);
    let mut wanted_ring = [9; 6];
    wanted_ring[SLOT] = token;
    assert_eq!(rig.read::<u32>(&ring), wanted_ring);
    counts[token as usize] += 1;
    assert_eq!(rig.read::<u32>(&counts_buffer), counts, "the count of {token} rises, and no other");
    token
}

/// Checks the kernel's candidates, which are f32, against the twin's, whose order may differ where values are close.
/// Returns the worst relative error of a value.
fn check_selection(
    rig: &mut Rig,
    what: &str,
    settings: &SamplerSettings,
    logits: &[f32],
    counts: &[u32],
    keep: usize,
) -> f64 {
    let settings = &SamplerSettings { n_vocab: settings.n_vocab.min(logits.len() as u32), ..*settings };
    let what = format!("{what}, {} logits, keep {keep}, {settings:?}", logits.len());
    let found = select(rig, settings, logits, counts, keep);
    let wanted = cpu::select_candidates(settings, logits, counts, keep);
    assert_eq!(found.len(), wanted.len(), "{what}");
    // Where penalties nearly cancel a logit, the rounding of the logit stays.
    let most = f64::from(settings.presence_penalty + settings.frequency_penalty * MOST_MADE as f32);
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
                if id < settings.n_vocab {
                    cpu::adjusted(settings, logits[id as usize], counts[id as usize])
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

fn selections(rig: &mut Rig, depth: Depth) {
    let mut rng = Rng::new(8);
    let mut worst: f64 = 0.0;
    let penalties = SamplerSettings {
        temperature: 0.7,
        repetition_penalty: 1.1,
        presence_penalty: 0.5,
        frequency_penalty: 0.25,
        ..OFF
    };
    let sizes: &[usize] = if depth == Depth::Full { &[5, 1024, 3331] } else { &[1100] };
    for &n in sizes {
        let logits = rng.floats(n, 20.0);
        let counts: Vec<u32> = (0..n)
            .map(|_| match rng.below(4) {
                0 => IN_PROMPT,
                1 => 1 + rng.below(MOST_MADE) as u32,
                2 => IN_PROMPT | (1 + rng.below(MOST_MADE) as u32),
                _ => 0,
            })
            .collect();
        for keep in [1, 64, 1024] {
            worst = worst.max(check_selection(rig, "plain", &OFF, &logits, &counts, keep));
            worst = worst.max(check_selection(rig, "penalties", &penalties, &logits, &counts, keep));
            let greedy = SamplerSettings { temperature: 0.0, n_vocab: n as u32 - 3, ..penalties };
            worst = worst.max(check_selection(rig, "greedy", &greedy, &logits, &counts, keep));
            // without penalties nothing is rounded, and ties fall to the lower id
            let few_values: Vec<f32> = (0..n).map(|_| rng.below(3) as f32 - 1.0).collect();
            let plain = SamplerSettings { n_vocab: n as u32, ..OFF };
            for logits in [vec![0.25; n], few_values, vec![-1e30; n]] {
                let found = select(rig, &plain, &logits, &vec![0; n], keep);
                let wanted = cpu::select_candidates(&plain, &logits, &vec![0; n], keep);
                let wanted: Vec<_> = wanted.iter().map(|c| (c.value as f32, c.id)).collect();
                assert_eq!(found, wanted, "ties among {n}, keep {keep}");
            }
        }
    }
    println!("select_candidates: worst error {worst:.2e} ({})", rig.caps());
}

/// Draws and checks that the token is one the twin may draw.
fn check_draw(
    rig: &mut Rig,
    settings: &SamplerSettings,
    candidates: &[(f32, u32)],
    seed: u32,
    index: u32,
) -> u32 {
    let token = sample(rig, settings, candidates, seed, index);
    let exact: Vec<Candidate> =
        candidates.iter().map(|&(value, id)| Candidate { value: value.into(), id }).collect();
    let twin = |factor: f32| {
        let settings =
            SamplerSettings { top_p: settings.top_p * factor, min_p: settings.min_p * factor, ..*settings };
        cpu::sample_token(&settings, &exact, seed, index)
    };
    // a candidate on the very border of top-p or min-p may fall on either side
    let allowed = [1.0, 1.0 - 1e-6, 1.0 + 1e-6].into_iter().any(|factor| twin(factor).allows(token, SLACK));
    let twin = twin(1.0);
    assert!(
        allowed,
        "drew {token} (p = {:.3e}) instead of {} at {} of {}, {} candidates, {settings:?}",
        twin.probability(token),
        twin.token,
        twin.target,
        twin.mass,
        candidates.len()
    );
    token
}

fn draws(rig: &mut Rig, depth: Depth) {
    let mut rng = Rng::new(9);
    let settings = [
        OFF,
        SamplerSettings { top_k: 20, top_p: 0.95, ..OFF },
        SamplerSettings { top_k: 3, ..OFF },
        SamplerSettings { top_p: 0.3, ..OFF },
        SamplerSettings { top_p: 0.8, min_p: 0.05, ..OFF },
        SamplerSettings { top_k: 50, top_p: 0.999, min_p: 1e-3, ..OFF },
    ];
    let n_draws = if depth == Depth::Full { 6 } else { 2 };
    let lists = |rng: &mut Rng| -> Vec<(&str, Vec<(f32, u32)>)> {
        let ids = rng.shuffled(1500);
        let mut list = |n: usize, value: &mut dyn FnMut(&mut Rng) -> f32| -> Vec<(f32, u32)> {
            (0..n).map(|i| (value(rng), ids[i])).collect()
        };
        vec![
            ("one", list(1, &mut |_| 3.0)),
            ("few", list(5, &mut |rng| rng.between(-2.0, 2.0))),
            ("many", list(1500, &mut |rng| rng.between(-8.0, 8.0))),
            ("steep", list(300, &mut |rng| rng.between(-300.0, 300.0))),
            ("all equal", list(700, &mut |_| -1.5)),
            ("ties", list(257, &mut |rng| rng.below(3) as f32)),
            (
                "padded",
                list(520, &mut |rng| if rng.below(2) == 0 { -3.0e38 } else { rng.between(-2.0, 2.0) }),
            ),
        ]
    };
    for (name, candidates) in lists(&mut rng) {
        for settings in &settings {
            for index in 0..n_draws {
                let token = check_draw(rig, settings, &candidates, rng.bits() as u32, index);
                let value = candidates.iter().find(|c| c.1 == token).expect("a candidate").0;
                assert!(value > -1e30, "{name}: drew the padding {token}");
            }
        }
        // the largest and the lowest id among equals
        let best = candidates
            .iter()
            .copied()
            .reduce(|a, b| if b.0 > a.0 || (b.0 == a.0 && b.1 < a.1) { b } else { a });
        let largest = best.expect("some").0;
        for greedy in [SamplerSettings { temperature: 0.0, ..OFF }, SamplerSettings { top_k: 1, ..OFF }] {
            assert_eq!(
                check_draw(rig, &greedy, &candidates, 1, 2),
                best.expect("some").1,
                "{name}: {greedy:?}"
            );
        }
        // settings that leave only the largest, whatever the random number
        for narrow in [
            SamplerSettings { top_p: 0.0, ..OFF },
            SamplerSettings { top_p: 1e-30, ..OFF },
            SamplerSettings { min_p: 1.0, ..OFF },
        ] {
            let token = check_draw(rig, &narrow, &candidates, 3, 4);
            assert!(candidates.contains(&(largest, token)), "{name}: {narrow:?} drew {token}");
        }
    }
    // the same seed and index give the same token, others another one somewhere
    let candidates: Vec<_> = (0..1000).map(|id| (0.0, id)).collect();
    let mut draw = |seed, index| check_draw(rig, &OFF, &candidates, seed, index);
    assert_eq!(draw(42, 7), draw(42, 7));
    assert_ne!((draw(42, 8), draw(42, 9)), (draw(43, 8), draw(43, 9)));
}

/// T-32 of `tokenizer-and-chat.md`, section 4, on the device and in the twins.
fn reference_vector(rig: &mut Rig, _: Depth) {
    let logits = [2.0, 1.0, 0.5, -1.0, 0.0];
    let counts = [IN_PROMPT, 0, 0, 1, 0];
    let settings = SamplerSettings { repetition_penalty: 1.1, temperature: 0.7, n_vocab: 5, ..OFF };
    let wanted = [(2.597_402_6, 0), (1.428_571_4, 1), (0.714_285_7, 2), (0.0, 4), (-1.571_428_6, 3)];
    for keep in [64, 1024] {
        assert_eq!(cpu::select_candidates(&settings, &logits, &counts, keep).len(), keep);
        for ((value, id), (wanted, wanted_id)) in
            select(rig, &settings, &logits, &counts, keep).into_iter().zip(wanted)
        {
            assert_eq!(id, wanted_id);
            assert!((f64::from(value) - wanted).abs() < 1e-6, "{value} instead of {wanted}");
        }
    }
    let candidates = select(rig, &settings, &logits, &counts, 64);
    let exact: Vec<_> = candidates.iter().map(|&(value, id)| Candidate { value: value.into(), id }).collect();
    let near =
        |found: f64, wanted: f64| assert!((found - wanted).abs() < 1e-6, "{found} instead of {wanted}");

    let top_k = SamplerSettings { top_k: 4, ..settings };
    let drawn = cpu::sample_token(&top_k, &exact, 0, 0);
    for (id, p) in [(0, 0.650_486), (1, 0.202_125), (2, 0.098_949), (4, 0.048_440), (3, 0.0)] {
        near(drawn.probability(id), p);
    }
    let top_p = SamplerSettings { top_p: 0.8, ..top_k };
    let drawn = cpu::sample_token(&top_p, &exact, 0, 0);
    assert_eq!(drawn.kept.iter().map(|kept| kept.id).collect::<Vec<_>>(), [0, 1]);
    near(drawn.probability(0), 0.762_934);
    near(drawn.probability(1), 0.237_066);

    let plain: Vec<_> =
        logits.iter().zip(0..).map(|(&value, id)| Candidate { value: value.into(), id }).collect();
    let soft = cpu::sample_token(&OFF, &plain, 0, 0);
    for (id, p) in [(0, 0.563_021), (1, 0.207_124), (2, 0.125_627), (3, 0.028_031), (4, 0.076_197)] {
        near(soft.probability(id), p);
    }
    let min_p = SamplerSettings { min_p: 0.1, ..OFF };
    let drawn = cpu::sample_token(&min_p, &plain, 0, 0);
    assert_eq!(drawn.kept.iter().map(|kept| kept.id).collect::<Vec<_>>(), [0, 1, 2, 4]);

    let on_device: Vec<_> = logits.into_iter().zip(0..).collect();
    for index in 0..8 {
        check_draw(rig, &top_k, &candidates, 32, index);
        assert!(check_draw(rig, &top_p, &candidates, 32, index) < 2);
        assert_ne!(check_draw(rig, &min_p, &on_device, 32, index), 3);
    }
}

#[test]
fn random_numbers_are_spread_evenly() {
    for (name, number) in [
        ("counters", (|i| uniform_number(7, i)) as fn(u32) -> f64),
        ("seeds", |i| uniform_number(i, 0)),
        ("both", |i| uniform_number(i, i)),
    ] {
        let mut bins = [0u32; 16];
        let mut pairs = [0u32; 16];
        for i in 0..16_000 {
            let u = number(i);
            assert!((0.0..1.0).contains(&u));
            bins[(u * 16.0) as usize] += 1;
            pairs[(u * 4.0) as usize * 4 + (number(i + 1) * 4.0) as usize] += 1;
        }
        for counts in [bins, pairs] {
            let chi_squared: f64 = counts.iter().map(|&n| (f64::from(n) - 1000.0).powi(2) / 1000.0).sum();
            // 15 degrees of freedom: 1 in 10,000 is beyond 44
            assert!(chi_squared < 44.0, "{name}: {counts:?}");
        }
    }
}

#[test]
fn chunks_keep_what_the_settings_can_need() {
    let keep = |temperature, top_k| keep_for(&SamplerSettings { temperature, top_k, ..OFF });
    assert_eq!(
        [keep(0.0, 0), keep(1.0, 1), keep(1.0, 2), keep(1.0, 64), keep(1.0, 65), keep(1.0, 0)],
        [1, 1, 64, 64, 1024, 1024]
    );
    assert_eq!(candidate_count(151_936, 64), 149 * 64);
}
