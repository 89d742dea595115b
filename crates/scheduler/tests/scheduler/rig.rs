//! A scheduler and its executor, which check each other.

use std::collections::{BTreeMap, VecDeque};

use qwill_models::step::{Answer, PAGE, Sampler, Step};
use qwill_scheduler::{End, Event, Limits, Reading, Request, RequestId, Scheduler, Speculation, Task, What};

use crate::fake::{Alone, Class, Fake, alone};

/// Tokens that are guessed at a time, at most.
const MOST_GUESSED: usize = 7;

/// A request, and what has come of it.
pub(crate) struct Job {
    pub(crate) request: Request,
    wanted: Alone,
    /// Tokens that were drawn.
    pub(crate) drawn: Vec<u32>,
    n_answers: usize,
    /// Tokens that were cached when it started.
    pub(crate) n_cached: Option<usize>,
    pub(crate) n_read: usize,
    /// Steps that had been handed out when it was added.
    since: usize,
}

impl Job {
    /// Its tokens as far as they are known.
    pub(crate) fn tokens(&self) -> Vec<u32> {
        [&self.request.tokens[..], &self.drawn].concat()
    }

    /// Something that was wanted of a token is there.
    fn note(&mut self, row: usize, answer: Answer) {
        assert_eq!(Some(&(row, answer)), self.wanted.answers.get(self.n_answers), "row {row}");
        self.n_answers += 1;
    }
}

/// Scheduler, executor, and what is on the way between them.
pub(crate) struct Rig {
    pub(crate) limits: Limits,
    class: Class,
    pub(crate) scheduler: Scheduler,
    pub(crate) fake: Fake,
    out: VecDeque<Vec<Answer>>,
    pub(crate) live: BTreeMap<RequestId, Job>,
    pub(crate) done: Vec<(RequestId, Job, End)>,
    pub(crate) n_steps: usize,
    /// Tokens that were guessed, and those of them that were right.
    pub(crate) n_guessed: usize,
    pub(crate) n_right: usize,
    /// Most steps that a request lived.
    pub(crate) longest: usize,
}

/// Limits that nothing in a small test meets.
pub(crate) fn roomy() -> Limits {
    Limits {
        n_pages: 1000,
        n_slots: 16,
        chunk: 256,
        max_outputs: 16,
        context_length: 8192,
        vocab_size: 1000,
        reading: Reading::Causal,
    }
}

/// A prompt that gets `max_tokens`.
pub(crate) fn generate(tokens: Vec<u32>, max_tokens: usize) -> Request {
    let sampler = Sampler::greedy(1000);
    let task = Task::Generate {
        sampler,
        bias: Vec::new(),
        logprobs: None,
        constraint: None,
        speculation: Speculation::Off,
        seed: 3,
        max_tokens,
    };
    Request { n_prompt: tokens.len(), tokens, adapters: Vec::new(), chunk: None, task }
}

impl Rig {
    pub(crate) fn new(limits: Limits) -> Self {
        Self::with_class(limits, |_| 0)
    }

    pub(crate) fn with_class(limits: Limits, class: Class) -> Self {
        Self {
            limits,
            class,
            scheduler: Scheduler::new(limits, class).unwrap(),
            fake: Fake::new(limits, class),
            out: VecDeque::new(),
            live: BTreeMap::new(),
            done: Vec::new(),
            n_steps: 0,
            n_guessed: 0,
            n_right: 0,
            longest: 0,
        }
    }

    pub(crate) fn add(&mut self, request: Request) -> RequestId {
        let wanted = alone(&request, &self.limits, self.class);
        let id = self.scheduler.add(request.clone()).unwrap();
        let since = self.n_steps;
        let job = Job { request, wanted, drawn: Vec::new(), n_answers: 0, n_cached: None, n_read: 0, since };
        self.live.insert(id, job);
        self.check();
        id
    }

    /// Steps that are out.
    pub(crate) fn n_out(&self) -> usize {
        self.out.len()
    }

    /// Hands out a step, if there is one, and runs it.
    pub(crate) fn submit(&mut self) -> Option<Step> {
        let step = self.scheduler.next()?;
        let lists = self.scheduler.lists(self.limits.vocab_size.div_ceil(32));
        self.out.push_back(self.fake.run(&step, lists));
        self.n_steps += 1;
        self.check();
        Some(step)
    }

    /// Takes the answers of the oldest step.
    pub(crate) fn take(&mut self) -> Vec<Event> {
        let Some(answers) = self.out.pop_front() else { return Vec::new() };
        let events = self.scheduler.take(answers);
        events.iter().for_each(|event| self.note(event));
        self.check();
        events
    }

    /// Submits and takes, up to `depth` steps ahead, until nothing is left to do.
    pub(crate) fn run(&mut self, depth: usize) {
        loop {
            while self.n_out() < depth && self.submit().is_some() {}
            if self.n_out() == 0 {
                break;
            }
            self.take();
        }
        assert!(self.live.is_empty(), "{} requests wait for nothing", self.live.len());
        let usage = self.scheduler.usage();
        assert_eq!((usage.n_used, usage.n_running, usage.n_waiting), (0, 0, 0), "{usage:?}");
    }

    /// Ends a request early.
    pub(crate) fn finish(&mut self, id: RequestId) -> Job {
        let n_cached = self.scheduler.usage().n_used;
        assert!(self.scheduler.finish(id));
        assert!(!self.scheduler.finish(id));
        let usage = self.scheduler.usage();
        assert!(usage.n_used <= n_cached && (usage.n_running > 0 || usage.n_used == 0), "{usage:?}");
        self.check();
        self.live.remove(&id).unwrap()
    }

    pub(crate) fn lose_device(&mut self) {
        self.scheduler.lose_device();
        self.fake = Fake::new(self.limits, self.class);
        self.out.clear();
        assert_eq!(self.scheduler.usage().n_free, self.limits.n_pages);
        self.check();
    }

    fn note(&mut self, Event { id, what }: &Event) {
        let job = self.live.get_mut(id).expect("an event of a request that is alive");
        assert!(job.n_cached.is_some() != matches!(what, What::Started { .. }), "started once, and first");
        match what {
            What::Started { n_cached } => {
                assert!(*n_cached < job.request.tokens.len());
                job.n_cached = Some(*n_cached);
            }
            What::Progress { n_read, n_tokens } => {
                assert!(*n_read > job.n_read && n_read <= n_tokens, "{n_read} after {}", job.n_read);
                job.n_read = *n_read;
            }
            What::Token(token) => {
                assert_eq!(Some(token), job.wanted.drawn.get(job.drawn.len()), "token {}", job.drawn.len());
                job.drawn.push(token.id);
            }
            What::Scores { row, values } => job.note(*row, Answer::Scores(values.clone())),
            What::State { row, values } => job.note(*row, Answer::State(values.clone())),
            What::Logprobs { row, logprobs } => job.note(*row, Answer::Logprobs(logprobs.clone())),
            What::Guessed { n_guessed, n_right } => {
                assert!(n_right <= n_guessed && (1..=MOST_GUESSED).contains(n_guessed));
                self.n_guessed += n_guessed;
                self.n_right += n_right;
            }
            What::Broken { .. } => assert_eq!(job.wanted.end, Some(End::Broken)),
            What::Finished(end) => {
                let job = self.live.remove(id).unwrap();
                assert_eq!(job.drawn.len(), job.wanted.drawn.len());
                assert_eq!(job.n_answers, job.wanted.answers.len());
                let is_full = job.tokens().len() > self.limits.context_length;
                let is_cut = matches!(job.request.task, Task::Generate { max_tokens, .. } if max_tokens > job.drawn.len());
                match end {
                    End::Read => assert!(matches!(job.request.task, Task::Read { .. })),
                    End::Complete | End::Broken => assert_eq!(job.wanted.end, Some(*end)),
                    End::Context => assert!(is_full && is_cut),
                    End::MaxTokens => assert!(!is_cut),
                }
                self.done.push((*id, job, *end));
            }
        }
    }

    /// Nothing leaks, and nobody holds more than it needs.
    fn check(&mut self) {
        let usage = self.scheduler.usage();
        let n_pages = usage.n_used + usage.n_cached + usage.n_free;
        assert_eq!(n_pages, self.limits.n_pages, "{usage:?}");
        assert_eq!(usage.n_steps, self.out.len());
        assert!(usage.n_running <= self.limits.n_slots && usage.n_shared <= usage.n_used, "{usage:?}");
        assert!(usage.n_running + usage.n_waiting <= self.live.len(), "{usage:?}");
        let pages_of = |job: &Job| (job.tokens().len() + self.out.len() + MOST_GUESSED).div_ceil(PAGE);
        let most: usize = self.live.values().map(pages_of).sum();
        assert!(usage.n_used <= most && (usage.n_running > 0 || usage.n_used == 0), "{usage:?}");
        let oldest = self.live.values().map(|job| self.n_steps - job.since).max();
        self.longest = self.longest.max(oldest.unwrap_or(0));
    }
}
