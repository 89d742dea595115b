//! The ways to do one thing, best first.

use serde::{Deserialize, Serialize};

/// Candidates of a choice, best first: at least one, none twice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<T>", into = "Vec<T>")]
#[serde(bound(serialize = "T: Clone + Serialize", deserialize = "T: Copy + PartialEq + Deserialize<'de>"))]
pub struct Candidates<T>(Vec<T>);

impl<T: Copy + PartialEq> Candidates<T> {
    /// One that there is no alternative to.
    pub(crate) fn one(candidate: T) -> Self {
        Self(vec![candidate])
    }

    /// Several, those that come again left out.
    ///
    /// # Panics
    /// If there is none.
    pub(crate) fn of(all: impl IntoIterator<Item = T>) -> Self {
        let mut candidates = Vec::new();
        for candidate in all {
            if !candidates.contains(&candidate) {
                candidates.push(candidate);
            }
        }
        assert!(!candidates.is_empty(), "a choice without candidates");
        Self(candidates)
    }

    /// The one that counts.
    pub fn best(&self) -> T {
        self.0[0]
    }

    /// All of them, best first.
    pub fn all(&self) -> &[T] {
        &self.0
    }

    /// Takes a candidate out; false if that would leave none.
    #[must_use]
    pub(crate) fn strike(&mut self, candidate: T) -> bool {
        match self.0.iter().position(|&other| other == candidate) {
            Some(_) if self.0.len() == 1 => false,
            Some(at) => {
                self.0.remove(at);
                true
            }
            None => true,
        }
    }

    /// Puts a candidate first; false if it is none.
    pub fn prefer(&mut self, candidate: T) -> bool {
        match self.0.iter().position(|&other| other == candidate) {
            Some(at) => {
                self.0[..=at].rotate_right(1);
                true
            }
            None => false,
        }
    }
}

impl<T: Copy + PartialEq> TryFrom<Vec<T>> for Candidates<T> {
    type Error = &'static str;

    fn try_from(all: Vec<T>) -> Result<Self, &'static str> {
        if all.is_empty() {
            Err("a choice has no candidate; it needs at least one")
        } else {
            Ok(Self::of(all))
        }
    }
}

impl<T> From<Candidates<T>> for Vec<T> {
    fn from(candidates: Candidates<T>) -> Self {
        candidates.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_preferred_comes_first_and_the_others_keep_their_order() {
        let mut candidates = Candidates::of([1, 2, 2, 3, 1, 4]);
        assert_eq!(candidates.all(), [1, 2, 3, 4]);
        assert!(candidates.prefer(3) && !candidates.prefer(9));
        assert_eq!(candidates.all(), [3, 1, 2, 4]);
    }

    #[test]
    fn the_last_candidate_stays() {
        let mut candidates = Candidates::of([1, 2]);
        assert!(candidates.strike(1) && candidates.strike(7));
        assert!(!candidates.strike(2));
        assert_eq!(candidates.all(), [2]);
    }
}
