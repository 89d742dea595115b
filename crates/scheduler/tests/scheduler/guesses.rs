//! Guessed tokens: what is drawn is what would be drawn without, in fewer steps.

use qwill_models::step::{Source, Want};
use qwill_scheduler::{Limits, Request, Speculation, Task};

use crate::rig::{Rig, generate, roomy};

/// A text of a model that has two tokens, so that many guesses are right.
fn request(first: u32, speculation: Speculation) -> Request {
    let mut request = generate(vec![first, 1, 0, 0, 1, 1, 0], 200);
    if let Task::Generate { sampler, speculation: wanted, .. } = &mut request.task {
        sampler.n_vocab = 2;
        *wanted = speculation;
    }
    request
}

/// Steps that texts take.
fn run(limits: Limits, requests: impl IntoIterator<Item = Request>, depth: usize) -> Rig {
    let mut rig = Rig::new(limits);
    for request in requests {
        rig.add(request);
    }
    rig.run(depth);
    rig
}

#[test]
fn right_guesses_save_steps() {
    for depth in [1, 3] {
        let plain = run(roomy(), [request(0, Speculation::Off)], depth);
        let rig = run(roomy(), [request(0, Speculation::Ngram)], depth);
        assert!(rig.n_right > 20 && rig.n_right < rig.n_guessed, "{} of {}", rig.n_right, rig.n_guessed);
        assert_eq!(rig.n_steps + rig.n_right, plain.n_steps, "each right one saves a step");
        assert_eq!((plain.n_guessed, plain.n_right), (0, 0));
    }
}

#[test]
fn texts_that_could_run_go_before_guesses() {
    let limits = Limits { n_slots: 4, chunk: 4, max_outputs: 4, ..roomy() };
    let four = (0..4).map(|first| request(first % 2, Speculation::Ngram));
    assert_eq!(run(limits, four, 2).n_guessed, 0);
    let mut rig = Rig::new(limits);
    (0..2).for_each(|first| _ = rig.add(request(first, Speculation::Ngram)));
    let mut n_longest = 0;
    loop {
        while rig.n_out() < 2
            && let Some(step) = rig.submit()
        {
            let drawn =
                step.outputs().filter(|(_, output)| matches!(output.want, Want::Token { .. })).count();
            assert!(drawn <= limits.n_slots);
            n_longest = n_longest.max(drawn);
        }
        if rig.n_out() == 0 {
            break;
        }
        rig.take();
    }
    assert_eq!(n_longest, limits.n_slots);
    assert!(rig.n_right > 0);
}

#[test]
fn guesses_end_with_the_text() {
    // the last token is drawn, not guessed
    let mut request = generate(vec![5; 40], 3);
    if let Task::Generate { sampler, speculation, .. } = &mut request.task {
        sampler.n_vocab = 6;
        *speculation = Speculation::Ngram;
    }
    let mut rig = Rig::new(roomy());
    rig.add(request);
    let mut most = 0;
    loop {
        while let Some(step) = rig.submit() {
            let span = &step.spans[0];
            most = most.max(span.position + span.tokens.len());
            assert!(span.tokens.iter().all(|token| matches!(token, Source::Id(_) | Source::Next)));
        }
        if rig.n_out() == 0 {
            break;
        }
        rig.take();
    }
    assert!(most <= 42, "{most}");
}
