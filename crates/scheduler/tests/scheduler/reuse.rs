//! What is read once, and how it is shared.

use qwill_models::step::{PAGE, Sampler};
use qwill_scheduler::{Limits, Request, Rows, Speculation, Task, Wanted};

use crate::rig::{Rig, generate, roomy};
use crate::rng::Rng;

fn tokens(seed: u64, n: usize) -> Vec<u32> {
    Rng::new(seed).tokens(n, 1000)
}

/// How many tokens each of the requests that are done found in the cache, in the order in which they were made.
fn cached(rig: &mut Rig) -> Vec<usize> {
    rig.done.sort_by_key(|(id, ..)| *id);
    rig.done.iter().map(|(_, job, _)| job.n_cached.unwrap()).collect()
}

#[test]
fn a_second_text_reads_only_its_tail() {
    let mut rig = Rig::new(roomy());
    let prompt = tokens(1, 4000);
    let other = [&prompt[..], &tokens(2, 10)].concat();
    rig.add(generate(prompt, 100));
    while rig.fake.n_read < 4000 {
        rig.submit();
        rig.take();
    }
    let n_read = rig.fake.n_read;
    rig.add(generate(other, 100));
    let step = rig.submit().unwrap();
    let usage = rig.scheduler.usage();
    // 4000 tokens are 125 full pages; each has another of its own
    assert_eq!((usage.n_shared, usage.n_used), (125, 127));
    assert_eq!(rig.fake.n_read - n_read, 1 + 10);
    assert_eq!(step.copies, []);
    rig.run(2);
    assert_eq!(cached(&mut rig), [0, 4000]);
}

#[test]
fn many_texts_with_one_prompt_read_it_once() {
    // not even the part of a page, nor a short prompt
    for n in [1015, 20] {
        for depth in [1, 3] {
            let mut rig = Rig::new(Limits { chunk: 100, ..roomy() });
            (0..10).for_each(|_| _ = rig.add(generate(tokens(1, n), 1)));
            rig.run(depth);
            // the last token is read by each: its output is wanted
            assert_eq!(rig.fake.n_read, n - 1 + 10);
            assert_eq!(rig.fake.n_copies, 9);
        }
    }
}

#[test]
fn texts_wait_only_for_what_is_worth_it() {
    let mut rig = Rig::new(Limits { chunk: 64, ..roomy() });
    let start = tokens(1, 5);
    (2..4).for_each(|seed| _ = rig.add(generate([&start[..], &tokens(seed, 500)].concat(), 1)));
    rig.submit();
    assert_eq!(rig.scheduler.usage().n_running, 2);
    rig.run(1);
}

#[test]
fn the_next_turn_goes_on_where_the_last_one_ended() {
    let mut rig = Rig::new(roomy());
    let id = rig.add(generate(tokens(1, 70), 100));
    while rig.live[&id].drawn.len() < 20 {
        rig.submit();
        rig.submit();
        rig.take();
        rig.take();
    }
    // a step is out that nobody waits for; it read the last token that is known
    rig.submit();
    rig.submit();
    rig.take();
    let text = rig.finish(id).tokens();
    rig.take();
    assert_eq!(rig.scheduler.usage().n_used, 0);
    rig.add(generate([&text[..], &tokens(2, 30)].concat(), 10));
    rig.run(1);
    // all that was read of what is known; the page in which it ends becomes that of the next turn
    assert_eq!(cached(&mut rig), [text.len()]);
    assert_eq!(rig.fake.n_copies, 0);
}

#[test]
fn going_back_is_reading_again() {
    for n_kept in [1, 31, 32, 33, 63, 64, 90] {
        let mut rig = Rig::new(roomy());
        let text = tokens(1, 100);
        rig.add(generate(text.clone(), 30));
        rig.run(2);
        rig.add(generate([&text[..n_kept], &tokens(2, 40)].concat(), 30));
        rig.run(2);
        assert_eq!(cached(&mut rig), [0, n_kept]);
        // the first way on is still there
        rig.add(generate(text, 5));
        rig.run(1);
        assert_eq!(cached(&mut rig)[2], 99);
    }
}

#[test]
fn a_fork_is_a_replay() {
    let mut sampler = Sampler::greedy(1000);
    sampler.frequency_penalty = 1.0;
    let task = |max_tokens| Task::Generate {
        sampler,
        bias: Vec::new(),
        logprobs: None,
        constraint: None,
        speculation: Speculation::Off,
        seed: 9,
        max_tokens,
    };
    let mut rig = Rig::new(roomy());
    let request =
        Request { tokens: tokens(1, 50), n_prompt: 50, adapters: Vec::new(), chunk: None, task: task(40) };
    rig.add(request.clone());
    rig.run(2);
    let (_, whole, _) = rig.done.pop().unwrap();
    for n in [1, 14, 15, 39] {
        let tokens = whole.tokens()[..50 + n].to_vec();
        rig.add(Request { tokens, task: task(40 - n), ..request.clone() });
        rig.run(2);
        let (_, rest, _) = rig.done.pop().unwrap();
        assert_eq!(rest.drawn, whole.drawn[n..]);
        assert_eq!(rest.n_cached, Some(50 + n - 1));
    }
}

#[test]
fn pages_that_turn_out_the_same_are_one() {
    let mut rig = Rig::new(roomy());
    let request = generate(tokens(1, 40), 200);
    rig.add(request.clone());
    rig.add(request);
    rig.submit();
    rig.take();
    for _ in 0..150 {
        rig.submit();
        rig.take();
    }
    let usage = rig.scheduler.usage();
    // each has a page that is not full
    assert_eq!(usage.n_used - usage.n_shared, 2, "{usage:?}");
    assert_eq!(usage.n_shared, 189 / PAGE);
    rig.run(1);
}

#[test]
fn other_angles_and_adapters_share_nothing() {
    let mut rig = Rig::with_class(roomy(), |n| n as u64 / 100);
    let request = generate(tokens(1, 90), 5);
    let others = [
        Request { adapters: vec![(1, 1.0)], ..request.clone() },
        Request { adapters: vec![(1, 0.5)], ..request.clone() },
        generate(tokens(1, 190), 5),
        // the class is that of the prompt
        Request { tokens: tokens(1, 120), ..request.clone() },
        Request { adapters: vec![(1, 1.0)], ..request.clone() },
    ];
    rig.add(request);
    rig.run(1);
    for other in others {
        rig.add(other);
        rig.run(1);
    }
    assert_eq!(cached(&mut rig), [0, 0, 0, 0, 90, 89]);
}

#[test]
fn rows_that_are_wanted_are_read() {
    let mut rig = Rig::new(roomy());
    for rows in [Rows::Every, Rows::List(vec![70, 80]), Rows::Last, Rows::Every] {
        let task = Task::Read { rows, want: Wanted::Scores };
        rig.add(Request { task, ..generate(tokens(1, 100), 1) });
        let n_read = rig.fake.n_read;
        rig.run(3);
        let (_, job, _) = rig.done.last().unwrap();
        // what follows the last row is not
        let n_needed =
            if matches!(&job.request.task, Task::Read { rows: Rows::List(_), .. }) { 81 } else { 100 };
        assert_eq!(rig.fake.n_read - n_read, n_needed - job.n_cached.unwrap());
    }
    assert_eq!(cached(&mut rig), [0, 70, 99, 0]);
}

#[test]
fn what_was_used_long_ago_is_forgotten_first() {
    let mut rig = Rig::new(Limits { n_pages: 8, context_length: 4 * PAGE, ..roomy() });
    let [a, b, c] = [1, 2, 3].map(|seed| generate(tokens(seed, 4 * PAGE), 1));
    // a and b fill eight pages, a is used again, c takes what b had
    for request in [&a, &b, &a, &c, &a, &b] {
        rig.add(request.clone());
        rig.run(1);
    }
    assert_eq!(cached(&mut rig), [0, 0, 4 * PAGE - 1, 0, 4 * PAGE - 1, 0]);
}

#[test]
fn the_same_text_is_kept_once() {
    let mut rig = Rig::new(roomy());
    for _ in 0..5 {
        (0..2).for_each(|_| _ = rig.add(generate(tokens(1, PAGE + 8), 1)));
        rig.run(2);
        assert_eq!(rig.scheduler.usage().n_cached, 2);
    }
}

#[test]
fn a_prefix_outlives_what_followed_it() {
    let mut rig = Rig::new(Limits { n_pages: 8, context_length: 8 * PAGE, ..roomy() });
    let a = tokens(1, 6 * PAGE);
    rig.add(generate(a.clone(), 1));
    rig.run(1);
    // needs four pages: two are free, two more are the last ones of a
    rig.add(generate(tokens(2, 3 * PAGE + 5), 1));
    rig.run(1);
    rig.add(generate(a, 1));
    rig.run(1);
    assert_eq!(cached(&mut rig), [0, 0, 4 * PAGE]);
}

#[test]
fn a_full_cache_needs_no_page_for_a_copy() {
    let mut rig = Rig::new(Limits { n_pages: 2, context_length: 2 * PAGE, ..roomy() });
    let text = tokens(1, 2 * PAGE);
    rig.add(generate(text.clone(), 1));
    rig.run(1);
    rig.add(generate([&text[..PAGE + 10], &tokens(2, 20)].concat(), 1));
    rig.run(1);
    assert_eq!(cached(&mut rig), [0, PAGE + 10]);
    assert_eq!(rig.fake.n_copies, 0);
}
