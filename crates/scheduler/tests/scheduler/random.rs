//! Random workloads: whatever happens, every text becomes what it would become alone.

use qwill_models::step::{PAGE, Sampler};
use qwill_scheduler::{Constraint, Limits, Reading, Request, Rows, Speculation, Task, Wanted};

use crate::fake::Class;
use crate::limiter::Limiter;
use crate::rig::Rig;
use crate::rng::Rng;

const N_WORLDS: u64 = 250;
const N_EVENTS: usize = 400;
/// Positions of a text.
const LONGEST_CONTEXT: usize = 300;
/// Texts that are alive at a time.
const MOST_LIVE: usize = 10;
/// Tokens that are drawn for a text.
const MOST_DRAWN: usize = 60;

/// Small limits of every kind.
fn limits(rng: &mut Rng) -> Limits {
    let n_slots = rng.within(1, 6);
    let context_length = rng.within(40, LONGEST_CONTEXT);
    let reading = if rng.chance(10) { Reading::WholeText } else { Reading::Causal };
    Limits {
        n_pages: context_length.div_ceil(PAGE) + rng.below(14),
        n_slots,
        chunk: n_slots + rng.below(70),
        max_outputs: n_slots + rng.below(8),
        context_length,
        vocab_size: rng.within(2, 40),
        reading,
    }
}

/// What requests are made of.
struct World {
    rng: Rng,
    limits: Limits,
    /// Texts that others begin like: some given, and those that ran, with the length of their prompts.
    texts: Vec<(Vec<u32>, usize)>,
}

impl World {
    fn request(&mut self) -> Request {
        let Self { rng, limits, texts } = self;
        let most = match limits.reading {
            Reading::Causal => limits.context_length,
            Reading::WholeText => limits.context_length.min(limits.chunk),
        };
        let (text, n_prompt) = &texts[rng.below(texts.len())];
        let mut tokens = match rng.below(4) {
            0 => Vec::new(),
            1 => text[..rng.below(text.len())].to_vec(),
            _ => text.clone(),
        };
        let is_continued = *n_prompt < tokens.len() && tokens.len() <= most && rng.chance(40);
        if !is_continued && (tokens.is_empty() || rng.chance(70)) {
            let n = rng.within(1, 50);
            tokens.extend(rng.tokens(n, limits.vocab_size));
        }
        tokens.truncate(most);
        let n_prompt = if is_continued { *n_prompt } else { tokens.len() };
        let adapters = match rng.below(10) {
            0 => vec![(1, 1.0)],
            1 => vec![(1, 0.5)],
            2 => vec![(1, 1.0), (2, 1.0)],
            _ => Vec::new(),
        };
        let is_read = limits.reading == Reading::WholeText || rng.chance(25);
        let task = if is_read { self.reading(tokens.len()) } else { self.generation() };
        let chunk = (self.rng.below(4) == 0).then(|| 1 + self.rng.below(40));
        Request { tokens, n_prompt, adapters, chunk, task }
    }

    fn reading(&mut self, n_tokens: usize) -> Task {
        let Self { rng, limits, .. } = self;
        let (want, n_rows) = match rng.below(3) {
            0 if n_tokens > 1 => (Wanted::Logprobs(rng.below(3) as u8), n_tokens - 1),
            1 => (Wanted::State, n_tokens),
            _ => (Wanted::Scores, n_tokens),
        };
        let whole = limits.reading == Reading::WholeText;
        let rows = match rng.below(3) {
            0 if !whole || n_rows <= limits.max_outputs => Rows::Every,
            1 => {
                let mut rows = vec![rng.below(n_rows)];
                (1..rng.within(1, limits.max_outputs)).for_each(|_| rows.push(rng.below(n_rows)));
                rows.sort_unstable();
                rows.dedup();
                Rows::List(rows)
            }
            _ => Rows::Last,
        };
        Task::Read { rows, want }
    }

    fn generation(&mut self) -> Task {
        let Self { rng, limits, .. } = self;
        let mut sampler = Sampler::greedy(limits.vocab_size as u32);
        if rng.chance(40) {
            sampler.presence_penalty = 0.5;
        }
        let bias = if rng.chance(30) { vec![(1, 2.0), (rng.within(2, 4) as u32, -1.0)] } else { Vec::new() };
        let logprobs = rng.chance(30).then(|| rng.below(3) as u8);
        let limiter = |rng: &mut Rng| Limiter::new(rng.below(1000) as u64, limits.vocab_size);
        let constraint: Option<Box<dyn Constraint>> =
            if rng.chance(40) { Some(Box::new(limiter(rng))) } else { None };
        let speculation = if rng.chance(50) { Speculation::Ngram } else { Speculation::Off };
        let (seed, max_tokens) = (rng.below(3) as u32, rng.within(1, MOST_DRAWN));
        Task::Generate { sampler, bias, logprobs, constraint, speculation, seed, max_tokens }
    }

    fn remember(&mut self, tokens: Vec<u32>, n_prompt: usize) {
        let at = self.rng.below(8).min(self.texts.len());
        self.texts.truncate(8);
        self.texts.insert(at, (tokens, n_prompt));
    }
}

fn live_through(seed: u64) -> usize {
    let mut rng = Rng::new(seed);
    let limits = limits(&mut rng);
    let class: Class = if rng.chance(70) { |_| 0 } else { |n| n as u64 / 48 };
    let n_stock = rng.within(1, 3);
    let texts = (0..n_stock).map(|_| rng.within(5, limits.context_length)).collect::<Vec<_>>();
    let texts = texts.into_iter().map(|n| (rng.tokens(n, limits.vocab_size), n)).collect();
    let mut world = World { rng, limits, texts };
    let mut rig = Rig::with_class(limits, class);
    let mut depth = 1;
    for _ in 0..N_EVENTS {
        match world.rng.below(200) {
            0..40 if rig.live.len() < MOST_LIVE => {
                let request = world.request();
                let n_forks = if world.rng.chance(20) { world.rng.within(2, 4) } else { 1 };
                (0..n_forks).for_each(|_| _ = rig.add(request.clone()));
            }
            40..46 if !rig.live.is_empty() => {
                let at = world.rng.below(rig.live.len());
                let id = *rig.live.keys().nth(at).unwrap();
                let job = rig.finish(id);
                world.remember(job.tokens(), job.request.n_prompt);
            }
            46 => rig.lose_device(),
            47..52 => depth = world.rng.within(1, 4),
            52..120 => {
                if rig.n_out() < depth {
                    rig.submit();
                }
            }
            _ => {
                if rig.n_out() == 0 {
                    rig.submit();
                }
                rig.take();
            }
        }
        while let Some((_, job, _)) = rig.done.pop() {
            world.remember(job.tokens(), job.request.n_prompt);
        }
    }
    rig.run(depth);
    rig.longest
}

#[test]
fn every_text_becomes_what_it_would_become_alone() {
    let longest = (0..N_WORLDS).map(|seed| {
        let outcome = std::panic::catch_unwind(|| live_through(seed));
        outcome.unwrap_or_else(|_| panic!("world {seed}"))
    });
    let longest = longest.max().unwrap();
    // what all texts need, of which perhaps one runs at a time, with one token a step
    assert!(longest < (MOST_LIVE + 3) * (LONGEST_CONTEXT + MOST_DRAWN), "a request lived {longest} steps");
}
