//! Pages run out, the device is lost, nobody waits any more.

use qwill_models::step::{PAGE, Sampler};
use qwill_scheduler::{End, Limits, Reading, Request, Rows, Speculation, Task, Wanted};

use crate::rig::{Rig, generate, roomy};
use crate::rng::Rng;

fn penalised(seed: u64, n: usize, max_tokens: usize) -> Request {
    let mut sampler = Sampler::greedy(1000);
    sampler.repetition_penalty = 1.5;
    let bias = vec![(3, 1.0), (7, -(seed as f32))];
    let task = Task::Generate {
        sampler,
        bias,
        logprobs: Some(2),
        constraint: None,
        speculation: Speculation::Off,
        seed: seed as u32,
        max_tokens,
    };
    Request { task, ..generate(Rng::new(seed).tokens(n, 1000), max_tokens) }
}

#[test]
fn texts_that_give_way_get_the_same_tokens() {
    for depth in 1..=4 {
        let mut rig = Rig::new(Limits { n_pages: 10, context_length: 10 * PAGE, ..roomy() });
        // they begin with two pages each and end with five
        (1..=3).for_each(|seed| _ = rig.add(penalised(seed, 40, 120)));
        rig.submit();
        assert_eq!(rig.scheduler.usage().n_running, 3);
        rig.run(depth);
        assert!(rig.fake.n_begins > 3, "nobody had to give way");
        // the oldest never has to
        let ids: Vec<_> = rig.done.iter().map(|(id, ..)| *id).collect();
        assert!(ids.is_sorted(), "{ids:?}");
    }
}

#[test]
fn a_text_gets_no_place_that_it_would_have_to_leave_at_once() {
    for (n_pages, n_running) in [(9, 1), (10, 2)] {
        let mut rig = Rig::new(Limits { n_pages, context_length: 8 * PAGE, ..roomy() });
        rig.add(penalised(1, 4 * PAGE - 10, 20));
        rig.submit();
        // needs five, and the first may need one soon
        rig.add(penalised(2, 5 * PAGE, 20));
        rig.submit();
        assert_eq!(rig.scheduler.usage().n_running, n_running);
        rig.run(1);
    }
}

#[test]
fn a_lost_device_changes_no_token() {
    for (n_steps, depth) in [(1, 1), (3, 3), (40, 2), (41, 4)] {
        let mut rig = Rig::new(Limits { chunk: 64, ..roomy() });
        (1..=3).for_each(|seed| _ = rig.add(penalised(seed, 100, 50)));
        let task = Task::Read { rows: Rows::Every, want: Wanted::State };
        rig.add(Request { task, ..penalised(4, 500, 1) });
        for _ in 0..n_steps {
            rig.submit();
            if rig.n_out() == depth {
                rig.take();
            }
        }
        rig.lose_device();
        rig.run(depth);
        assert_eq!(rig.done.len(), 4);
    }
}

#[test]
fn nothing_is_left_of_a_text_that_nobody_wants() {
    let mut rig = Rig::new(Limits { n_pages: 4, n_slots: 1, context_length: 4 * PAGE, ..roomy() });
    let id = rig.add(penalised(1, 3 * PAGE, 20));
    rig.add(penalised(2, 4 * PAGE, 1));
    (0..3).for_each(|_| _ = rig.submit());
    rig.finish(id);
    // slot and pages go on at once, while three steps are out that write there
    let step = rig.submit().unwrap();
    assert_eq!((step.begins[0].slot, step.spans[0].pages.len()), (0, 4));
    assert_eq!((0..3).map(|_| rig.take().len()).sum::<usize>(), 0);
    rig.run(1);
}

#[test]
fn the_context_ends_a_text_behind_its_last_position() {
    let mut rig = Rig::new(Limits { context_length: 100, ..roomy() });
    rig.add(generate(vec![1; 100], 10));
    rig.add(generate(vec![2; 90], 50));
    rig.add(generate(vec![3; 90], 11));
    rig.run(3);
    rig.done.sort_by_key(|(id, ..)| *id);
    let ends: Vec<_> = rig.done.iter().map(|(_, job, end)| (job.drawn.len(), *end)).collect();
    assert_eq!(ends, [(1, End::Context), (11, End::Context), (11, End::MaxTokens)]);
}

#[test]
fn whole_texts_leave_nothing_behind() {
    let mut rig =
        Rig::new(Limits { n_pages: 8, chunk: 200, n_slots: 3, reading: Reading::WholeText, ..roomy() });
    let task = Task::Read { rows: Rows::Last, want: Wanted::State };
    for n in [90, 90, 90, 200, 200, 20, 20, 20, 20] {
        rig.add(Request { task: task.clone(), ..generate(vec![1; n], 1) });
    }
    let mut n_spans = Vec::new();
    while let Some(step) = rig.submit() {
        n_spans.push(step.spans.len());
        assert_eq!(rig.scheduler.usage().n_free, 8);
    }
    // what fits one step runs in one, in the order of the requests; no more than there are slots
    assert_eq!(n_spans, [2, 1, 1, 1, 3, 1]);
    rig.run(1);
}
