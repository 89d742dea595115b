//! Who gets how much of a step.

use qwill_models::step::{PAGE, Step};
use qwill_scheduler::{Limits, Request, Rows, Task, Wanted};

use crate::rig::{Rig, generate, roomy};
use crate::rng::Rng;

fn prompt(seed: u64, n: usize, max_tokens: usize) -> Request {
    generate(Rng::new(seed).tokens(n, 1000), max_tokens)
}

fn lengths(step: &Step) -> Vec<usize> {
    step.spans.iter().map(|span| span.tokens.len()).collect()
}

#[test]
fn replies_go_on_while_a_long_prompt_is_read() {
    let mut rig = Rig::new(Limits { chunk: 64, ..roomy() });
    (0..4).for_each(|seed| _ = rig.add(prompt(seed, 10, 500)));
    rig.submit();
    rig.take();
    rig.add(prompt(9, 3000, 5));
    for _ in 0..3000 / 60 {
        assert_eq!(lengths(&rig.submit().unwrap()), [1, 1, 1, 1, 60]);
        rig.take();
    }
    assert_eq!(lengths(&rig.submit().unwrap()), [1, 1, 1, 1, 1]);
    rig.run(2);
}

#[test]
fn a_short_prompt_does_not_wait_for_a_long_one() {
    let mut rig = Rig::new(Limits { chunk: 64, ..roomy() });
    rig.add(prompt(1, 6000, 1));
    rig.submit();
    let short = rig.add(prompt(2, 40, 1));
    // they take turns; what one does not need is the other's
    assert_eq!(lengths(&rig.submit().unwrap()), [64]);
    assert_eq!(lengths(&rig.submit().unwrap()), [40, 24]);
    (0..3).for_each(|_| _ = rig.take());
    assert_eq!(rig.done[0].0, short);
    rig.run(2);
}

#[test]
fn short_prompts_do_not_keep_a_long_one_waiting() {
    let mut rig = Rig::new(Limits { chunk: 64, ..roomy() });
    let long = rig.add(prompt(0, 2000, 1));
    let mut n_steps = 0;
    while rig.live.contains_key(&long) {
        (0..2).for_each(|i| _ = rig.add(prompt(1 + 2 * n_steps + i, 60, 1)));
        rig.submit();
        rig.take();
        n_steps += 1;
        assert!(n_steps < 16 * 2000 / 64, "more than one turn in sixteen slots");
    }
    rig.run(1);
}

#[test]
fn small_texts_do_not_overtake_a_large_one_that_waits_for_pages() {
    let mut rig = Rig::new(Limits { n_pages: 16, context_length: 16 * PAGE, ..roomy() });
    rig.add(prompt(0, 8 * PAGE, 30));
    rig.submit();
    rig.add(prompt(1, 12 * PAGE, 1));
    rig.add(prompt(2, PAGE, 1));
    while rig.done.is_empty() {
        rig.submit();
        assert_eq!(rig.scheduler.usage().n_waiting, 2);
        rig.take();
    }
    let step = rig.submit().unwrap();
    assert_eq!(step.spans[0].n_prompt, 12 * PAGE);
    assert_eq!(step.begins.len(), 2);
    rig.run(2);
}

/// Each needs two pages in all, and there are as many: nobody waits for pages that nobody will want.
#[test]
fn texts_run_together_when_all_of_them_fit_to_their_ends() {
    let mut rig = Rig::new(Limits { n_pages: 16, context_length: 16 * PAGE, n_slots: 8, ..roomy() });
    (0..8).for_each(|seed| _ = rig.add(prompt(seed, PAGE + 1, PAGE)));
    while lengths(&rig.submit().unwrap()) != [1; 8] {
        assert_eq!(rig.scheduler.usage().n_waiting, 0);
        rig.take();
    }
    rig.run(8);
}

#[test]
fn rows_are_read_as_far_as_a_step_has_outputs() {
    let mut rig = Rig::new(Limits { n_slots: 4, max_outputs: 10, ..roomy() });
    rig.add(prompt(1, 10, 100));
    rig.submit();
    let task = Task::Read { rows: Rows::Every, want: Wanted::Scores };
    rig.add(Request { task, ..prompt(2, 25, 1) });
    let task = Task::Read { rows: Rows::List(vec![50]), want: Wanted::Scores };
    rig.add(Request { task, ..prompt(3, 100, 1) });
    // the third reads up to its row, for which no output is left
    assert_eq!(lengths(&rig.submit().unwrap()), [1, 9, 50]);
    // then it comes first
    assert_eq!(lengths(&rig.submit().unwrap()), [1, 1, 8]);
    assert_eq!(lengths(&rig.submit().unwrap()), [1, 8]);
    rig.run(1);
}

#[test]
fn nothing_runs_twice_when_there_is_nothing_to_do() {
    let mut rig = Rig::new(roomy());
    assert_eq!(rig.submit(), None);
    rig.add(prompt(1, 10, 3));
    let n_steps = (0..10).filter_map(|_| rig.submit()).count();
    assert_eq!(n_steps, 3);
    rig.run(1);
    assert_eq!(rig.submit(), None);
}
