//! Which tokens of a vocabulary are the tags of replies.

use crate::{ReplyTag, ThoughtsEnd, Tokenizer, Visibility};

/// The tags that a vocabulary has tokens for.
#[derive(Clone, Debug, Default)]
pub struct TagTokens(Vec<(u32, ReplyTag, Visibility)>);

impl TagTokens {
    /// Those of a tokenizer: tokens that are matched as whole strings. Releases do not count them as special; files that do
    /// hide them from people as any control token.
    #[must_use]
    pub fn of(tokenizer: &Tokenizer) -> Self {
        let found = ReplyTag::ALL.into_iter().filter_map(|tag| {
            let id = tokenizer.id_of(tag.name()).filter(|&id| tokenizer.is_added(id))?;
            let visibility = if tokenizer.is_special(id) { Visibility::Hidden } else { Visibility::Shown };
            Some((id, tag, visibility))
        });
        Self(found.collect())
    }

    /// The tag that a token is.
    #[must_use]
    pub fn get(&self, id: u32) -> Option<(ReplyTag, Visibility)> {
        self.0.iter().find(|(of, ..)| *of == id).map(|&(_, tag, visibility)| (tag, visibility))
    }

    /// What ends thoughts: the token, if there is one.
    #[must_use]
    pub fn thoughts_end(&self) -> ThoughtsEnd {
        match self.0.iter().any(|(_, tag, _)| *tag == ReplyTag::EndThink) {
            true => ThoughtsEnd::Token,
            false => ThoughtsEnd::Text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::GgufTokenizer;

    #[test]
    fn files_say_which_tags_are_tokens() {
        let mut file = GgufTokenizer::of_bytes(&["<think>", "</think>"], 258);
        file.token_types[257] = 4;
        let tokens = TagTokens::of(&Tokenizer::from_gguf(file).unwrap());
        assert_eq!(tokens.get(256), Some((ReplyTag::Think, Visibility::Hidden)));
        assert_eq!(tokens.get(257), Some((ReplyTag::EndThink, Visibility::Shown)));
        assert_eq!((tokens.get(60), tokens.thoughts_end()), (None, ThoughtsEnd::Token));
        let none = TagTokens::of(&Tokenizer::from_gguf(GgufTokenizer::of_bytes(&[], 256)).unwrap());
        assert_eq!(none.thoughts_end(), ThoughtsEnd::Text);
    }
}
