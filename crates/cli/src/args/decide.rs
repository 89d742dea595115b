//! Arguments of `qwill decide`.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;

use super::ModelArgs;

/// A question and its options.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct OptionsArg {
    pub(crate) instructions: String,
    pub(crate) options: Vec<String>,
}

impl FromStr for OptionsArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (instructions, options) = text.rsplit_once('=').ok_or(
            "a question, = and its options with commas between them are needed, as in \"Which?=red,green\"",
        )?;
        let options = options.split(',').map(|option| option.trim().to_owned()).collect();
        Ok(Self { instructions: instructions.to_owned(), options })
    }
}

#[derive(Debug, Args)]
pub(crate) struct DecideArgs {
    /// What the questions are about; "-" reads it from standard input
    pub(crate) input: String,
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    /// Ask whether this is so: a statement, or a question (may be given several times)
    #[arg(long, value_name = "TEXT")]
    pub(crate) predicate: Vec<String>,
    /// Ask which of these it is (may be given several times)
    #[arg(long, value_name = "TEXT=A,B,…")]
    pub(crate) choice: Vec<OptionsArg>,
    /// Ask where on a scale it is, of 2 to 10 levels, the lowest first (may be given several times)
    #[arg(long, value_name = "TEXT=LOW,…,HIGH")]
    pub(crate) score: Vec<OptionsArg>,
    /// JSON file with a list of questions in the shape of OpenAI's Decisions, which come before those of the options above, or
    /// with an object of questions by name in the shape of TypeSafe's System One
    #[arg(long, value_name = "FILE")]
    pub(crate) questions: Option<PathBuf>,
    /// Print one JSON object, in the shape that the questions have
    #[arg(long)]
    pub(crate) json: bool,
}

#[cfg(test)]
mod tests {
    use super::OptionsArg;

    #[test]
    fn options_follow_the_last_equals_sign() {
        let found: OptionsArg = "Is 1 + 1 = 2?=yes, no".parse().unwrap();
        assert_eq!(
            (found.instructions.as_str(), &found.options[..]),
            ("Is 1 + 1 = 2?", &["yes".to_owned(), "no".to_owned()][..])
        );
        assert!("Which?".parse::<OptionsArg>().unwrap_err().contains("Which?=red,green"));
    }
}
