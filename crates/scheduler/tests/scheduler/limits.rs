//! What is refused.

use qwill_models::step::{PAGE, Sampler};
use qwill_scheduler::{
    BadLimits, Limits, Reading, Refused, Request, Rows, Scheduler, Speculation, Task, Wanted,
};

use crate::rig::{generate, roomy};

fn refusal(limits: Limits, request: Request) -> Refused {
    let mut scheduler = Scheduler::new(limits, |_| 0).unwrap();
    let refused = scheduler.add(request).unwrap_err();
    assert_eq!(scheduler.usage().n_waiting, 0);
    refused
}

fn read(n_tokens: usize, rows: Rows) -> Request {
    let task = Task::Read { rows, want: Wanted::State };
    Request { task, ..generate(vec![1; n_tokens], 1) }
}

#[test]
fn what_can_never_be_done_is_refused() {
    let limits = Limits { context_length: 50, ..roomy() };
    assert_eq!(refusal(limits, generate(Vec::new(), 1)), Refused::Empty);
    assert_eq!(refusal(limits, generate(vec![1], 0)), Refused::NoTokens);
    let too_long = Refused::TooLong { n_tokens: 51, context_length: 50 };
    assert_eq!(refusal(limits, generate(vec![1; 51], 1)), too_long);
    let outside = Refused::OutsideVocabulary { token: 1000, position: 1, vocab_size: 1000 };
    assert_eq!(refusal(limits, generate(vec![999, 1000], 1)), outside);
    for n_prompt in [0, 3] {
        let refused = refusal(limits, Request { n_prompt, ..generate(vec![1; 2], 1) });
        assert_eq!(refused, Refused::PromptLength { n_prompt, n_tokens: 2 });
    }
    for rows in [vec![], vec![1, 1], vec![2, 1], vec![3]] {
        assert_eq!(refusal(limits, read(3, Rows::List(rows))), Refused::Rows { n_rows: 3 });
    }
    // the last token has none behind it
    let logprobs = |n, rows| {
        let task = Task::Read { rows, want: Wanted::Logprobs(0) };
        Request { task, ..generate(vec![1; n], 1) }
    };
    for (n, rows) in [(3, Rows::List(vec![1, 2])), (1, Rows::Every), (1, Rows::Last)] {
        assert_eq!(refusal(limits, logprobs(n, rows)), Refused::Rows { n_rows: n - 1 });
    }
    for bias in [vec![(1, 0.5); 2], (0..1025).map(|id| (id, 0.5)).collect()] {
        let (n_biases, sampler) = (bias.len(), Sampler::greedy(9));
        let task = Task::Generate {
            sampler,
            bias,
            logprobs: None,
            constraint: None,
            speculation: Speculation::Off,
            seed: 0,
            max_tokens: 1,
        };
        let refused = refusal(limits, Request { task, ..generate(vec![1], 1) });
        assert_eq!(refused, Refused::Biases { n_biases });
    }
}

#[test]
fn whole_texts_must_fit_a_step() {
    let limits = Limits { chunk: 20, reading: Reading::WholeText, ..roomy() };
    let sampler = Sampler::greedy(9);
    let task = Task::Generate {
        sampler,
        bias: Vec::new(),
        logprobs: None,
        constraint: None,
        speculation: Speculation::Off,
        seed: 0,
        max_tokens: 1,
    };
    assert_eq!(refusal(limits, Request { task, ..read(3, Rows::Last) }), Refused::CannotGenerate);
    let refused = refusal(limits, read(21, Rows::Last));
    assert_eq!(refused, Refused::LongerThanStep { n_tokens: 21, chunk: 20 });
    let refused = refusal(limits, read(17, Rows::Every));
    assert_eq!(refused, Refused::TooManyOutputs { n_outputs: 17, max_outputs: 16 });
    assert!(Scheduler::new(limits, |_| 0).unwrap().add(read(16, Rows::Every)).is_ok());
}

#[test]
fn limits_under_which_a_text_could_wait_forever_are_refused() {
    let refusal = |limits| Scheduler::new(limits, |_| 0).err();
    let longer = Limits { n_pages: 2, context_length: 2 * PAGE + 1, ..roomy() };
    let too_few = BadLimits::TooFewPages { n_pages: 2, n_tokens: 65, needed: 3 };
    assert_eq!(refusal(longer), Some(too_few));
    assert_eq!(refusal(Limits { context_length: 2 * PAGE, ..longer }), None);
    assert_eq!(refusal(Limits { chunk: 64, reading: Reading::WholeText, ..longer }), None);
    assert_eq!(refusal(Limits { n_slots: 0, ..roomy() }), Some(BadLimits::Empty));
    assert_eq!(refusal(Limits { context_length: 0, ..roomy() }), Some(BadLimits::Empty));
    assert_eq!(refusal(Limits { vocab_size: 0, ..roomy() }), Some(BadLimits::Empty));
    let short = BadLimits::ShortSteps { chunk: 15, n_slots: 16 };
    assert_eq!(refusal(Limits { chunk: 15, ..roomy() }), Some(short));
    let few = BadLimits::TooFewOutputs { max_outputs: 15, n_slots: 16 };
    assert_eq!(refusal(Limits { max_outputs: 15, ..roomy() }), Some(few));
}
