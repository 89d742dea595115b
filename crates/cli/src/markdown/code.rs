//! Code in the terminal's own sixteen colours, which suit its background.

use std::sync::LazyLock;

use console::Style;
use syntect::parsing::{ParseState, Scope, ScopeStack, SyntaxReference, SyntaxSet};

static SYNTAXES: LazyLock<SyntaxSet> = LazyLock::new(SyntaxSet::load_defaults_newlines);

/// Languages that have no syntax of their own here, and the extensions of those that look most like them.
const SIMILAR: [(&str, &str); 13] = [
    ("typescript", "js"),
    ("ts", "js"),
    ("tsx", "js"),
    ("jsx", "js"),
    ("json5", "js"),
    ("jsonc", "js"),
    ("toml", "properties"),
    ("ini", "properties"),
    ("kotlin", "java"),
    ("shell", "sh"),
    ("console", "sh"),
    ("zsh", "sh"),
    ("dockerfile", "sh"),
];

/// What is coloured; the first that a part belongs to counts, from the inside out.
static INKS: LazyLock<Vec<(Scope, Style)>> = LazyLock::new(|| {
    let style = || Style::new().force_styling(true);
    let inks = [
        ("comment", style().dim().italic()),
        ("string", style().green()),
        ("constant.character", style().cyan()),
        ("constant", style().yellow()),
        ("keyword.operator", style()),
        ("keyword", style().magenta()),
        ("storage", style().magenta()),
        ("entity.name.function", style().blue()),
        ("support.function", style().blue()),
        ("variable.function", style().blue()),
        ("entity.name.tag", style().red()),
        ("entity.other.attribute-name", style().yellow()),
        ("entity.name", style().cyan()),
        ("support", style().cyan()),
        ("markup.inserted", style().green()),
        ("markup.deleted", style().red()),
    ];
    inks.into_iter().filter_map(|(name, style)| Some((Scope::new(name).ok()?, style))).collect()
});

fn syntax_of(language: &str) -> Option<&'static SyntaxReference> {
    let language = language.to_lowercase();
    let similar = SIMILAR.iter().find(|(name, _)| *name == language);
    SYNTAXES.find_syntax_by_token(similar.map_or(&language, |(_, like)| like))
}

fn ink_of(stack: &ScopeStack) -> Style {
    let ink = |scope: &Scope| INKS.iter().find(|(prefix, _)| prefix.is_prefix_of(*scope));
    let found = stack.as_slice().iter().rev().find_map(ink);
    found.map_or_else(|| Style::new().force_styling(true), |(_, style)| style.clone())
}

/// Colours the lines of one block.
#[derive(Default)]
pub(super) struct Highlighter(Option<(ParseState, ScopeStack)>);

impl Highlighter {
    /// Without colours if the language is not known.
    pub(super) fn of_language(language: &str) -> Self {
        if language.is_empty() {
            return Self(None);
        }
        Self(syntax_of(language).map(|syntax| (ParseState::new(syntax), ScopeStack::new())))
    }

    /// The parts of a line, in order.
    pub(super) fn line<'l>(&mut self, line: &'l str) -> Vec<(&'l str, Style)> {
        let plain = vec![(line, Style::new().force_styling(true))];
        let Some((state, stack)) = &mut self.0 else { return plain };
        let Ok(changes) = state.parse_line(line, &SYNTAXES) else { return plain };
        let mut parts = Vec::new();
        let mut begin = 0;
        for (at, change) in changes {
            if at > begin {
                parts.push((&line[begin..at], ink_of(stack)));
                begin = at;
            }
            // a mistake in a syntax costs colours, no text
            let _ = stack.apply(&change);
        }
        parts.push((&line[begin..], ink_of(stack)));
        parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn coloured(language: &str, line: &str) -> String {
        let parts = Highlighter::of_language(language).line(line);
        parts.iter().map(|(text, style)| style.apply_to(text).to_string()).collect()
    }

    #[test]
    fn parts_of_code_have_colours() {
        for (language, line, part) in [
            ("rust", "let x = \"a\"; // note\n", "\x1b[32m"),
            ("python", "def f(x): return 1\n", "\x1b[34mf"),
            ("ts", "const x = 1;\n", "\x1b[33m1"),
            ("TypeScript", "const x = 1;\n", "\x1b[35mconst"),
            ("toml", "# note\n", "\x1b[2m\x1b[3m"),
        ] {
            let text = coloured(language, line);
            assert!(text.contains(part), "{language}: {text:?}");
            assert_eq!(console::strip_ansi_codes(&text), line);
        }
        assert_eq!(coloured("no such language", "let x\n"), "let x\n");
    }

    #[test]
    fn similar_languages_are_known() {
        for (name, like) in SIMILAR {
            assert!(syntax_of(name).is_some(), "{name} is to look like {like}");
        }
    }
}
