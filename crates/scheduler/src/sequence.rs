//! A text, and what has come of it.

use qwill_models::step::{Among, Answer, Output, Sampled, Sampler, Want};

use crate::constraint::Constraint;
use crate::event::{End, What};
use crate::limits::{Limits, Reading};
use crate::prefix::Key;
use crate::request::{Request, Rows, Task, Wanted};
use crate::speculation::Guesser;

/// What is left to be done with a text.
#[derive(Debug)]
pub(crate) enum Work {
    /// Tokens are drawn.
    Generate {
        sampler: Sampler,
        bias: Vec<(u32, f32)>,
        logprobs: Option<u8>,
        constraint: Option<Box<dyn Constraint>>,
        /// Why the constraint has nothing more to say.
        broken: Option<String>,
        guesser: Option<Guesser>,
        /// Whether there is something to guess as soon as all that was asked for is known.
        has_guess: bool,
        seed: u32,
        /// Tokens of the text when its last is drawn, and why it is the last.
        until: usize,
        end: End,
        /// Tokens that were asked for and are not known yet.
        n_ahead: usize,
    },
    /// Rows are wanted.
    Read {
        rows: Rows,
        want: Wanted,
        /// Rows that were asked for.
        n_asked: usize,
        /// Rows that are known.
        n_answered: usize,
    },
}

/// A text: its tokens as far as they are known, whether it runs or not.
#[derive(Debug)]
pub(crate) struct Sequence {
    pub(crate) tokens: Vec<u32>,
    pub(crate) n_prompt: usize,
    pub(crate) adapters: Vec<(u64, f32)>,
    /// Most tokens of it in a step.
    pub(crate) chunk: usize,
    pub(crate) key: Key,
    pub(crate) work: Work,
    /// Tokens that were given.
    n_given: usize,
    /// How many of these were said to be read; `None` before the text started.
    n_told: Option<usize>,
}

/// What a step does for a text.
#[derive(Debug)]
pub(crate) struct Part {
    /// Tokens that the cache held when the text got its place.
    pub(crate) n_cached: usize,
    /// Tokens in the cache when the step has run.
    pub(crate) n_read: usize,
    /// Positions of tokens for which there will be an answer.
    pub(crate) rows: Vec<usize>,
    /// Tokens among those read that were guessed, the last ones.
    pub(crate) guess: Vec<u32>,
    /// Among which tokens one is drawn, if one is.
    pub(crate) among: Among,
}

impl Sequence {
    /// What is asked for, whose angles are of `class`.
    pub(crate) fn new(request: Request, class: u64, limits: &Limits) -> Self {
        let Request { mut tokens, n_prompt, adapters, chunk, task } = request;
        let key =
            Key { class, adapters: adapters.iter().map(|&(id, scale)| (id, scale.to_bits())).collect() };
        let work = match task {
            Task::Generate { sampler, bias, logprobs, constraint, speculation, seed, max_tokens } => {
                // the last token is not read, so it needs no position
                let (wanted, room) = (tokens.len().saturating_add(max_tokens), limits.context_length + 1);
                let end = if wanted <= room { End::MaxTokens } else { End::Context };
                let depends_on_each = constraint.is_some() || sampler.has_penalties();
                let guesser = Guesser::new(speculation).filter(|_| !depends_on_each);
                Work::Generate {
                    sampler,
                    bias,
                    logprobs,
                    constraint,
                    broken: None,
                    guesser,
                    has_guess: false,
                    seed,
                    until: wanted.min(room),
                    end,
                    n_ahead: 0,
                }
            }
            Task::Read { rows, want } => {
                if let (Reading::Causal, Rows::List(rows)) = (limits.reading, &rows) {
                    // no row sees what follows
                    tokens.truncate(rows.last().map_or(0, |last| last + 1 + want.n_behind()));
                }
                Work::Read { rows, want, n_asked: 0, n_answered: 0 }
            }
        };
        let n_given = tokens.len();
        // a whole text runs in one step, whatever was asked for
        let chunk = chunk.filter(|_| limits.reading == Reading::Causal).unwrap_or(usize::MAX);
        Self { tokens, n_prompt, adapters, chunk, key, work, n_given, n_told: None }
    }

    /// Tokens that were asked for and are not known yet.
    pub(crate) fn n_ahead(&self) -> usize {
        match self.work {
            Work::Generate { n_ahead, .. } => n_ahead,
            Work::Read { .. } => 0,
        }
    }

    /// Tokens that the cache will hold in the end.
    pub(crate) fn n_final(&self) -> usize {
        match self.work {
            // the last token is not read
            Work::Generate { until, .. } => until - 1,
            Work::Read { .. } => self.tokens.len(),
        }
    }

    /// Tokens that may come from the cache: something is wanted of the one behind them.
    pub(crate) fn n_reusable(&self) -> usize {
        let n_tokens = self.tokens.len();
        let last = n_tokens.saturating_sub(1);
        match &self.work {
            Work::Generate { .. } => last,
            Work::Read { rows, want, n_asked, .. } => {
                rows.get(*n_asked, want.n_rows(n_tokens)).unwrap_or(last)
            }
        }
    }

    /// How many tokens to read next, and whether they are known, when `n_read` are in the cache.
    pub(crate) fn n_unread(&self, n_read: usize) -> usize {
        match self.work {
            Work::Generate { until, n_ahead, .. } if self.tokens.len() + n_ahead >= until => 0,
            // what may follow is known when the last token is
            Work::Generate { n_ahead: 1.., constraint: Some(_), .. }
            | Work::Generate { n_ahead: 1.., has_guess: true, .. } => 0,
            Work::Generate { n_ahead: 1.., .. } => 1,
            _ => self.tokens.len() - n_read,
        }
    }

    /// Looks whether tokens can be guessed as soon as all that was asked for is known; nothing is drawn ahead until then.
    pub(crate) fn look_for_guess(&mut self) {
        if let Work::Generate { guesser: Some(guesser), has_guess, .. } = &mut self.work {
            *has_guess |= guesser.has_guess(&self.tokens);
        }
    }

    /// Guesses tokens behind those that are known, `most` at most.
    pub(crate) fn guess(&mut self, most: usize) -> Vec<u32> {
        match &mut self.work {
            Work::Generate { guesser: Some(guesser), until, n_ahead: 0, .. } => {
                // the last token that may be drawn is drawn behind the last of them
                guesser.guess(&self.tokens, most.min((*until).saturating_sub(self.tokens.len() + 1)))
            }
            _ => Vec::new(),
        }
    }

    /// Asks for the tokens behind those that are guessed, which follow this row.
    pub(crate) fn ask_behind(&mut self, row: usize, guess: &[u32]) -> Vec<Output> {
        let Work::Generate { seed, n_ahead, logprobs, has_guess, .. } = &mut self.work else {
            return Vec::new();
        };
        // nothing more is asked for until it is known what was right
        *has_guess = !guess.is_empty();
        let n_total = self.tokens.len() + *n_ahead - self.n_prompt;
        *n_ahead += guess.len();
        let want = |index: usize| Want::Token {
            among: Among::All,
            seed: *seed,
            index: (n_total + index) as u32,
            logprobs: *logprobs,
        };
        (0..guess.len()).map(|index| Output { row: row + index + 1, want: want(index) }).collect()
    }

    /// What is wanted of tokens `from..to` when they are read, by position, `most` at most: these count as asked for.
    /// Also where to stop, since what follows must be read with room for more outputs.
    pub(crate) fn ask(&mut self, from: usize, to: usize, most: usize) -> (Vec<Output>, usize) {
        let n_tokens = self.tokens.len();
        match &mut self.work {
            Work::Generate { seed, n_ahead, logprobs, constraint, .. } => {
                let n_total = n_tokens + *n_ahead;
                if to < n_total {
                    (Vec::new(), to)
                } else if most == 0 {
                    (Vec::new(), to - 1)
                } else {
                    *n_ahead += 1;
                    let index = (n_total - self.n_prompt) as u32;
                    let among = match constraint {
                        Some(constraint) if constraint.is_limiting() => Among::Listed,
                        _ => Among::All,
                    };
                    let want = Want::Token { among, seed: *seed, index, logprobs: *logprobs };
                    (vec![Output { row: to - 1 - from, want }], to)
                }
            }
            Work::Read { rows, want, n_asked, .. } => {
                let tokens = &self.tokens;
                let want_of = |row: usize| match *want {
                    Wanted::Scores => Want::Scores,
                    Wanted::State => Want::State,
                    Wanted::Logprobs(n_top) => Want::Logprobs { token: tokens[row + 1], n_top },
                };
                let n_rows = want.n_rows(n_tokens);
                let mut outputs = Vec::new();
                while let Some(row) = rows.get(*n_asked, n_rows).filter(|&row| row < to) {
                    if outputs.len() == most {
                        return (outputs, row);
                    }
                    outputs.push(Output { row: row - from, want: want_of(row) });
                    *n_asked += 1;
                }
                (outputs, to)
            }
        }
    }

    /// Whether nothing is left to be asked for, so that only answers are missing.
    ///
    /// Texts that generate keep their place until their last token is known, because then later texts can begin with
    /// what was drawn for them.
    pub(crate) fn is_read(&self) -> bool {
        match &self.work {
            Work::Generate { .. } => false,
            Work::Read { rows, want, n_asked, .. } => *n_asked == rows.count(want.n_rows(self.tokens.len())),
        }
    }

    /// Takes what a step gave.
    pub(crate) fn accept(&mut self, part: &Part, answers: impl Iterator<Item = Answer>) -> Vec<What> {
        let mut happened = Vec::new();
        if self.n_told.is_none() {
            happened.push(What::Started { n_cached: part.n_cached });
        }
        let n_told = self.n_told.unwrap_or(part.n_cached);
        let n_read = part.n_read.clamp(n_told, self.n_given.max(n_told));
        if n_read > n_told {
            happened.push(What::Progress { n_read, n_tokens: self.n_given });
        }
        self.n_told = Some(n_read);
        let mut guess = part.guess.iter();
        let (mut is_right, mut n_right) = (true, 0);
        for (&row, answer) in part.rows.iter().zip(answers) {
            match &mut self.work {
                Work::Generate { n_ahead, .. } => *n_ahead -= 1,
                Work::Read { n_answered, .. } => *n_answered += 1,
            }
            match answer {
                // it was drawn behind a token that is none of the text
                Answer::Token(_) if !is_right => {}
                Answer::Token(sampled) => {
                    is_right = guess.next() == Some(&sampled.id);
                    n_right += usize::from(is_right);
                    self.accept_token(sampled, &mut happened);
                }
                Answer::Logprobs(logprobs) => happened.push(What::Logprobs { row, logprobs }),
                Answer::Scores(values) => happened.push(What::Scores { row, values }),
                Answer::State(values) => happened.push(What::State { row, values }),
            }
        }
        if let Work::Generate { guesser: Some(guesser), .. } = &mut self.work
            && !part.guess.is_empty()
        {
            let n_guessed = part.guess.len();
            guesser.learn(n_guessed, n_right, self.tokens.len());
            happened.push(What::Guessed { n_guessed, n_right });
        }
        happened
    }

    fn accept_token(&mut self, sampled: Sampled, happened: &mut Vec<What>) {
        let Work::Generate { constraint, sampler, logprobs, broken, until, end, .. } = &mut self.work else {
            return;
        };
        let go_on = || -> Result<(), String> {
            // it was drawn among any tokens
            if let Some(reason) = broken.take() {
                return Err(reason);
            }
            let id = sampled.id;
            self.tokens.push(id);
            happened.push(What::Token(sampled));
            let Some(constraint) = constraint else { return Ok(()) };
            constraint.take(id)?;
            let mut is_cut = false;
            // The device reports log probabilities of what it draws, and counts it for penalties: there each is drawn, among the one
            // that may follow.
            if logprobs.is_none() && !sampler.has_penalties() {
                let mut forced = constraint.force()?;
                let n_left = until.saturating_sub(self.tokens.len());
                // the constraint took all of them
                is_cut = forced.len() > n_left;
                forced.truncate(n_left);
                self.tokens.extend_from_slice(&forced);
                happened.extend(forced.into_iter().map(|id| What::Token(Sampled { id, logprobs: None })));
            }
            if constraint.is_over() && !is_cut {
                *end = End::Complete;
                *until = self.tokens.len();
            }
            Ok(())
        };
        if let Err(reason) = go_on() {
            happened.push(What::Broken { reason });
            *end = End::Broken;
            *until = self.tokens.len();
        }
    }

    /// The tokens that may be drawn next, a bit each.
    pub(crate) fn allow(&mut self, n_words: usize) -> Vec<u32> {
        let mut bits = vec![0; n_words];
        if let Work::Generate { constraint: Some(constraint), broken, .. } = &mut self.work
            && let Err(reason) = constraint.allow(&mut bits)
        {
            *broken = Some(reason);
        }
        bits
    }

    /// Why it is done, if it is.
    pub(crate) fn end(&self) -> Option<End> {
        match &self.work {
            Work::Generate { until, end, .. } => Some(*end).filter(|_| self.tokens.len() >= *until),
            Work::Read { rows, want, n_answered, .. } => {
                let n_wanted = rows.count(want.n_rows(self.tokens.len()));
                Some(End::Read).filter(|_| *n_answered == n_wanted)
            }
        }
    }

    /// What was asked for will never be answered.
    pub(crate) fn forget_asked(&mut self) {
        match &mut self.work {
            Work::Generate { n_ahead, has_guess, .. } => (*n_ahead, *has_guess) = (0, false),
            Work::Read { n_asked, n_answered, .. } => *n_asked = *n_answered,
        }
    }
}
