//! Typed decisions: questions about an input, each answered by the probabilities of its options. Nothing is drawn.
//!
//! The shapes are those of OpenAI's Decisions interface: a [`DecisionRequest`] has an `input` and `questions` of the kinds
//! predicate, choice and score, a [`Decision`] has an answer for each, in their order. TypeSafe's System One asks the same by
//! other names ([`SystemOneRequest`], [`Model::system_one`]). `confidence` is that of System One: how far the most likely option
//! stands above chance, 0 where all are equally likely and 1 where one is sure.
//!
//! # What a probability is
//!
//! The model is given the input and the question as one message of a chat, its thoughts off, and each option is read as its
//! reply. How likely the reply is, is the product of the probabilities of all of its tokens and of the token that ends it, so
//! that an option which another begins with gets nothing of the other's. Divided by the sum over the options of the question,
//! that is the option's probability.
//!
//! # Order
//!
//! Models prefer what a list begins with. The choices of a question therefore stand in the message in the order of their
//! texts, not in that in which they were given: the same choices in another order are the same question, up to the last bits
//! of sums. The levels of a score stand as they were given, because their order is what they mean.
//!
//! # Cost
//!
//! All questions begin with the input, which is read once; so is each question, whatever the number of its options, and what
//! the cache holds of either is not read again. [`DecisionUsage::read_tokens`] tells what was read.

mod answer;
mod fields;
mod message;
mod object;
mod request;
mod system_one;

use std::collections::VecDeque;

use qwill_scheduler::{Rows, Wanted, What};
use qwill_text::{Specials, SpecialsOut};

pub use self::answer::{Answer, ChoiceProbability, Decision, DecisionUsage, LevelProbability, Outcome};
use self::message::{message, options};
pub use self::request::{Choice, ChoiceValue, DecisionRequest, Level, Question, QuestionKind};
pub use self::system_one::SystemOneRequest;
use crate::driver::Signals;
use crate::requests::Reading;
use crate::timings::Clock;
use crate::{ChatRequest, Error, Model};

/// Ends what is said in a chat.
const END: &str = "<|im_end|>";
/// Thoughts begin and end with these, where a template begins them whatever it is told.
const THINK: &str = "<think>";
const NO_THOUGHTS: &str = "\n\n</think>\n\n";

/// Replies that are on their way at a time: more than run together, so that nothing waits, but not all of a long list.
const MOST_AT_ONCE: usize = 64;

/// A question as tokens.
struct Asked {
    prompt: Vec<u32>,
    /// Every reply that is possible, with what ends it.
    replies: Vec<Vec<u32>>,
}

impl Asked {
    /// The prompt with each of the replies.
    fn texts(&self) -> impl Iterator<Item = (&[u32], &[u32])> {
        self.replies.iter().map(|reply| (&self.prompt[..], &reply[..]))
    }
}

/// What was heard of a reply.
struct Heard {
    logprob: f64,
    /// Tokens of prompt and reply that the cache held.
    n_cached: usize,
}

impl Model {
    /// Answers questions about an input, each with the probabilities of its options.
    ///
    /// ```no_run
    /// # async fn example(model: &qwill::Model) -> Result<(), qwill::Error> {
    /// use qwill::decide::{DecisionRequest, Outcome, Question};
    ///
    /// let request = DecisionRequest::new(
    ///     "I was charged twice for the same order. Please fix that today!",
    ///     [
    ///         Question::predicate("The customer wants money back."),
    ///         Question::choice("Who should answer?", ["billing", "technical", "sales"]).named("team"),
    ///         Question::score("How urgent is it?", ["not at all", "somewhat", "very"]),
    ///     ],
    /// );
    /// for answer in model.decide(&request).await?.answers {
    ///     match answer.outcome {
    ///         Outcome::Predicate { probability } => println!("yes: {probability:.2}"),
    ///         Outcome::Choice { choice, confidence, .. } => println!("{choice}, {confidence:.2} sure"),
    ///         Outcome::Score { score, .. } => println!("{score:.1} of 2"),
    ///     }
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// If the request makes no sense, a question does not fit the context, or the model knows no chats.
    pub async fn decide(&self, request: &DecisionRequest) -> Result<Decision, Error> {
        self.check_generates()?;
        request.check()?;
        let adapters = self.resolve_adapters(request.adapters.as_deref())?;
        let mut clock = Clock::start();
        let asked = request.questions.iter().map(|question| self.ask(&request.input, question));
        let asked: Vec<Asked> = asked.collect::<Result<_, _>>()?;
        let heard = self.hear_all(&asked, &adapters).await?;
        clock.token();
        let usage = usage(&asked, &heard);
        let mut heard = heard.iter();
        let answers = request.questions.iter().zip(&asked).map(|(question, asked)| {
            let logprobs: Vec<f64> =
                heard.by_ref().take(asked.replies.len()).map(|heard| heard.logprob).collect();
            Answer::new(question, &logprobs)
        });
        let mut timings = clock.timings(usage.read_tokens);
        timings.load_ms = self.load_ms();
        Ok(Decision { model: self.facts().name.clone(), answers: answers.collect(), usage, timings })
    }

    /// Reads all replies to all questions, in their order.
    async fn hear_all(&self, asked: &[Asked], adapters: &[(u64, f32)]) -> Result<Vec<Heard>, Error> {
        // Others are on their way before the first is waited for: they wait for what it reads and share it.
        let (mut on_their_way, mut heard) = (VecDeque::new(), Vec::new());
        for (prompt, reply) in asked.iter().flat_map(Asked::texts) {
            if on_their_way.len() == MOST_AT_ONCE
                && let Some(oldest) = on_their_way.pop_front()
            {
                heard.push(hear(oldest).await?);
            }
            let ids = [prompt, reply].concat();
            let rows = Rows::List((prompt.len() - 1..ids.len() - 1).collect());
            let (adapters, want) = (adapters.to_vec(), Wanted::Logprobs(0));
            on_their_way.push_back(self.start_reading(Reading { ids, adapters, chunk: None, rows, want })?);
        }
        for signals in on_their_way {
            heard.push(hear(signals).await?);
        }
        Ok(heard)
    }

    fn ask(&self, input: &str, question: &Question) -> Result<Asked, Error> {
        let request =
            ChatRequest { enable_thinking: Some(false), ..ChatRequest::user(&message(input, question)) };
        let mut prompt = self.prompt_ids(&request)?;
        let tokenizer = self.tokenizer()?;
        let end = tokenizer.id_of(END).ok_or_else(|| {
            Error::Request(format!("this model knows no chats, so it cannot decide: it has no token {END}"))
        })?;
        if let Some(think) = tokenizer.id_of(THINK)
            && let Some(at) = prompt.iter().rposition(|&id| id == think)
            && tokenizer.decode(&prompt[at + 1..], SpecialsOut::Keep).trim().is_empty()
        {
            prompt.truncate(at + 1);
            prompt.extend(self.tokenize(NO_THOUGHTS, Specials::Parse)?);
        }
        let replies = options(question).into_iter().map(|option| {
            let mut ids = self.tokenize(option, Specials::AsText)?;
            ids.push(end);
            Ok(ids)
        });
        Ok(Asked { replies: replies.collect::<Result<_, Error>>()?, prompt })
    }
}

/// Waits for a reply to be read.
async fn hear(mut signals: Signals) -> Result<Heard, Error> {
    let mut heard = Heard { logprob: 0.0, n_cached: 0 };
    while let Some(what) = signals.next().await.transpose()? {
        match what {
            What::Started { n_cached } => heard.n_cached = n_cached,
            What::Logprobs { logprobs, .. } => heard.logprob += f64::from(logprobs.logprob),
            What::Finished(_) => return Ok(heard),
            What::Progress { .. }
            | What::Token(_)
            | What::Scores { .. }
            | What::State { .. }
            | What::Guessed { .. }
            | What::Broken { .. } => {}
        }
    }
    Err(Error::ended())
}

fn usage(asked: &[Asked], heard: &[Heard]) -> DecisionUsage {
    let first = asked.first().map_or(&[][..], |asked| &asked.prompt);
    let in_common = |asked: &Asked| asked.prompt.iter().zip(first).take_while(|(a, b)| a == b).count();
    let n_shared = asked.iter().map(in_common).min().unwrap_or(0);
    let lengths = asked.iter().flat_map(Asked::texts).map(|(prompt, reply)| prompt.len() + reply.len());
    let n_replies = |asked: &Asked| asked.replies.iter().map(Vec::len).sum::<usize>();
    let of_question = |asked: &Asked| asked.prompt.len() - n_shared + n_replies(asked);
    DecisionUsage {
        input_tokens: n_shared + asked.iter().map(of_question).sum::<usize>(),
        cached_tokens: heard.first().map_or(0, |heard| heard.n_cached),
        read_tokens: lengths.zip(heard).map(|(length, heard)| length - heard.n_cached).sum(),
    }
}
