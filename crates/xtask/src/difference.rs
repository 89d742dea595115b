//! The first line in which two texts differ.

use std::fmt;

/// Where two texts differ first, and what stands there.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    /// Counted from 1.
    line: usize,
    /// `None` if the text ends before.
    is: Option<String>,
    /// `None` if the text should have ended before.
    should_be: Option<String>,
}

/// Compares line by line: how a line ends, which Git may have changed, is no difference.
pub(crate) fn first_difference(is: &str, should_be: &str) -> Option<Difference> {
    let (mut left, mut right) = (is.lines(), should_be.lines());
    for line in 1.. {
        let (is, should_be) = (left.next(), right.next());
        if is != should_be {
            return Some(Difference {
                line,
                is: is.map(str::to_owned),
                should_be: should_be.map(str::to_owned),
            });
        }
        if is.is_none() {
            break;
        }
    }
    None
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |line: &Option<String>| line.clone().unwrap_or_else(|| "(the end of the file)".into());
        write!(f, "line {} is\n    {}\n", self.line, shown(&self.is))?;
        write!(f, "  and should be\n    {}", shown(&self.should_be))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_line_that_differs_is_found() {
        assert_eq!(first_difference("a\nb\n", "a\r\nb"), None);
        let Some(difference) = first_difference("a\nb\nc\n", "a\nB\nC\n") else { panic!("they differ") };
        assert_eq!(difference.to_string(), "line 2 is\n    b\n  and should be\n    B");
    }

    #[test]
    fn text_that_ends_early_differs() {
        for (is, should_be) in [("a\n", "a\nb\n"), ("a\nb\n", "a\n")] {
            let Some(difference) = first_difference(is, should_be) else { panic!("they differ") };
            assert_eq!(difference.line, 2);
            assert!(difference.to_string().contains("(the end of the file)"), "{difference}");
        }
    }
}
