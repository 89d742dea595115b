//! When a reply ends: end-of-text ids, and strings that the caller does not want to see.

/// Watches a streamed reply for its end.
///
/// Text that could be the beginning of a stop string is held back until it is known not to be one,
/// so what was emitted never has to be taken back. Where the text is cut into pushes makes no
/// difference.
#[derive(Clone, Debug, Default)]
pub struct StopRules {
    eos_ids: Vec<u32>,
    strings: Vec<String>,
    held: String,
    stopped: bool,
}

/// What came of a piece of text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StopStep {
    /// Text that may be shown now.
    pub emit: String,
    /// The stop string that ended the reply, if one did. It is not part of the text.
    pub stopped: Option<String>,
}

impl StopRules {
    /// Rules for one reply. Empty strings are ignored.
    #[must_use]
    pub fn new(eos_ids: Vec<u32>, stop_strings: Vec<String>) -> Self {
        let strings = stop_strings.into_iter().filter(|s| !s.is_empty()).collect();
        Self { eos_ids, strings, ..Self::default() }
    }

    /// Whether this id ends the reply. It is not part of the text.
    #[must_use]
    pub fn is_eos(&self, id: u32) -> bool {
        self.eos_ids.contains(&id)
    }

    /// Takes the next text. After a stop there is nothing more to emit.
    pub fn push(&mut self, text: &str) -> StopStep {
        if self.stopped {
            return StopStep::default();
        }
        self.held.push_str(text);
        if let Some((start, which)) = self.first_match() {
            self.stopped = true;
            self.held.truncate(start);
            let emit = std::mem::take(&mut self.held);
            return StopStep { emit, stopped: Some(self.strings[which].clone()) };
        }
        let rest = self.held.split_off(self.held.len() - self.partial_match());
        StopStep { emit: std::mem::replace(&mut self.held, rest), stopped: None }
    }

    /// The reply ended for another reason: returns the text that was held back.
    pub fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }

    /// Start and index of the stop string that is complete first; of several that end at the same
    /// place, the longest. Ordering by the end makes the result independent of how text arrives.
    fn first_match(&self) -> Option<(usize, usize)> {
        self.strings
            .iter()
            .enumerate()
            .filter_map(|(which, s)| self.held.find(s.as_str()).map(|at| (at + s.len(), at, which)))
            .min()
            .map(|(_, start, which)| (start, which))
    }

    /// Length of the longest end of the held text that begins a stop string.
    fn partial_match(&self) -> usize {
        let longest = self.strings.iter().map(String::len).max().unwrap_or(0);
        let from = self.held.len().saturating_sub(longest.saturating_sub(1));
        (from..self.held.len())
            .filter(|&at| self.held.is_char_boundary(at))
            .map(|at| &self.held[at..])
            .find(|end| self.strings.iter().any(|s| s.starts_with(end)))
            .map_or(0, str::len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pushes the text in pieces of `size` characters.
    fn run(stops: &[&str], text: &str, size: usize) -> (String, Option<String>) {
        let mut rules = StopRules::new(vec![], stops.iter().map(|s| (*s).to_owned()).collect());
        let mut shown = String::new();
        let chars: Vec<char> = text.chars().collect();
        for piece in chars.chunks(size) {
            let step = rules.push(&piece.iter().collect::<String>());
            shown += &step.emit;
            if step.stopped.is_some() {
                assert_eq!(rules.push("more"), StopStep::default());
                assert_eq!(rules.finish(), "");
                return (shown, step.stopped);
            }
        }
        (shown + &rules.finish(), None)
    }

    #[test]
    fn the_result_does_not_depend_on_the_cuts() {
        let cases: &[(&[&str], &str, &str, Option<&str>)] = &[
            (&["Observation:"], "Action: x\nObservation: y", "Action: x\n", Some("Observation:")),
            (&["abcd", "bc"], "xabcd", "xa", Some("bc")),
            (&["aab"], "aaaab!", "aa", Some("aab")),
            (&["\n\n", "\n"], "one\n\ntwo", "one", Some("\n")),
            (&["。结束"], "好。结果。结束了", "好。结果", Some("。结束")),
            (&["bc", "abc"], "xabc", "x", Some("abc")),
            (&["never"], "nev nevr neve", "nev nevr neve", None),
            (&[""], "text", "text", None),
        ];
        for (stops, text, shown, stopped) in cases {
            for size in 1..=text.chars().count() {
                let (got, by) = run(stops, text, size);
                assert_eq!((got.as_str(), by.as_deref()), (*shown, *stopped), "{text:?} by {size}");
            }
        }
    }

    #[test]
    fn text_that_cannot_stop_is_not_held_back() {
        let mut rules = StopRules::new(vec![7], vec!["END".into()]);
        assert_eq!(rules.push("the E").emit, "the ");
        assert_eq!(rules.push("lse").emit, "Else");
        assert!(rules.is_eos(7) && !rules.is_eos(8));
    }
}
