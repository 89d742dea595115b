//! Where in a text its tags are tokens. Stop strings hold text back and know no tokens, so that places are counted in what
//! goes into them and looked for in what comes out.

use std::collections::VecDeque;

use qwill_text::{ReplyTag, Visibility};

/// A part of a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part {
    Text(String),
    Tag(ReplyTag, Visibility),
}

/// Tags between text that went in and text that came out.
#[derive(Debug, Default)]
pub(super) struct TagPlaces {
    places: VecDeque<(usize, ReplyTag, Visibility)>,
    n_in: usize,
    n_out: usize,
    /// The begin of a tag that came out.
    begun: String,
}

impl TagPlaces {
    /// Text goes in; it may end in a tag.
    pub(super) fn note(&mut self, text: &str, tag: Option<(ReplyTag, Visibility)>) {
        self.n_in += text.len();
        self.places.extend(tag.map(|(tag, visibility)| (self.n_in - tag.name().len(), tag, visibility)));
    }

    /// Text comes out.
    pub(super) fn split(&mut self, text: &str) -> Vec<Part> {
        let text = std::mem::take(&mut self.begun) + text;
        let mut parts = Vec::new();
        let mut rest = text.as_str();
        while let Some(&(at, tag, visibility)) =
            self.places.front().filter(|(at, ..)| *at < self.n_out + rest.len())
        {
            let (before, from) = rest.split_at(at - self.n_out);
            parts.push(Part::Text(before.to_owned()));
            self.n_out = at;
            let Some(behind) = from.strip_prefix(tag.name()) else {
                self.begun = from.to_owned();
                return parts;
            };
            parts.push(Part::Tag(tag, visibility));
            self.n_out += tag.name().len();
            self.places.pop_front();
            rest = behind;
        }
        self.n_out += rest.len();
        parts.push(Part::Text(rest.to_owned()));
        parts
    }

    /// Nothing more comes out: the begin of a tag is text, unless the tag is hidden.
    pub(super) fn finish(&mut self) -> String {
        let begun = std::mem::take(&mut self.begun);
        match self.places.front() {
            Some((_, _, Visibility::Hidden)) => String::new(),
            _ => begun,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_found_wherever_the_text_is_held_back() {
        let tag = (ReplyTag::EndThink, Visibility::Shown);
        let text = "a </think> b</think>c";
        for first in 0..=text.len() {
            let mut places = TagPlaces::default();
            places.note("a </think> b</think>", Some(tag));
            places.note("c", None);
            let mut parts = places.split(&text[..first]);
            parts.extend(places.split(&text[first..]));
            let tags = parts.iter().filter(|part| matches!(part, Part::Tag(..))).count();
            let said: String = parts
                .iter()
                .map(|part| if let Part::Text(text) = part { text.as_str() } else { "|" })
                .collect();
            assert_eq!(
                (tags, said.as_str(), places.finish()),
                (1, "a </think> b|c", String::new()),
                "{first}"
            );
        }
        let mut places = TagPlaces::default();
        places.note("</think>", Some(tag));
        places.split("</th");
        assert_eq!(places.finish(), "</th");
    }
}
