//! What is asked of a model at a time, and what it answers: plain data, on which whoever decides what runs and whoever
//! runs it agree.

/// A running text's place on the device: its sampler settings, its token counts, and the token that was sampled for it
/// last.
pub type Slot = u32;

/// A page of the key/value cache: [`PAGE`] positions of every layer.
pub type Page = u32;

/// Positions of a page.
pub const PAGE: usize = 32;

/// Most tokens whose logits a text may change, see [`Begin::bias`].
pub const MAX_BIASES: usize = 1024;

/// Most tokens that [`Logprobs`] list.
pub const MAX_TOP_LOGPROBS: usize = 20;

/// One pass over the weights, for the tokens of any number of texts.
///
/// Steps run in the order in which they are submitted, each after the one before has ended: a page may have a new owner
/// as soon as the last step of the old one is submitted.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Step {
    /// Slots that get a new owner, before anything runs.
    pub begins: Vec<Begin>,
    /// Pages that are copied, before anything runs.
    pub copies: Vec<PageCopy>,
    /// What runs, one of each text at most.
    pub spans: Vec<Span>,
}

/// A text takes a slot.
#[derive(Debug, Clone, PartialEq)]
pub struct Begin {
    /// Which one.
    pub slot: Slot,
    /// How its tokens are drawn.
    pub sampler: Sampler,
    /// Tokens with what is added to their logits before anything else, by rising id, [`MAX_BIASES`] at most.
    pub bias: Vec<(u32, f32)>,
    /// Tokens of its prompt, for penalties.
    pub prompt: Vec<u32>,
    /// Tokens that were drawn for it before: it continues, having lost its place.
    pub drawn: Vec<u32>,
}

/// The keys and values of a page become those of another: what two texts shared is about to be written by one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageCopy {
    /// What is copied.
    pub from: Page,
    /// What is overwritten.
    pub to: Page,
}

/// Consecutive tokens of a text.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// The text's place.
    pub slot: Slot,
    /// Position of the first token.
    pub position: usize,
    /// The tokens; at least one.
    pub tokens: Vec<Source>,
    /// The pages of the text, those of its first positions first, up to that of the span's last token.
    pub pages: Vec<Page>,
    /// Tokens of the prompt that the text's angles are made for, see [`Rope::table`](crate::Rope::table).
    pub n_prompt: usize,
    /// Adapters that change the weights for it, by the number that loading gave them, with their scales.
    pub adapters: Vec<(u64, f32)>,
    /// What is wanted, in rising order of rows.
    pub outputs: Vec<Output>,
}

/// Where a token comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// It is known.
    Id(u32),
    /// It was drawn for the slot by the step before, and perhaps only the device knows it.
    Next,
}

/// Something that is wanted of a token of a span.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Output {
    /// Which token, from 0.
    pub row: usize,
    /// What.
    pub want: Want,
}

/// Which tokens may be drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Among {
    /// All.
    All,
    /// Those in a list that comes while the step runs.
    Listed,
}

/// What is wanted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Want {
    /// The next token, drawn with the slot's settings. It becomes the slot's [`Source::Next`].
    Token {
        /// Which tokens may be drawn.
        among: Among,
        /// The random numbers' seed.
        seed: u32,
        /// Which of the seed's numbers: how many tokens were drawn for the text before.
        index: u32,
        /// How many of the most likely tokens are told with their log probabilities, besides the one that is drawn,
        /// [`MAX_TOP_LOGPROBS`] at most; `None`: not even its own is.
        logprobs: Option<u8>,
    },
    /// How likely a token is to come next.
    Logprobs {
        /// Which one.
        token: u32,
        /// How many of the most likely ones are told besides, [`MAX_TOP_LOGPROBS`] at most.
        n_top: u8,
    },
    /// What the head gives: logits or scores.
    Scores,
    /// The state after the final norm.
    State,
}

impl Want {
    /// How many of the most likely tokens are to be told.
    pub fn n_top(self) -> usize {
        match self {
            Self::Token { logprobs, .. } => logprobs.unwrap_or(0).into(),
            Self::Logprobs { n_top, .. } => n_top.into(),
            Self::Scores | Self::State => 0,
        }
    }
}

/// How tokens are drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampler {
    /// Divides the logits; 0: the most likely token is taken.
    pub temperature: f32,
    /// Keeps this many; 0: all.
    pub top_k: u32,
    /// Keeps the most likely that together have this probability; 1: all.
    pub top_p: f32,
    /// Keeps what is at least this likely relative to the most likely; 0: all.
    pub min_p: f32,
    /// Divides logits of tokens seen in prompt or reply; 1: off.
    pub repetition_penalty: f32,
    /// Subtracted from logits of tokens seen in the reply.
    pub presence_penalty: f32,
    /// Subtracted once for each time a token was seen in the reply.
    pub frequency_penalty: f32,
    /// Ids from here on are never drawn.
    pub n_vocab: u32,
}

impl Sampler {
    /// The most likely of `n_vocab` tokens, without penalties.
    pub fn greedy(n_vocab: u32) -> Self {
        Self {
            temperature: 0.0,
            top_k: 0,
            top_p: 1.0,
            min_p: 0.0,
            repetition_penalty: 1.0,
            presence_penalty: 0.0,
            frequency_penalty: 0.0,
            n_vocab,
        }
    }

    /// Whether it looks at the tokens that a text has.
    pub fn has_penalties(&self) -> bool {
        self.repetition_penalty != 1.0 || self.presence_penalty != 0.0 || self.frequency_penalty != 0.0
    }
}

/// A token that was drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct Sampled {
    /// Which one.
    pub id: u32,
    /// How likely it was, if that was asked for.
    pub logprobs: Option<Logprobs>,
}

/// Natural logarithms of probabilities: of the softmax of all logits as the model gives them, before biases, penalties and
/// temperature.
#[derive(Debug, Clone, PartialEq)]
pub struct Logprobs {
    /// Of the token in question.
    pub logprob: f32,
    /// The most likely tokens with theirs, in falling order, equal ones by rising id.
    pub top: Vec<(u32, f32)>,
}

/// What came of a [`Want`].
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// The token.
    Token(Sampled),
    /// How likely it was.
    Logprobs(Logprobs),
    /// Logits or scores of one token, as wide as the head.
    Scores(Vec<f32>),
    /// The normalised state of one token.
    State(Vec<f32>),
}

impl Step {
    /// Tokens that run.
    pub fn n_tokens(&self) -> usize {
        self.spans.iter().map(|span| span.tokens.len()).sum()
    }

    /// A text that is alone: tokens from a position on, in slot 0, its pages the first of the cache.
    pub fn of_one(position: usize, tokens: Vec<Source>, outputs: Vec<Output>) -> Self {
        let n = position + tokens.len();
        let pages = (0..n.div_ceil(PAGE) as Page).collect();
        let span = Span { slot: 0, position, tokens, pages, n_prompt: n, adapters: Vec::new(), outputs };
        Self { spans: vec![span], ..Self::default() }
    }

    /// How many lists of tokens it needs, in the order of its outputs.
    pub fn n_lists(&self) -> usize {
        let is_listed = |want: Want| matches!(want, Want::Token { among: Among::Listed, .. });
        self.outputs().filter(|(_, output)| is_listed(output.want)).count()
    }

    /// What is wanted, span by span: the order of the answers.
    pub fn outputs(&self) -> impl Iterator<Item = (&Span, &Output)> {
        self.spans.iter().flat_map(|span| span.outputs.iter().map(move |output| (span, output)))
    }
}
