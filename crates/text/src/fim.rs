//! Filling in the middle, which the Coder base models learned.

use crate::{Error, Specials, Tokenizer};

/// Names of the tokens that end a middle, besides the end-of-text ids: the model goes on to the
/// next file, or begins to repeat the form.
pub const FIM_STOP_TOKENS: [&str; 8] = [
    "<|endoftext|>",
    "<|im_end|>",
    "<|fim_prefix|>",
    "<|fim_middle|>",
    "<|fim_suffix|>",
    "<|fim_pad|>",
    "<|repo_name|>",
    "<|file_sep|>",
];

const PREFIX: &str = "<|fim_prefix|>";
const SUFFIX: &str = "<|fim_suffix|>";
const MIDDLE: &str = "<|fim_middle|>";

/// The prompt after which a Coder model writes what belongs between two texts. To be encoded with
/// [`Specials::Parse`].
#[must_use]
pub fn fim_prompt(before: &str, after: &str) -> String {
    format!("{PREFIX}{before}{SUFFIX}{after}{MIDDLE}")
}

/// The ids of [`fim_prompt`], in which names of special tokens in the two texts are only text.
pub fn fim_ids(tokenizer: &Tokenizer, before: &str, after: &str) -> Result<Vec<u32>, Error> {
    let id = |name: &str| {
        tokenizer.id_of(name).filter(|&id| tokenizer.is_added(id)).ok_or_else(|| {
            Error::Conversation(format!(
                "this model cannot fill in a middle: its tokenizer has no token {name}; Qwen2.5-Coder and later models have it"
            ))
        })
    };
    let mut ids = vec![id(PREFIX)?];
    ids.extend(tokenizer.encode(before, Specials::AsText)?);
    ids.push(id(SUFFIX)?);
    ids.extend(tokenizer.encode(after, Specials::AsText)?);
    ids.push(id(MIDDLE)?);
    Ok(ids)
}

/// A file of a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RepoFile<'a> {
    /// Its path in the repository.
    pub path: &'a str,
    /// Its text.
    pub content: &'a str,
}

/// The prompt for a gap in the file at `path`, with other files of its repository before it. To be
/// encoded with [`Specials::Parse`].
#[must_use]
pub fn repo_fim_prompt(repo: &str, others: &[RepoFile<'_>], path: &str, before: &str, after: &str) -> String {
    let mut prompt = format!("<|repo_name|>{repo}\n");
    for RepoFile { path, content } in others {
        prompt.push_str(&format!("<|file_sep|>{path}\n{content}\n"));
    }
    prompt + &format!("<|file_sep|>{path}\n{}", fim_prompt(before, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_comes_last() {
        assert_eq!(fim_prompt("a(", ")\n"), "<|fim_prefix|>a(<|fim_suffix|>)\n<|fim_middle|>");
        assert!(FIM_STOP_TOKENS.contains(&MIDDLE));
    }

    #[test]
    fn files_of_a_repository_come_first() {
        let others = [RepoFile { path: "a.py", content: "x = 1" }, RepoFile { path: "b/c.py", content: "" }];
        assert_eq!(
            repo_fim_prompt("demo", &others, "d.py", "print(", ")"),
            "<|repo_name|>demo\n<|file_sep|>a.py\nx = 1\n<|file_sep|>b/c.py\n\n<|file_sep|>d.py\n<|fim_prefix|>print(<|fim_suffix|>)<|fim_middle|>"
        );
    }
}
