//! Markdown on a terminal while it is written. Nothing that was shown is taken back: what could still turn out to be something
//! else is held until that is known, and no cursor moves.

mod code;
mod layout;
mod page;
mod stable;
mod table;

use std::io::{self, Write};

use self::code::Highlighter;
use self::layout::{Content, Kind, Layout};
pub(crate) use self::page::Page;
use self::stable::stable_end;

/// Shows Markdown piece by piece.
pub(crate) struct MarkdownView<W> {
    page: Page<W>,
    /// What came, from the last block on that may go on.
    source: String,
    /// Bytes of the source that are shown.
    shown: usize,
    /// Bytes that came before the source.
    n_before: usize,
    /// Where the block began that is on the page.
    open: Option<usize>,
    highlighter: Highlighter,
}

/// Whether more will come.
#[derive(Clone, Copy, PartialEq)]
enum Extent {
    Open,
    Whole,
}

impl<W: Write> MarkdownView<W> {
    pub(crate) fn new(out: W, n_columns: usize) -> Self {
        Self {
            page: Page::new(out, n_columns),
            source: String::new(),
            shown: 0,
            n_before: 0,
            open: None,
            highlighter: Highlighter::default(),
        }
    }

    /// Takes more of the text, and shows what of it is certain.
    pub(crate) fn push(&mut self, text: &str) -> io::Result<()> {
        self.source.push_str(text);
        self.show(Extent::Open)?;
        self.page.flush()
    }

    /// Shows what is left.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        self.show(Extent::Whole)?;
        self.page.end_word()?;
        self.page.flush()
    }

    fn show(&mut self, extent: Extent) -> io::Result<()> {
        let source = std::mem::take(&mut self.source);
        let layout = Layout::of(&source);
        let end = match extent {
            Extent::Open => stable_end(&source, &layout, self.shown),
            Extent::Whole => source.len(),
        };
        for piece in &layout.pieces {
            if piece.source.end <= self.shown {
                continue;
            }
            if piece.source.start >= end {
                break;
            }
            let is_begun = piece.source.start < self.shown;
            let shown = match &piece.content {
                Content::Verbatim => {
                    let range = piece.source.start.max(self.shown)..piece.source.end.min(end);
                    self.open(&layout, piece.block)?;
                    self.page.text(&source[range.clone()], &piece.style)?;
                    range.end
                }
                _ if piece.source.end > end => break,
                // it began as something else, was shown as that, and ends so
                _ if is_begun => {
                    self.page.text(&source[self.shown..piece.source.end], &piece.style)?;
                    piece.source.end
                }
                Content::Given(text) => {
                    self.open(&layout, piece.block)?;
                    self.page.text(text, &piece.style)?;
                    piece.source.end
                }
                Content::CodeLine(line) => {
                    self.open(&layout, piece.block)?;
                    for (part, style) in self.highlighter.line(line) {
                        self.page.line(part, &style)?;
                    }
                    piece.source.end
                }
                Content::Table(table) => {
                    self.open(&layout, piece.block)?;
                    table.write(&mut self.page)?;
                    piece.source.end
                }
            };
            self.shown = shown;
        }
        let done = layout.done(&source, self.shown);
        drop(layout);
        self.source = source;
        self.source.drain(..done);
        self.shown -= done;
        self.n_before += done;
        Ok(())
    }

    /// Begins a block on the page, unless it is the one that is there.
    fn open(&mut self, layout: &Layout<'_>, index: usize) -> io::Result<()> {
        let Some(block) = layout.blocks.get(index) else { return Ok(()) };
        let at = self.n_before + block.start;
        if self.open == Some(at) {
            return Ok(());
        }
        self.open = Some(at);
        if let Kind::Code { language } = &block.kind {
            self.highlighter = Highlighter::of_language(language);
        }
        self.page.open(&block.lead, &block.margin, block.gap)
    }
}

#[cfg(test)]
mod tests {
    use super::MarkdownView;

    /// What is shown of a text that comes in pieces of so many characters, without its colours.
    fn shown(text: &str, n: usize) -> String {
        let mut out = Vec::new();
        let mut view = MarkdownView::new(&mut out, 40);
        let chars: Vec<char> = text.chars().collect();
        for piece in chars.chunks(n) {
            view.push(&piece.iter().collect::<String>()).unwrap();
        }
        view.finish().unwrap();
        console::strip_ansi_codes(&String::from_utf8(out).unwrap()).into_owned()
    }

    #[track_caller]
    fn check(text: &str, wanted: &str) {
        for n in [1, 2, 3, 7, 1000] {
            assert_eq!(shown(text, n), wanted, "in pieces of {n}");
        }
    }

    #[test]
    fn marks_become_styles() {
        check("Some **bold**, *slanted* and ~~old~~ `code`.", "Some bold, slanted and old code.");
        check("# A title\n\nText.\n## Another", "A title\n\nText.\nAnother");
        check("2 * 3 * 4 = 24, snake_case_name, 5 * x", "2 * 3 * 4 = 24, snake_case_name, 5 * x");
        check("\\( x_1 \\) and \\*no\\*, &amp; more", "\\( x_1 \\) and *no*, & more");
        check("never **closed", "never **closed");
        check("[here](https://a.test) or <https://b.test>", "here (https://a.test) or https://b.test");
    }

    #[test]
    fn blocks_keep_their_lines() {
        check("One\ntwo\n\nthree", "One\ntwo\n\nthree");
        check("- a\n- b\n  - c\n\n1. d\n2. e", "• a\n• b\n  • c\n\n1. d\n2. e");
        check("- [x] done\n- [ ] open", "☑ done\n☐ open");
        check("> said\n> so\n\nby me", "│ said\n│ so\n\nby me");
        check("a\n\n---\n\nb", &format!("a\n\n{}\n\nb", "─".repeat(40)));
        check("42", "42");
        check("- one\n\n  more of it\n- two", "• one\n\n  more of it\n• two");
    }

    #[test]
    fn code_stays_as_it_is() {
        let code = "So:\n\n```python\ndef f(x):\n\n    return x**2  # a_b_c\n```\nDone.";
        check(code, code);
        let long = format!("```\n{}\n```", "x ".repeat(40));
        check(&long, &long);
        check(
            "1. First:\n   ```sh\n   ls *.rs\n   ```\n2. Then",
            "1. First:\n   ```sh\n   ls *.rs\n   ```\n2. Then",
        );
        check("```rust\nfn main() {", "```rust\nfn main() {");
    }

    #[test]
    fn lines_are_broken_between_words() {
        check(
            "- The quick brown fox jumps over the lazy dog and runs",
            "• The quick brown fox jumps over the\n  lazy dog and runs",
        );
        check(&"狐".repeat(25), &format!("{}\n{}", "狐".repeat(20), "狐".repeat(5)));
    }

    #[test]
    fn tables_are_aligned() {
        check(
            "Ages:\n\n| Name | Age |\n|---|---:|\n| Ada | 36 |\n| **Bo** | 7 |\n\nThat is all.",
            "Ages:\n\n Name │ Age\n──────┼────\n Ada  │  36\n Bo   │   7\n\nThat is all.",
        );
        check("| no table", "| no table");
    }

    #[test]
    fn what_is_certain_is_shown_at_once() {
        let mut out = Vec::new();
        let mut view = MarkdownView::new(&mut out, 80);
        view.push("Hello there, **wor").unwrap();
        view.push("ld** again ").unwrap();
        drop(view);
        let text = String::from_utf8(out).unwrap();
        assert_eq!(console::strip_ansi_codes(&text), "Hello there, world");
        assert!(text.contains("\x1b[1mworld"), "{text:?}");
    }

    /// Marks in any order: all words are shown once, in order, whatever they turn out to be in.
    #[test]
    fn no_word_is_lost() {
        const MARKS: [&str; 22] = [
            "**",
            "*",
            "_",
            "`",
            "\n",
            "\n\n",
            "# ",
            "\n- ",
            "\n1. ",
            "\n> ",
            "\n```\n",
            "\n```rust\n",
            "~~",
            "[",
            "](http://x)",
            "<",
            "&",
            "$",
            "\\",
            " ",
            "长江",
            "\n    ",
        ];
        let mut state = 1u32;
        let mut random = |below: usize| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) as usize % below
        };
        for round in 0..300 {
            let n_words = 1 + random(20);
            let mut text = String::new();
            for word in 0..n_words {
                (0..random(4)).for_each(|_| text.push_str(MARKS[random(MARKS.len())]));
                text.push_str(&format!("w{word}w"));
            }
            let shown = shown(&text, 1 + random(9));
            let mut rest = shown.as_str();
            for word in 0..n_words {
                let found = rest.split_once(&format!("w{word}w"));
                rest = found.unwrap_or_else(|| panic!("{round}: no word {word} of {text:?} in {shown:?}")).1;
            }
        }
    }
}
