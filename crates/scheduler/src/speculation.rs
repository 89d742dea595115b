//! Tokens that are guessed: a text that repeats itself goes on as it went on before. They run behind the token that is known, in
//! the same step, and a token is drawn behind each; those that were drawn as they had been guessed count, so that a guess never
//! changes what is drawn.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

/// Whether tokens are guessed, which are then drawn several a step.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Speculation {
    /// None is.
    #[default]
    Off,
    /// As the text went on where its last tokens stood before. (Prompt lookup decoding; Saxena, 2023.)
    Ngram,
}

/// Tokens that must have stood before: fewer are often followed by something else, more seldom stood there.
const N: usize = 3;
/// Most tokens of a guess: with the known one, a step of 8, which reads each weight once.
const MOST: usize = 7;
/// Tokens of the first guess.
const FIRST: usize = 3;
/// Most tokens without a guess after guesses that were wrong.
const LONGEST_PAUSE: usize = 64;

/// Guesses the tokens of a text.
#[derive(Debug)]
pub(crate) struct Guesser {
    /// What follows the last place of every N tokens, but those at the end.
    behind: HashMap<[u32; N], usize>,
    /// Tokens that were looked at.
    n_seen: usize,
    /// Tokens of the next guess, by how good the last ones were.
    most: usize,
    /// Guesses in a row of which nothing was right.
    n_wrong: u32,
    /// Nothing is guessed before the text has so many tokens.
    not_before: usize,
}

impl Guesser {
    pub(crate) fn new(speculation: Speculation) -> Option<Self> {
        (speculation == Speculation::Ngram).then(|| Self {
            behind: HashMap::new(),
            n_seen: N,
            most: FIRST,
            n_wrong: 0,
            not_before: 0,
        })
    }

    /// How the text may go on, `most` tokens at most.
    pub(crate) fn guess(&mut self, tokens: &[u32], most: usize) -> Vec<u32> {
        let Some(from) = self.find(tokens) else { return Vec::new() };
        let n = self.most.min(most);
        let mut guess: Vec<u32> = tokens[from..].iter().take(n).copied().collect();
        // where the end of the text is reached, it goes on with the guess
        while guess.len() < n {
            guess.push(guess[guess.len() - (tokens.len() - from)]);
        }
        guess
    }

    /// Whether there is a guess, if nothing is in its way.
    pub(crate) fn has_guess(&mut self, tokens: &[u32]) -> bool {
        self.find(tokens).is_some()
    }

    fn find(&mut self, tokens: &[u32]) -> Option<usize> {
        for end in self.n_seen..tokens.len() {
            if let Some(&last) = tokens[..end].last_chunk() {
                self.behind.insert(last, end);
            }
        }
        self.n_seen = self.n_seen.max(tokens.len());
        let last = tokens.last_chunk()?;
        self.behind.get(last).copied().filter(|_| tokens.len() >= self.not_before)
    }

    /// So many tokens of the last guess were right; the text now has `n_tokens`.
    pub(crate) fn learn(&mut self, n_guessed: usize, n_right: usize, n_tokens: usize) {
        if n_right == 0 {
            self.n_wrong += 1;
            self.most = FIRST;
            let pause = 1usize.checked_shl(self.n_wrong).unwrap_or(LONGEST_PAUSE).min(LONGEST_PAUSE);
            self.not_before = n_tokens + pause;
            return;
        }
        self.n_wrong = 0;
        self.most = if n_right == n_guessed { (2 * n_guessed + 1).min(MOST) } else { n_right.max(FIRST) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guess(tokens: &[u32], most: usize) -> Vec<u32> {
        Guesser::new(Speculation::Ngram).unwrap().guess(tokens, most)
    }

    #[test]
    fn a_text_goes_on_as_before() {
        assert_eq!(guess(&[1, 2, 3, 4, 5, 6, 7, 1, 2, 3], 7), [4, 5, 6]);
        assert_eq!(guess(&[1, 2, 3, 4, 5, 6, 7, 1, 2, 3], 2), [4, 5]);
        // the last of several places
        assert_eq!(guess(&[1, 2, 3, 4, 1, 2, 3, 5, 0, 0, 1, 2, 3], 1), [5]);
        assert!(guess(&[1, 2, 3, 4, 9, 2, 3], 7).is_empty());
        assert!(guess(&[1, 2], 7).is_empty());
        assert!(guess(&[], 7).is_empty());
    }

    #[test]
    fn a_guess_goes_on_behind_the_end() {
        assert_eq!(guess(&[7, 7, 7, 7], 7), [7, 7, 7]);
        assert_eq!(guess(&[1, 2, 1, 2, 1], 7), [2, 1, 2]);
    }

    #[test]
    fn good_guesses_get_longer_and_wrong_ones_rare() {
        let mut guesser = Guesser::new(Speculation::Ngram).unwrap();
        let text = vec![5; 20];
        let long = vec![5; 1020];
        assert_eq!(guesser.guess(&text, 99).len(), FIRST);
        guesser.learn(3, 3, 24);
        assert_eq!(guesser.guess(&text, 99).len(), MOST);
        guesser.learn(7, 2, 27);
        assert_eq!(guesser.guess(&text, 99).len(), FIRST);
        let mut n_tries = 0;
        for n in text.len()..long.len() {
            if guesser.has_guess(&long[..n]) {
                n_tries += 1;
                guesser.learn(3, 0, n);
            }
        }
        assert!((15..30).contains(&n_tries), "{n_tries}");
        assert!(Guesser::new(Speculation::Off).is_none());
    }
}
