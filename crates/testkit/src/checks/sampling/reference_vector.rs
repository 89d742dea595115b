//! The vector T-32 of the specification, `tokenizer-and-chat.md`, section 4.

use qwill_kernels::cpu::{self, Candidate};
use qwill_kernels::{DrawClass, SamplerSettings};

use super::draws::check_draw;
use super::selections::{Source, select};
use super::{IN_PROMPT, OFF};
use crate::checks::Outcome;
use crate::{Depth, Rig};

/// T-32 on the device and in the twins.
fn try_reference(rig: &mut Rig) -> f64 {
    let logits = [2.0, 1.0, 0.5, -1.0, 0.0];
    let counts = [IN_PROMPT, 0, 0, 1, 0];
    let settings = SamplerSettings { repetition_penalty: 1.1, temperature: 0.7, n_vocab: 5, ..OFF };
    let wanted = [(2.597_402_6, 0), (1.428_571_4, 1), (0.714_285_7, 2), (0.0, 4), (-1.571_428_6, 3)];
    let source = Source { settings: &settings, logits: &logits, counts: &counts, biases: &[], allowed: None };
    for class in [DrawClass::Few, DrawClass::All] {
        let keep = class.keep();
        assert_eq!(cpu::select_candidates(&settings, &logits, &counts, &[], None, keep).len(), keep);
        for ((value, id), (wanted, wanted_id)) in select(rig, source, class).into_iter().zip(wanted) {
            assert_eq!(id, wanted_id);
            assert!((f64::from(value) - wanted).abs() < 1e-6, "{value} instead of {wanted}");
        }
    }
    let candidates = select(rig, source, DrawClass::Few);
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
    0.0
}

pub(in crate::checks) fn reference_vector(rig: &mut Rig, _: Depth) -> Outcome {
    let mut outcome = Outcome::default();
    outcome.case(rig, try_reference);
    outcome
}
