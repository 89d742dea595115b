//! An executor whose cache is real and whose model is a hash of all that a token sees: a wrong page, a stale one, a copy
//! that was left out, a wrong position, class or adapter gives another token.

use std::collections::{HashMap, HashSet};

use qwill_models::step::{
    Among, Answer, Begin, Logprobs, Output, PAGE, Sampled, Sampler, Slot, Source, Span, Step, Want,
};
use qwill_scheduler::{Constraint, End, Limits, Reading, Request, Rows, Task, Wanted};

use crate::rng::mix;

/// What the angles depend on, for a prompt's length.
pub(crate) type Class = fn(usize) -> u64;

/// What a text sees at a position: all before it.
#[derive(Clone, Copy)]
struct Seen(u64);

impl Seen {
    fn nothing(class: u64, adapters: &[(u64, f32)]) -> Self {
        let adapter = |seen, &(id, scale): &(u64, f32)| mix(mix(seen, id), u64::from(scale.to_bits()));
        Self(adapters.iter().fold(mix(class, 77), adapter))
    }

    /// What goes into the cache for the next token; never 0.
    fn cell(self, position: usize, token: u32) -> u64 {
        mix(mix(self.0, position as u64), u64::from(token)) | 1
    }

    fn and(self, cell: u64) -> Self {
        Self(mix(self.0, cell))
    }

    fn values(self, salt: u64) -> Vec<f32> {
        vec![(mix(self.0, salt) >> 40) as f32]
    }

    /// How likely a token is.
    fn logprobs(self, token: u32, n_top: u8) -> Logprobs {
        let logprob = |id: u32| -((mix(self.0, 3 + u64::from(id)) >> 40) as f32);
        Logprobs { logprob: logprob(token), top: (0..n_top.into()).map(|id| (id, logprob(id))).collect() }
    }

    fn draw(self, place: &Place, seed: u32, index: u32) -> u32 {
        let Place { sampler, bias, history, .. } = place;
        let random = mix(u64::from(seed), u64::from(index));
        let random = bias.iter().fold(random, |random, &(id, _)| mix(random, u64::from(id)));
        let penalties = if sampler.has_penalties() { history.0 } else { 0 };
        (mix(mix(self.0, random), penalties) % u64::from(sampler.n_vocab)) as u32
    }
}

/// How often each token is in prompt and reply, as penalties see it: in any order.
#[derive(Clone, Copy, Default)]
struct History(u64);

impl History {
    fn of(prompt: &[u32], drawn: &[u32]) -> Self {
        let mut history = Self::default();
        prompt.iter().for_each(|&token| history.0 = history.0.wrapping_add(mix(u64::from(token), 5)));
        drawn.iter().for_each(|&token| history.add(token));
        history
    }

    fn add(&mut self, token: u32) {
        self.0 = self.0.wrapping_add(mix(u64::from(token), 6));
    }
}

/// Owner of a slot.
struct Place {
    sampler: Sampler,
    bias: Vec<(u32, f32)>,
    history: History,
    /// The token drawn last, and by which step.
    last: Option<(u32, u64)>,
}

/// The executor.
pub(crate) struct Fake {
    limits: Limits,
    class: Class,
    cells: Vec<u64>,
    places: HashMap<Slot, Place>,
    n_steps: u64,
    /// Tokens that were read.
    pub(crate) n_read: usize,
    /// Pages that were copied.
    pub(crate) n_copies: usize,
    /// Places that were given to texts.
    pub(crate) n_begins: usize,
}

impl Fake {
    pub(crate) fn new(limits: Limits, class: Class) -> Self {
        let cells = vec![0; limits.n_pages * PAGE];
        Self { limits, class, cells, places: HashMap::new(), n_steps: 0, n_read: 0, n_copies: 0, n_begins: 0 }
    }

    /// Runs a step, having checked that it may be asked for.
    pub(crate) fn run(&mut self, step: &Step, lists: Vec<Vec<u32>>) -> Vec<Answer> {
        assert_eq!(lists.len(), step.n_lists());
        let mut lists = lists.into_iter();
        self.n_steps += 1;
        assert!(!step.spans.is_empty(), "a step without tokens");
        assert!(step.n_tokens() <= self.limits.chunk, "{} tokens", step.n_tokens());
        assert!(step.outputs().count() <= self.limits.max_outputs, "{} outputs", step.outputs().count());
        check_owners(step);
        self.n_read += step.n_tokens();
        self.n_copies += step.copies.len();
        self.n_begins += step.begins.len();
        for Begin { slot, sampler, bias, prompt, drawn } in &step.begins {
            assert!((*slot as usize) < self.limits.n_slots, "slot {slot}");
            let (history, bias) = (History::of(prompt, drawn), bias.clone());
            let place = Place { sampler: *sampler, bias, history, last: None };
            self.places.insert(*slot, place);
        }
        for copy in &step.copies {
            let from = copy.from as usize * PAGE;
            self.cells.copy_within(from..from + PAGE, copy.to as usize * PAGE);
        }
        step.spans.iter().flat_map(|span| self.run_span(span, &mut lists)).collect()
    }

    fn run_span(&mut self, span: &Span, lists: &mut impl Iterator<Item = Vec<u32>>) -> Vec<Answer> {
        let end = span.position + span.tokens.len();
        assert!(!span.tokens.is_empty() && end <= self.limits.context_length, "position {end}");
        assert_eq!(span.pages.len(), end.div_ceil(PAGE), "pages of {end} tokens");
        let n_steps = self.n_steps;
        let place = self.places.get_mut(&span.slot).expect("the slot has an owner");
        let at = |position: usize| span.pages[position / PAGE] as usize * PAGE + position % PAGE;
        let mut seen = Seen::nothing((self.class)(span.n_prompt), &span.adapters);
        for position in 0..span.position {
            let cell = self.cells[at(position)];
            assert_ne!(cell, 0, "nothing was written at position {position}");
            seen = seen.and(cell);
        }
        let mut after = Vec::new();
        for (i, &source) in span.tokens.iter().enumerate() {
            let token = match source {
                Source::Id(token) => token,
                Source::Next => {
                    let (token, by) = place.last.expect("a token was drawn");
                    assert_eq!((i, by), (0, n_steps - 1), "the token was not drawn by the step before");
                    token
                }
            };
            let cell = seen.cell(span.position + i, token);
            self.cells[at(span.position + i)] = cell;
            seen = seen.and(cell);
            after.push(seen);
        }
        assert!(span.outputs.is_sorted_by(|a, b| a.row < b.row), "rows do not rise");
        let whole = self.limits.reading == Reading::WholeText;
        let n_drawn = span.outputs.iter().filter(|output| matches!(output.want, Want::Token { .. })).count();
        let mut answer = |&Output { row, want }: &Output| {
            let seen = if whole { seen_whole(seen, row) } else { after[row] };
            match want {
                Want::Token { among, seed, index, logprobs } => {
                    let behind = &span.tokens[row + 1..];
                    assert!(!behind.contains(&Source::Next), "what is drawn in a step is not read in it");
                    let token = seen.draw(place, seed, index);
                    let token = match among {
                        Among::All => token,
                        Among::Listed => listed(token, &lists.next().unwrap()),
                    };
                    place.history.add(token);
                    // of several, it is not certain which is the last
                    place.last = Some((token, n_steps)).filter(|_| n_drawn == 1);
                    let logprobs = logprobs.map(|n_top| seen.logprobs(token, n_top));
                    Answer::Token(Sampled { id: token, logprobs })
                }
                Want::Scores => Answer::Scores(seen.values(1)),
                Want::State => Answer::State(seen.values(2)),
                Want::Logprobs { token, n_top } => Answer::Logprobs(seen.logprobs(token, n_top)),
            }
        };
        span.outputs.iter().map(&mut answer).collect()
    }
}

/// What a row of a text sees whose tokens all see each other.
fn seen_whole(all: Seen, row: usize) -> Seen {
    all.and(row as u64)
}

/// A page that is written has one owner; copies do not depend on their order.
fn check_owners(step: &Step) {
    let targets: HashSet<_> = step.copies.iter().map(|copy| copy.to).collect();
    assert_eq!(targets.len(), step.copies.len(), "two copies to one page: {:?}", step.copies);
    assert!(step.copies.iter().all(|copy| !targets.contains(&copy.from)), "a copied copy: {:?}", step.copies);
    let slots: HashSet<_> = step.spans.iter().map(|span| span.slot).collect();
    assert_eq!(slots.len(), step.spans.len(), "two spans for one slot");
    let slots: HashSet<_> = step.begins.iter().map(|begin| begin.slot).collect();
    assert_eq!(slots.len(), step.begins.len(), "a slot gets two owners");
    let mut n_users: HashMap<_, usize> = HashMap::new();
    for span in &step.spans {
        let own: HashSet<_> = span.pages.iter().collect();
        assert_eq!(own.len(), span.pages.len(), "a page twice in a text");
        span.pages.iter().for_each(|page| *n_users.entry(*page).or_default() += 1);
    }
    let written = step.spans.iter().flat_map(|span| &span.pages[span.position / PAGE..]);
    for page in written {
        assert_eq!(n_users[page], 1, "page {page} is written, but has several users");
    }
    for page in targets {
        assert!(n_users.get(&page).is_none_or(|&n| n == 1), "copied page {page} has several users");
    }
}

/// What must follow a token, unless each is looked at.
fn go_on(constraint: &mut dyn Constraint, token: u32, each_is_looked_at: bool) -> Result<Vec<u32>, ()> {
    constraint.take(token).map_err(drop)?;
    if each_is_looked_at { Ok(Vec::new()) } else { constraint.force().map_err(drop) }
}

/// What is drawn among listed tokens where this one would be among all; 0 if there are none.
fn listed(token: u32, bits: &[u32]) -> u32 {
    let ids: Vec<u32> =
        (0..bits.len() as u32 * 32).filter(|id| bits[*id as usize / 32] >> (id % 32) & 1 == 1).collect();
    token.checked_rem(ids.len() as u32).map_or(0, |at| ids[at as usize])
}

/// What a request gives alone: tokens that are drawn, and values by row.
#[derive(Debug, Default)]
pub(crate) struct Alone {
    pub(crate) drawn: Vec<Sampled>,
    /// What its constraint ends it with, if that does.
    pub(crate) end: Option<End>,
    pub(crate) answers: Vec<(usize, Answer)>,
}

/// Runs a request without cache, pages and company.
pub(crate) fn alone(request: &Request, limits: &Limits, class: Class) -> Alone {
    let Request { tokens, n_prompt, adapters, task, .. } = request;
    let mut seen = Seen::nothing(class(*n_prompt), adapters);
    let mut after = Vec::new();
    for (position, &token) in tokens.iter().enumerate() {
        seen = seen.and(seen.cell(position, token));
        after.push(seen);
    }
    match task {
        Task::Generate { sampler, bias, logprobs, constraint, speculation: _, seed, max_tokens } => {
            let history = History::of(&tokens[..*n_prompt], &tokens[*n_prompt..]);
            let mut place = Place { sampler: *sampler, bias: bias.clone(), history, last: None };
            let mut drawn = Vec::new();
            let mut constraint = constraint.clone();
            let mut forced = Vec::new().into_iter();
            let mut end = None;
            for position in tokens.len()..(tokens.len() + max_tokens).min(limits.context_length + 1) {
                if let Some(token) = forced.next() {
                    drawn.push(Sampled { id: token, logprobs: None });
                    seen = seen.and(seen.cell(position, token));
                    continue;
                }
                if end.is_some() {
                    break;
                }
                let mut token = seen.draw(&place, *seed, (position - n_prompt) as u32);
                if let Some(constraint) = constraint.as_mut().filter(|constraint| constraint.is_limiting()) {
                    let mut bits = vec![0; limits.vocab_size.div_ceil(32)];
                    if constraint.allow(&mut bits).is_err() {
                        end = Some(End::Broken);
                        break;
                    }
                    token = listed(token, &bits);
                }
                place.history.add(token);
                let told = logprobs.map(|n_top| seen.logprobs(token, n_top));
                drawn.push(Sampled { id: token, logprobs: told });
                seen = seen.and(seen.cell(position, token));
                if let Some(constraint) = &mut constraint {
                    let looks = logprobs.is_some() || sampler.has_penalties();
                    match go_on(&mut **constraint, token, looks) {
                        Ok(tokens) => forced = tokens.into_iter(),
                        Err(()) => end = Some(End::Broken),
                    }
                    end = end.or(constraint.is_over().then_some(End::Complete));
                }
            }
            Alone { drawn, end, answers: Vec::new() }
        }
        Task::Read { rows, want } => {
            let n_rows = tokens.len() - usize::from(matches!(want, Wanted::Logprobs(_)));
            let rows: Vec<usize> = match rows {
                Rows::Every => (0..n_rows).collect(),
                Rows::Last => vec![n_rows - 1],
                Rows::List(rows) => rows.clone(),
            };
            let whole = limits.reading == Reading::WholeText;
            let seen_by = |row: usize| if whole { seen_whole(seen, row) } else { after[row] };
            let answer = |row: usize| match *want {
                Wanted::Scores => Answer::Scores(seen_by(row).values(1)),
                Wanted::State => Answer::State(seen_by(row).values(2)),
                Wanted::Logprobs(n_top) => Answer::Logprobs(seen_by(row).logprobs(tokens[row + 1], n_top)),
            };
            let answers = rows.into_iter().map(|row| (row, answer(row))).collect();
            Alone { drawn: Vec::new(), end: None, answers }
        }
    }
}
