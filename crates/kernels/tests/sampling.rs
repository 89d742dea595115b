//! Choosing candidates and drawing from them, under every mask.

use qwill_kernels::cpu::uniform_number;
use qwill_kernels::{DrawClass, SamplerSettings};
use qwill_testkit::under_every_mask;

under_every_mask!(select_candidates);
under_every_mask!(sample_token);
under_every_mask!(report_logprobs);
under_every_mask!(sampling_reference);

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
    let keep = |temperature, top_k| {
        let settings = SamplerSettings {
            temperature,
            top_k,
            top_p: 1.0,
            min_p: 0.0,
            repetition_penalty: 1.0,
            presence_penalty: 0.0,
            frequency_penalty: 0.0,
            n_vocab: u32::MAX,
            n_biases: 0,
        };
        DrawClass::of(&settings).keep()
    };
    assert_eq!(
        [keep(0.0, 0), keep(1.0, 1), keep(1.0, 2), keep(1.0, 64), keep(1.0, 65), keep(1.0, 0)],
        [1, 1, 64, 64, 1024, 1024]
    );
    assert_eq!(DrawClass::Few.n_candidates(151_936), 149 * 64);
}
