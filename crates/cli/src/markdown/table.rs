//! Tables, and rules, which are as wide as the page.

use std::io::{self, Write};

use console::{Style, measure_text_width};
use pulldown_cmark::Alignment;

use super::page::Page;

type Cell = Vec<(String, Style)>;

/// Rows of cells, the first of them the head.
pub(super) struct Table {
    alignments: Vec<Alignment>,
    rows: Vec<Vec<Cell>>,
}

fn width(cell: &Cell) -> usize {
    cell.iter().map(|(text, _)| measure_text_width(text)).sum()
}

impl Table {
    pub(super) fn new(alignments: Vec<Alignment>) -> Self {
        Self { alignments, rows: Vec::new() }
    }

    /// Nothing but a line across the page.
    pub(super) fn rule() -> Self {
        Self::new(Vec::new())
    }

    pub(super) fn begin_row(&mut self) {
        self.rows.push(Vec::new());
    }

    pub(super) fn begin_cell(&mut self) {
        self.rows.iter_mut().next_back().into_iter().for_each(|row| row.push(Cell::new()));
    }

    pub(super) fn add(&mut self, text: &str, style: &Style) {
        let cell = self.rows.last_mut().and_then(|row| row.last_mut());
        cell.into_iter().for_each(|cell| cell.push((text.replace('\n', " "), style.clone())));
    }

    pub(super) fn write<W: Write>(&self, page: &mut Page<W>) -> io::Result<()> {
        let dim = Style::new().force_styling(true).dim();
        if self.alignments.is_empty() {
            let width = page.n_columns();
            return page.line(&"─".repeat(width), &dim);
        }
        let widest = |column: usize| self.rows.iter().filter_map(|row| row.get(column)).map(width).max();
        let widths: Vec<usize> =
            (0..self.alignments.len()).map(|column| widest(column).unwrap_or(0)).collect();
        // a table that is wider than the page has its lines broken: nothing is in line then anyway
        let fits = widths.iter().map(|width| width + 3).sum::<usize>() <= page.n_columns() + 2;
        for (index, row) in self.rows.iter().enumerate() {
            if index > 0 {
                page.line("\n", &dim)?;
            }
            for (column, (cell, (alignment, widest))) in
                row.iter().zip(self.alignments.iter().zip(&widths)).enumerate()
            {
                if !fits {
                    page.text(if column == 0 { "" } else { " │ " }, &dim)?;
                    cell.iter().try_for_each(|(text, style)| page.text(text, style))?;
                    continue;
                }
                let room = widest.saturating_sub(width(cell));
                let left = match alignment {
                    Alignment::None | Alignment::Left => 0,
                    Alignment::Center => room / 2,
                    Alignment::Right => room,
                };
                page.line(if column == 0 { "" } else { "│" }, &dim)?;
                page.line(&" ".repeat(left + 1), &dim)?;
                cell.iter().try_for_each(|(text, style)| page.line(text, style))?;
                if column + 1 < row.len() {
                    page.line(&" ".repeat(room - left + 1), &dim)?;
                }
            }
            if index == 0 && fits {
                let last = widths.len() - 1;
                let dashes =
                    |(column, width): (usize, &usize)| "─".repeat(width + if column == last { 1 } else { 2 });
                let rule: Vec<String> = widths.iter().enumerate().map(dashes).collect();
                page.line(&format!("\n{}", rule.join("┼")), &dim)?;
            }
        }
        Ok(())
    }
}
