//! Text on a terminal, broken between words.

use std::io::{self, Write};

use console::{Style, measure_text_width};

/// Writes words and lines, and knows in which column it is.
pub(crate) struct Page<W> {
    out: W,
    n_columns: usize,
    column: usize,
    /// Before each line that follows.
    margin: String,
    /// What is to come before the next line, if not the margin.
    lead: Option<String>,
    /// Line ends that are written with what follows them.
    n_breaks: usize,
    n_spaces: usize,
    /// The word that may go on.
    word: Vec<(String, Style)>,
    is_empty: bool,
}

impl<W: Write> Page<W> {
    pub(crate) fn new(out: W, n_columns: usize) -> Self {
        Self {
            out,
            n_columns: n_columns.max(10),
            column: 0,
            margin: String::new(),
            lead: None,
            n_breaks: 0,
            n_spaces: 0,
            word: Vec::new(),
            is_empty: true,
        }
    }

    pub(super) fn n_columns(&self) -> usize {
        self.n_columns.saturating_sub(measure_text_width(&self.margin)).max(1)
    }

    /// Begins a block on a line of its own.
    pub(super) fn open(&mut self, lead: &str, margin: &str, gap: bool) -> io::Result<()> {
        self.end_word()?;
        if !self.is_empty {
            self.n_breaks = self.n_breaks.max(if gap { 2 } else { 1 });
        }
        margin.clone_into(&mut self.margin);
        self.lead = Some(lead.to_owned());
        Ok(())
    }

    /// Writes text whose lines are broken between words.
    pub(crate) fn text(&mut self, text: &str, style: &Style) -> io::Result<()> {
        for sign in text.chars() {
            match sign {
                '\n' => self.end_line()?,
                '\r' => {}
                ' ' | '\t' => {
                    self.end_word()?;
                    self.n_spaces += 1;
                }
                // signs of Chinese and Japanese are words of their own
                wide if measure_text_width(wide.encode_utf8(&mut [0; 4])) == 2 => {
                    self.end_word()?;
                    self.extend(wide, style);
                    self.end_word()?;
                }
                other => self.extend(other, style),
            }
        }
        Ok(())
    }

    fn extend(&mut self, sign: char, style: &Style) {
        match self.word.last_mut() {
            Some((text, last)) if last == style => text.push(sign),
            _ => self.word.push((sign.to_string(), style.clone())),
        }
    }

    /// Writes part of a line that is broken nowhere.
    pub(super) fn line(&mut self, text: &str, style: &Style) -> io::Result<()> {
        self.end_word()?;
        for part in text.split_inclusive('\n') {
            let line = part.trim_end_matches(['\r', '\n']);
            if !line.is_empty() {
                self.begin()?;
                write!(self.out, "{}", style.apply_to(line))?;
                self.column += measure_text_width(line);
            }
            if part.ends_with('\n') {
                self.end_line()?;
            }
        }
        Ok(())
    }

    /// Writes the word that is complete now.
    pub(crate) fn end_word(&mut self) -> io::Result<()> {
        if self.word.is_empty() {
            return Ok(());
        }
        let word = std::mem::take(&mut self.word);
        let width: usize = word.iter().map(|(text, _)| measure_text_width(text)).sum();
        let margin = measure_text_width(&self.margin);
        if self.n_breaks == 0 && self.column > margin && self.column + self.n_spaces + width > self.n_columns
        {
            self.n_breaks = 1;
            self.n_spaces = 0;
        }
        self.begin()?;
        for (text, style) in word {
            write!(self.out, "{}", style.apply_to(text))?;
        }
        self.column += width;
        Ok(())
    }

    fn end_line(&mut self) -> io::Result<()> {
        self.end_word()?;
        self.n_breaks += 1;
        self.n_spaces = 0;
        Ok(())
    }

    /// Writes what comes before anything that is seen.
    fn begin(&mut self) -> io::Result<()> {
        let n_breaks = std::mem::take(&mut self.n_breaks);
        if n_breaks > 0 || self.lead.is_some() {
            for _ in 0..n_breaks {
                writeln!(self.out)?;
            }
            let before = self.lead.take().unwrap_or_else(|| self.margin.clone());
            write!(self.out, "{before}")?;
            self.column = measure_text_width(&before);
        }
        if self.n_spaces > 0 {
            write!(self.out, "{:1$}", "", self.n_spaces)?;
            self.column += std::mem::take(&mut self.n_spaces);
        }
        self.is_empty = false;
        Ok(())
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
